/** The view of Socket.IO sessions, by sid. */

import { fill, h, isInUse, setAttribute, setText, the } from "../lib/dom.js";
import { duration, now } from "../lib/format.js";
import { isOverdue, sessionCard } from "../detail/session.js";

/** @typedef {import("../types.js").Session} Session */

export class Sockets {
  /** @type {string|null} */
  selected = null;
  #isDue = false;

  /**
   * @param {import("../lib/store.js").Store} store
   * @param {import("../detail/session.js").Open} open
   */
  constructor(store, open) {
    this.store = store;
    this.open = open;
    this.root = the("view-sockets");
    this.rows = h("div", { class: "cards", role: "group", "aria-label": "Sessions" });
    this.card = h("section", { class: "session-card", "aria-label": "Session" });
    this.empty = h(
      "div",
      { class: "empty" },
      h("p", null, "No Socket.IO session yet."),
      h(
        "p",
        { class: "soft" },
        "A client that connects through devproxy appears here: polling, probe, upgrade, pings, namespaces, and why it closed.",
      ),
    );
    this.root.append(
      h("h2", { class: "hidden" }, "Socket.IO sessions"),
      this.empty,
      h("div", { class: "columns" }, this.rows, this.card),
    );
    this.rows.addEventListener("keydown", (event) => this.#key(event));
    store.addEventListener("sessions", () => this.#changed());
    setInterval(() => !this.root.hidden && this.#changed(), 1000);
    this.#draw();
  }

  /** @param {string|null} sid */
  show(sid) {
    this.selected = sid;
    this.#draw();
  }

  #changed() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw() {
    const all = [...this.store.sessions.values()].sort((a, b) => (b.opened_at ?? 0) - (a.opened_at ?? 0));
    const isOpen = (/** @type {Session} */ session) => session.state === "open";
    setText(the("tally-sockets"), all.length ? String(all.filter(isOpen).length) : "");
    if (this.root.hidden) return;
    this.empty.hidden = all.length > 0;
    const selected = all.find((session) => session.sid === this.selected) ?? all[0];
    const had = this.rows.contains(document.activeElement) ? document.activeElement?.getAttribute("href") : null;
    fill(
      this.rows,
      all.slice(0, 200).map((session) => sessionRow(session, session === selected)),
    );
    if (had) /** @type {HTMLElement|null} */ (this.rows.querySelector(`[href="${CSS.escape(had)}"]`))?.focus();
    const inside = isInUse(this.card);
    if (selected && !inside) fill(this.card, sessionCard(selected, this.store, this.open));
    else if (!selected) fill(this.card);
    this.card.hidden = !selected;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    const links = /** @type {HTMLElement[]} */ ([...this.rows.querySelectorAll("a")]);
    const next = links[links.indexOf(/** @type {HTMLElement} */ (document.activeElement)) + step];
    next?.focus();
    next?.click();
    event.preventDefault();
  }
}

/**
 * @param {Session} session
 * @param {boolean} isSelected
 */
function sessionRow(session, isSelected) {
  const tone = session.state !== "open" ? "" : isOverdue(session) || session.upgrade === "failed" ? "warn" : "good";
  const age = session.opened_at === null ? "" : duration((session.closed_at ?? now()) - session.opened_at);
  const how =
    session.upgrade === "failed"
      ? "polling, upgrade failed"
      : session.upgrade === "probing"
        ? "polling → websocket …"
        : (session.transport ?? "");
  const link = h(
    "a",
    { class: `session ${tone}`, href: `#/sockets/${encodeURIComponent(session.sid)}` },
    h("i", { class: `dot ${tone}` }),
    h("b", null, session.sid),
    h("span", { class: "soft" }, [session.eio === null ? "" : `EIO ${session.eio}`, how].filter(Boolean).join("  ·  ")),
    h("span", { class: "soft" }, [session.namespaces.join(" "), session.upstream ?? ""].filter(Boolean).join("  →  ")),
    h("span", { class: "age" }, session.state === "open" ? age : `${session.state} after ${age}`),
  );
  setAttribute(link, "aria-current", isSelected ? "true" : null);
  return link;
}
