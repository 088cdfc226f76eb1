/** One line of the list: its cells, made once and filled again and again. */

import { h, icon, setAttribute, setText } from "../lib/dom.js";
import { duration, now, size, splitTarget } from "../lib/format.js";

/** @typedef {import("../types.js").Row} Row */
/** @typedef {import("./entries.js").Entry} Entry */

const MARKS = /** @type {{[code: string]: string}} */ ({
  blocked: "A browser does not let the page read the answer",
  "oauth-upstream-address": "A redirect names an upstream's own address",
  "service-worker-missing": "A service worker's script was not found",
  "local-network-access": "A browser asks the person before it sends this",
  "compressed-event-stream": "An event stream is compressed, so events come late",
});
const PROBLEMS = { failed: "failed", refused: "refused", blocked: "a browser blocks it" };

/**
 * What the status column says: a number, or where the request has got to.
 * @param {Row} row
 * @returns {{text: string, tone: string}}
 */
export function statusOf(row) {
  if (row.problem === "blocked" && row.status !== null) return { text: String(row.status), tone: "bad" };
  if (row.status !== null) {
    const tone =
      row.status < 200
        ? "open"
        : row.status < 300
          ? "good"
          : row.status < 400
            ? "away"
            : row.status < 500
              ? "warn"
              : "bad";
    return { text: String(row.status), tone };
  }
  if (row.state === "waiting") return { text: row.times.held_s === null ? "queued" : "held", tone: "wait" };
  if (row.state !== "done") return { text: "sent", tone: "wait" };
  return {
    text: row.outcome === "client-left" ? "left" : "lost",
    tone: row.outcome === "client-left" ? "warn" : "bad",
  };
}

/**
 * How long it took, or has taken so far.
 * @param {Row} row
 */
export function elapsed(row) {
  return row.times.ended_s ?? Math.max(0, now() - row.started_at);
}

/** Bytes of the answer; of a tunnel, both ways: they may be counted only at its end. @param {Row} row */
export function bytesOf(row) {
  if (!row.tunnel) return row.response_bytes;
  const bytes = row.tunnel.sent_bytes + row.tunnel.received_bytes;
  return bytes === 0 && row.state === "open" ? null : bytes;
}

/**
 * The short name of what came: `json`, `html`, `websocket`.
 * @param {Row} row
 */
export function typeOf(row) {
  if (row.tunnel) return row.tunnel.protocol;
  if (row.kind === "preflight" || row.kind === "poll") return row.kind;
  if (row.kind === "eventsource" || row.type === "text/event-stream") return "event stream";
  if (row.type === null) return row.kind === "other" ? "–" : row.kind;
  return row.type.replace(/^(application|text|image|font|video|audio)\/(x-)?/, "").replace(/\+xml$/, "");
}

export class RowView {
  constructor() {
    this.fold = h("span", { class: "fold" });
    this.path = h("span", { class: "path" });
    this.query = h("span", { class: "query" });
    this.target = h("span", { class: "target" }, this.path, this.query);
    this.times = h("span", { class: "times" });
    this.marks = h("span", { class: "marks" });
    this.method = h("span", { class: "c-method", role: "gridcell" });
    this.status = h("span", { class: "c-status", role: "gridcell" });
    this.type = h("span", { class: "c-type", role: "gridcell" });
    this.route = h("span", { class: "route" });
    this.server = h("span", { class: "server" });
    this.size = h("span", { class: "c-size", role: "gridcell" });
    this.time = h("span", { class: "c-time", role: "gridcell" });
    this.held = h("i", { class: "held" });
    this.wait = h("i", { class: "wait" });
    this.load = h("i", { class: "load" });
    this.element = h(
      "div",
      { role: "row", class: "row" },
      this.method,
      h("span", { class: "c-path", role: "gridcell" }, this.fold, this.target, this.times, this.marks),
      this.status,
      this.type,
      h("span", { class: "c-route", role: "gridcell" }, this.route, this.server),
      this.size,
      this.time,
      h("span", { class: "c-fall", role: "gridcell", "aria-label": "timing" }, this.held, this.wait, this.load),
    );
    /** @type {Entry|null} */
    this.entry = null;
    this.marksKey = "";
  }

  /**
   * @param {Entry} entry
   * @param {number} index
   * @param {boolean} isSelected
   */
  update(entry, index, isSelected) {
    const { row } = entry;
    this.entry = entry;
    setAttribute(this.element, "id", `row-${index}`);
    setAttribute(this.element, "aria-rowindex", String(index + 2));
    setAttribute(this.element, "aria-level", entry.isChild ? "2" : "1");
    setAttribute(this.element, "aria-selected", String(isSelected));
    const { text, tone } = statusOf(row);
    const classes = [
      "row",
      `is-${tone}`,
      row.state === "done" ? "" : "is-live",
      row.problem ? `is-${row.problem}` : "",
      entry.isFirst ? "is-first" : "",
      entry.isChild ? "is-child" : "",
    ]
      .filter(Boolean)
      .join(" ");
    if (this.element.className !== classes) this.element.className = classes;
    setText(this.method, row.method);
    const [path, query] = splitTarget(row.target);
    setText(this.path, path);
    setText(this.query, query);
    setAttribute(this.target, "title", row.target);
    const many = entry.members.length > 1;
    setText(this.times, many ? `×${entry.members.length}` : "");
    setAttribute(this.element, "aria-expanded", many ? String(entry.isOpen) : null);
    if (this.fold.hidden !== !many) this.fold.hidden = !many;
    setText(this.fold, many ? (entry.isOpen ? "▾" : "▸") : "");
    setText(this.status, text);
    setText(this.type, typeOf(row));
    setText(this.route, row.route ?? (row.outcome === "answered-here" ? "devproxy" : ""));
    setText(this.server, row.upstream ?? "");
    setAttribute(this.server, "title", row.server);
    setText(this.size, size(bytesOf(row)));
    setText(this.time, duration(elapsed(row)));
    this.#mark(row);
    this.#draw(entry);
  }

  /** @param {Row} row */
  #mark(row) {
    const key = [row.problem, row.replay_of !== null, ...row.marks].join();
    if (key === this.marksKey) return;
    this.marksKey = key;
    this.marks.textContent = "";
    const say = (
      /** @type {Parameters<typeof icon>[0]} */ name,
      /** @type {string} */ title,
      /** @type {string} */ tone,
    ) => {
      this.marks.append(h("span", { class: `mark ${tone}`, role: "img", "aria-label": title, title }, icon(name)));
    };
    if (row.replay_of !== null) say("replay", `sent again, from request ${row.replay_of}`, "soft");
    if (row.problem) say(row.problem === "blocked" ? "blocked" : "alert", PROBLEMS[row.problem], row.problem);
    for (const code of row.marks) if (code !== "blocked") say("info", MARKS[code] ?? code, "refused");
  }

  /** @param {Entry} entry */
  #draw({ row, burst }) {
    const place = (/** @type {number} */ s) =>
      Math.min(100, Math.max(0, ((row.started_at + s - burst.start) / burst.length) * 100));
    const { sent_s: sent, first_byte_s: first, held_s: held } = row.times;
    const end = elapsed(row);
    const sentAt = sent ?? (first === null ? end : 0);
    bar(this.held, place(0), held === null ? 0 : place(sentAt));
    bar(this.wait, place(held === null ? 0 : sentAt), place(first ?? end));
    bar(this.load, place(first ?? end), first === null ? 0 : place(end), true);
  }
}

/**
 * @param {HTMLElement} element
 * @param {number} from  in per cent
 * @param {number} to  not above `from`: there is nothing to draw
 * @param {boolean} [always]  show at least a line
 */
function bar(element, from, to, always = false) {
  const isHidden = to < from || (to === from && !always);
  if (element.hidden !== isHidden) element.hidden = isHidden;
  if (isHidden) return;
  element.style.left = `${Math.min(from, 99).toFixed(2)}%`;
  element.style.width = `${Math.max(to - from, 0).toFixed(2)}%`;
}
