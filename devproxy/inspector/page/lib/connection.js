/**
 * The page's one stream of events: read with `fetch`, because EventSource cannot send the key; begun again where it left
 * off. While the page is open it never ends for good.
 */

import { address, ApiError, ask } from "./api.js";
import { EventParser } from "./sse.js";

/** @typedef {"connecting"|"live"|"lost"|"stopped"|"key-needed"} Health */

const SILENCE_S = 40; // devproxy sends a comment every 15 s
const WAITS_S = [0.3, 0.6, 1, 2, 3];

export class Connection extends EventTarget {
  /** @type {Health} */
  health = "connecting";
  #lastId = "";
  /** @type {number|null} */
  #exchange = null;
  #attempt = 0;
  #abort = new AbortController();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #run = 0;

  /**
   * @param {(event: string, data: any) => void} receive  called for each event of the stream, in order
   */
  constructor(receive) {
    super();
    this.receive = receive;
  }

  /**
   * Begin, or begin again from another place.
   * @param {string} lastId  the `last_event_id` that the caller has everything up to
   */
  start(lastId) {
    this.#lastId = lastId;
    this.again();
  }

  /**
   * Follow the messages of one exchange, or of none.
   * @param {number|null} exchange
   */
  follow(exchange) {
    if (exchange === this.#exchange) return;
    this.#exchange = exchange;
    if (this.#run > 0) this.again();
  }

  /** Connect now. */
  again() {
    this.#abort.abort();
    clearTimeout(this.#timer);
    this.#abort = new AbortController();
    void this.#read(++this.#run, this.#abort);
  }

  /**
   * @param {number} run  what belongs to an earlier one is over
   * @param {AbortController} abort
   */
  async #read(run, abort) {
    let silence = setTimeout(() => {}, 0);
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(), SILENCE_S * 1000);
    };
    try {
      heard();
      const url = address("events", { exchange: this.#exchange, last_event_id: this.#lastId || null });
      const response = await ask(url, { headers: { Accept: "text/event-stream" }, signal: abort.signal });
      if (response.body === null) throw new ApiError(0, "unreachable", "devproxy answered without a stream.", "");
      const parser = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || run !== this.#run) break;
        heard();
        for (const event of parser.feed(value)) this.#take(event.event, event.data, event.id);
      }
    } catch (problem) {
      if (run === this.#run && problem instanceof ApiError && problem.code === "key-needed") {
        this.#become("key-needed");
        clearTimeout(silence);
        return;
      }
    }
    clearTimeout(silence);
    if (run !== this.#run) return;
    if (this.health !== "stopped") this.#become("lost");
    const wait = WAITS_S[Math.min(this.#attempt++, WAITS_S.length - 1)] ?? 1;
    this.#timer = setTimeout(() => this.again(), wait * 1000);
  }

  /**
   * @param {string} name
   * @param {string} data
   * @param {string|null} id
   */
  #take(name, data, id) {
    if (id !== null) this.#lastId = id;
    if (name === "bye") {
      this.#become("stopped");
    } else if (name === "hello") {
      this.#attempt = 0;
      this.#become("live");
    }
    this.receive(name, JSON.parse(data));
  }

  /** @param {Health} health */
  #become(health) {
    if (health === this.health) return;
    this.health = health;
    this.dispatchEvent(new Event("health"));
  }
}
