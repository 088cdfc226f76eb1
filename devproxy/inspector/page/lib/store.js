/** What the page knows: rows by id, sessions, routes and the rest. What is newer replaces what is older. Without I/O. */

/** @typedef {import("../types.js").Row} Row */
/** @typedef {import("../types.js").Session} Session */

/** Rows in memory; the oldest go. */
export const MAX_ROWS = 10_000;
const SLACK = 500;

/** Emits "rows", "sessions", "upstreams", "configuration" and "about" when something of that kind has changed. */
export class Store extends EventTarget {
  /** @type {Row[]} by id, which is by time */
  rows = [];
  /** @type {Map<number, Row>} */
  byId = new Map();
  /** @type {Map<string, Session>} */
  sessions = new Map();
  /** @type {import("../types.js").About|null} */
  about = null;
  /** @type {import("../types.js").Upstream[]} */
  upstreams = [];
  /** @type {import("../types.js").Configuration|null} */
  configuration = null;
  /** Rows up to this id are not taken: the person cleared the list. */
  clearedUpTo = 0;

  /** @param {Row[]} rows */
  takeRows(rows) {
    for (const row of rows) {
      const known = this.byId.get(row.id);
      if (row.id <= this.clearedUpTo || (known && known.version >= row.version)) continue;
      this.byId.set(row.id, row);
      if (known) this.rows[this.#indexOf(row.id)] = row;
      else if (row.id > (this.rows.at(-1)?.id ?? 0)) this.rows.push(row);
      else this.rows.splice(this.#indexOf(row.id), 0, row);
    }
    if (this.rows.length > MAX_ROWS + SLACK) {
      for (const row of this.rows.splice(0, this.rows.length - MAX_ROWS)) this.byId.delete(row.id);
    }
    this.#tell("rows");
  }

  /**
   * Where the row with this id is, or where it belongs.
   * @param {number} id
   */
  #indexOf(id) {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (/** @type {Row} */ (this.rows[middle]).id < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @param {Session[]} sessions */
  takeSessions(sessions) {
    for (const session of sessions) {
      if ((this.sessions.get(session.sid)?.version ?? -1) < session.version) this.sessions.set(session.sid, session);
    }
    this.#tell("sessions");
  }

  /** @param {import("../types.js").About} about */
  takeAbout(about) {
    this.about = about;
    this.#tell("about");
  }

  /** @param {import("../types.js").Upstream[]} upstreams */
  takeUpstreams(upstreams) {
    this.upstreams = upstreams;
    this.#tell("upstreams");
  }

  /** @param {import("../types.js").Configuration} configuration  without `text`, it keeps the one that is known */
  takeConfiguration(configuration) {
    this.configuration = { text: this.configuration?.text, ...configuration };
    this.#tell("configuration");
  }

  /** Forget the rows and sessions. */
  forget() {
    this.rows = [];
    this.byId.clear();
    this.sessions.clear();
    this.#tell("rows");
    this.#tell("sessions");
  }

  /** Forget the rows here alone; devproxy and other pages keep them. */
  clearHere() {
    this.clearedUpTo = this.rows.at(-1)?.id ?? 0;
    this.rows = [];
    this.byId.clear();
    this.#tell("rows");
  }

  /** @param {string} kind */
  #tell(kind) {
    this.dispatchEvent(new Event(kind));
  }
}
