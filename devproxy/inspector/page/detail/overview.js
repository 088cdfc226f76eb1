/** The first tab: the way the request took, what went wrong, and where the time went. */

import { address, ask } from "../lib/api.js";
import { say, sayProblem } from "../lib/copy.js";
import { h, icon } from "../lib/dom.js";
import { clock, count, duration, now, size } from "../lib/format.js";
import { bytesOf } from "../list/row.js";
import { sourceLink } from "./source.js";

/** @typedef {import("../types.js").Detail} Detail */

const STATES = {
  waiting: "waits for a connection",
  sent: "sent, no answer yet",
  streaming: "the answer is coming",
  open: "open",
  done: "over",
};
const OUTCOMES = /** @type {{[name: string]: string}} */ ({
  complete: "complete",
  "client-left": "the client left before the end",
  "upstream-lost": "the server broke off",
  "answered-here": "devproxy answered",
  stopped: "devproxy stopped or closed it",
});
const PROBLEMS = {
  failed: "It failed.",
  refused: "It was refused.",
  blocked: "A browser does not let the page read this answer.",
};

/**
 * @param {Detail} detail
 * @param {(id: number) => void} open
 */
export function overview(detail, open) {
  return [
    way(detail),
    trouble(detail),
    detail.findings.map((finding) =>
      card(
        "warn",
        finding.title,
        finding.what,
        finding.help,
        finding.action === "clear-site-data" ? clearSiteData() : null,
      ),
    ),
    h("h3", null, "Timing"),
    timing(detail),
    h("h3", null, "Request"),
    facts(detail, open),
  ];
}

/** Client → route → server, with what each of them is. @param {Detail} detail */
function way(detail) {
  const stop = (
    /** @type {string} */ tone,
    /** @type {string} */ name,
    /** @type {string|null} */ what,
    /** @type {Node|null} */ link,
  ) => h("li", { class: tone }, h("b", null, name), h("span", null, what ?? ""), link);
  const isHere = detail.server === null;
  const lost = detail.outcome === "upstream-lost" || detail.problem === "failed";
  return h(
    "ol",
    { class: "way", "aria-label": "The way of the request" },
    stop(detail.outcome === "client-left" ? "bad" : "", detail.origin || "Client", detail.client, null),
    stop(
      isHere && detail.problem ? "bad" : "",
      detail.route === null ? "devproxy" : `Route ${detail.route}`,
      isHere ? "answered here" : detail.scheme === "https" ? "over TLS" : `on ${detail.host}`,
      sourceLink(detail.route_source),
    ),
    isHere ? null : stop(lost ? "bad" : "", detail.upstream ?? "", detail.server, null),
  );
}

/** @param {Detail} detail */
function trouble(detail) {
  if (detail.problem === null && detail.error === "") return null;
  const title = detail.problem ? PROBLEMS[detail.problem] : "devproxy has something to say.";
  const why = detail.problem === "blocked" ? detail.verdict?.through.text || detail.detail : detail.detail;
  return h(
    "div",
    { class: `card ${detail.problem === "refused" ? "warn" : "bad"}` },
    h("h3", null, icon(detail.problem === "blocked" ? "blocked" : "alert"), title),
    why ? h("p", null, why) : null,
    detail.error ? h("p", null, h("code", { class: "code" }, detail.error)) : null,
    detail.problem === "blocked"
      ? h("p", null, h("a", { href: `#/requests/${detail.id}/cors` }, "Why, and what to paste"))
      : null,
  );
}

/**
 * @param {string} tone
 * @param {string} title
 * @param {string} what
 * @param {string} help
 * @param {Node|null} action
 */
function card(tone, title, what, help, action) {
  return h(
    "div",
    { class: `card ${tone}` },
    h("h3", null, icon("info"), title),
    h("p", null, what),
    help ? h("p", { class: "soft" }, help) : null,
    action,
  );
}

function clearSiteData() {
  return h(
    "button",
    {
      type: "button",
      class: "tool",
      onclick: async () => {
        try {
          await ask(address("clear-site-data"), { method: "POST" });
          say("The browser dropped what this origin had stored. Load your page again.");
        } catch (problem) {
          sayProblem(problem);
        }
      },
    },
    icon("trash"),
    "Clear what the browser keeps for this origin",
  );
}

/** Parts of the time as bars below each other. @param {Detail} detail */
function timing(detail) {
  const { sent_s: sent, first_byte_s: first, ended_s: ended, held_s: held } = detail.times;
  const end = ended ?? Math.max(now() - detail.started_at, first ?? 0, sent ?? 0);
  const sentAt = Math.min(sent ?? (first === null ? end : 0), end);
  const firstAt = Math.max(sentAt, Math.min(first ?? end, end));
  const heldFor = Math.min(held ?? 0, sentAt);
  /** @type {[string, string, number, number][]} */
  const parts = [
    ["held", "Held for its server", 0, heldFor],
    ["dial", "For a connection", heldFor, sentAt],
    ["wait", "For the answer", sentAt, firstAt],
    ["load", detail.tunnel ? "Open" : "Transfer", firstAt, end],
  ];
  const total = Math.max(end, 1e-6);
  return h(
    "div",
    { class: "timing", role: "list" },
    parts
      .filter(([name, , from, to]) => name !== "held" || to > from)
      .map(([name, label, from, to]) => {
        const bar = h("i", { class: name });
        bar.style.left = `${(from / total) * 100}%`;
        bar.style.width = `${(Math.max(0, to - from) / total) * 100}%`;
        return h(
          "div",
          { role: "listitem" },
          h("span", null, label),
          h("span", { class: "track" }, bar),
          h("span", { class: "number" }, duration(Math.max(0, to - from))),
        );
      }),
    h(
      "div",
      { role: "listitem", class: "total" },
      h("span", null, ended === null ? "So far" : "In all"),
      h("span", { class: "track" }),
      h("span", { class: "number" }, duration(end)),
    ),
  );
}

/**
 * @param {Detail} detail
 * @param {(id: number) => void} open
 */
function facts(detail, open) {
  /** @type {[string, import("../lib/dom.js").Child][]} */
  const all = [
    ["URL", `${detail.scheme}://${detail.host}${detail.target}`],
    ["State", detail.state === "done" ? (OUTCOMES[detail.outcome ?? ""] ?? detail.outcome) : STATES[detail.state]],
    ["Began", clock(detail.started_at)],
    ["Protocol", `HTTP/${detail.http}${detail.scheme === "https" ? " over TLS" : ""}`],
    [
      "Kind",
      [detail.kind, detail.destination === "empty" ? "" : detail.destination]
        .filter((part, at, both) => part && both.indexOf(part) === at)
        .join(", "),
    ],
    ["Type", detail.type],
    ["Sent", detail.tunnel ? null : size(detail.request_bytes)],
    ["Received", detail.tunnel ? null : size(bytesOf(detail))],
    ["Tunnel", detail.tunnel ? tunnel(detail.tunnel) : null],
    [
      "Socket.IO session",
      detail.session === null
        ? null
        : h("a", { href: `#/sockets/${encodeURIComponent(detail.session)}` }, detail.session),
    ],
    [
      "Sent again from",
      detail.replay_of === null
        ? null
        : h(
            "button",
            { type: "button", class: "link", onclick: () => open(/** @type {number} */ (detail.replay_of)) },
            `request ${detail.replay_of}`,
          ),
    ],
  ];
  return h(
    "dl",
    { class: "facts" },
    all
      .filter(([, value]) => value !== null && value !== "")
      .map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))),
  );
}

/** @param {import("../types.js").Tunnel} tunnel */
function tunnel(tunnel) {
  const parts = [tunnel.protocol, `↑ ${size(tunnel.sent_bytes)}`, `↓ ${size(tunnel.received_bytes)}`];
  if (tunnel.messages !== null) parts.push(count(tunnel.messages, "message"));
  if (tunnel.closed_by !== null)
    parts.push(`closed by the ${tunnel.closed_by}${tunnel.close_code === null ? "" : ` with ${tunnel.close_code}`}`);
  return parts.join("  ·  ");
}
