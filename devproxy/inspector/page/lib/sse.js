/** Server-Sent Events out of pieces of text (HTML standard, section 9.2.6). Without I/O. */

/** @typedef {{event: string, data: string, id: string|null}} ServerEvent */

/** Takes text piece by piece, however it was cut, and returns the events that are complete. */
export class EventParser {
  #rest = "";
  #event = "";
  /** @type {string[]} */
  #data = [];
  /** @type {string|null} */
  #id = null;

  /**
   * @param {string} text
   * @returns {ServerEvent[]}
   */
  feed(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    const events = [];
    for (const line of lines) {
      const done = this.#take(line.endsWith("\r") ? line.slice(0, -1) : line);
      if (done) events.push(done);
    }
    return events;
  }

  /**
   * @param {string} line
   * @returns {ServerEvent|null}
   */
  #take(line) {
    if (line === "") {
      const event = { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id };
      const isEmpty = this.#data.length === 0;
      this.#event = "";
      this.#data = [];
      return isEmpty ? null : event;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }
}
