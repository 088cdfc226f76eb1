/** The Engine.IO session that an exchange belongs to, in the last tab and in the view of sockets. */

import { get } from "../lib/api.js";
import { fill, h, icon } from "../lib/dom.js";
import { count, duration, moment, now } from "../lib/format.js";
import { statusOf, typeOf } from "../list/row.js";

/** @typedef {import("../types.js").Session} Session */
/** @typedef {import("../lib/store.js").Store} Store */
/** @typedef {(id: number, tab?: "messages"|"overview") => void} Open */

const UPGRADES = { none: "not tried", probing: "probing", done: "in use", failed: "not reached" };

/**
 * @param {HTMLElement} root
 * @param {import("../types.js").Detail} detail
 * @param {Store} store
 * @param {Open} open
 */
export function sessionTab(root, detail, store, open) {
  const sid = /** @type {string} */ (detail.session);
  const known = store.sessions.get(sid);
  if (known) {
    fill(root, sessionCard(known, store, open));
    return;
  }
  fill(root, h("p", { class: "soft" }, "…"));
  get(`sessions/${encodeURIComponent(sid)}`).then(
    (session) => fill(root, sessionCard(session, store, open)),
    (problem) => fill(root, h("p", { class: "nothing" }, problem.message)),
  );
}

/** Whether it has waited longer for a ping than the server promised. @param {Session} session */
export function isOverdue(session) {
  if (session.state !== "open" || session.last_ping_at === null || session.ping_interval_s === null) return false;
  return now() - session.last_ping_at > session.ping_interval_s + (session.ping_timeout_s ?? 0);
}

/**
 * @param {Session} session
 * @param {Store} store
 * @param {Open} open
 */
export function sessionCard(session, store, open) {
  const tone = session.state === "closed" ? "" : isOverdue(session) ? "bad" : "good";
  /** @type {[string, import("../lib/dom.js").Child][]} */
  const facts = [
    ["Engine.IO", session.eio === null ? null : `version ${session.eio}`],
    ["Server", session.server === null ? null : `${session.server} (${session.upstream ?? ""})`],
    ["Route", session.route],
    ["Path", session.path],
    ["Namespaces", session.namespaces.join(", ") || null],
    ["Opened", moment(session.opened_at)],
    ["Closed", session.closed_at === null ? null : moment(session.closed_at)],
    ["Why closed", session.why_closed || null],
    [
      "Pings",
      session.ping_interval_s === null
        ? null
        : `every ${duration(session.ping_interval_s)}, given up after ${duration(session.ping_timeout_s)}`,
    ],
    ["Last ping", pingAge(session)],
    ["Traffic", `${count(session.packets, "packet")}, ${count(session.polls, "poll")}`],
  ];
  const known = store.rows.filter((row) => row.session === session.sid).map((row) => row.id);
  const rows = [...new Set([...session.exchanges, ...known])].sort((a, b) => b - a).slice(0, 30);
  return [
    h(
      "div",
      { class: "part-head" },
      h("h3", { class: "sid" }, session.sid),
      h("span", { class: `pill ${tone}` }, session.state),
    ),
    steps(session),
    session.upgrade === "failed"
      ? h(
          "div",
          { class: "card bad" },
          h("h4", null, icon("alert"), "The upgrade to WebSocket failed; the session goes on by polling."),
          h("p", null, session.upgrade_why),
        )
      : null,
    h(
      "dl",
      { class: "facts" },
      facts
        .filter(([, value]) => value !== null)
        .map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))),
    ),
    h("h3", null, "Its requests"),
    h(
      "ul",
      { class: "links" },
      rows.map((id) => link(id, store, open)),
    ),
  ];
}

/** @param {Session} session */
function pingAge(session) {
  if (session.last_ping_at === null) return null;
  const pong =
    session.last_pong_at === null
      ? "no answer yet"
      : `answered after ${duration(Math.max(0, session.last_pong_at - session.last_ping_at))}`;
  return `${duration(Math.max(0, now() - session.last_ping_at))} ago, ${session.last_pong_at !== null && session.last_pong_at < session.last_ping_at ? "no answer yet" : pong}`;
}

/** Polling, probe, WebSocket: how far it has come. @param {Session} session */
function steps(session) {
  const step = (/** @type {string} */ tone, /** @type {string} */ name, /** @type {string} */ what) =>
    h("li", { class: tone }, h("b", null, name), h("span", null, what));
  const isDirect = session.polls === 0 && session.transport === "websocket";
  return h(
    "ol",
    { class: "way steps", "aria-label": "Transports" },
    isDirect ? null : step("good", "Polling", count(session.polls, "poll")),
    isDirect
      ? null
      : step(
          session.upgrade === "failed" ? "bad" : session.upgrade === "none" ? "off" : "good",
          "Probe",
          session.upgrade === "none"
            ? "none"
            : session.upgrade === "probing"
              ? "under way"
              : session.upgrade === "failed"
                ? "failed"
                : "answered",
        ),
    step(
      session.transport === "websocket" ? "good" : "off",
      "WebSocket",
      isDirect ? "from the beginning" : UPGRADES[session.upgrade],
    ),
  );
}

/**
 * @param {number} id
 * @param {Store} store
 * @param {Open} open
 */
function link(id, store, open) {
  const row = store.byId.get(id);
  if (!row)
    return h("li", null, h("button", { type: "button", class: "link", onclick: () => open(id) }, `request ${id}`));
  const { text, tone } = statusOf(row);
  const tab = row.tunnel || row.kind === "poll" ? "messages" : "overview";
  return h(
    "li",
    null,
    h("span", { class: `badge is-${tone}` }, text),
    h("button", { type: "button", class: "link", onclick: () => open(id, tab) }, `${row.method} ${typeOf(row)}`),
    h("span", { class: "soft" }, `${moment(row.started_at)}, ${duration(row.times.ended_s ?? now() - row.started_at)}`),
  );
}
