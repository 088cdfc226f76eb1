/** The heads as they came and as they went on: what devproxy changed is marked and says by which rule. */

import { copy } from "../lib/copy.js";
import { h, icon } from "../lib/dom.js";
import { sourceLink } from "./source.js";

/** @typedef {import("../types.js").Change} Change */
/** @typedef {import("../types.js").Head} Head */
/** @typedef {import("../types.js").Side} Side */
/** @typedef {"same"|"added"|"removed"|"changed"} Kind */
/** @typedef {{kind: Kind, name: string|null, before: string|null, after: string|null, change: Change|null}} Line */

/** @param {import("../types.js").Detail} detail */
export function headers(detail) {
  return [
    part("Request", "as the client sent it", "as the server got it", detail.request),
    part("Response", "as the server sent it", "as the client got it", detail.response),
    detail.interim.map(({ received, sent }, at) =>
      part(`Interim response ${at + 1}`, "as the server sent it", "as the client got it", {
        received,
        sent,
        changes: null,
        body: null,
      }),
    ),
  ];
}

/**
 * @param {string} title
 * @param {string} first
 * @param {string} second
 * @param {Side} side
 */
function part(title, first, second, side) {
  const { received, sent } = side;
  if (received === null && sent === null) {
    return h(
      "section",
      { class: "head-part" },
      h("h3", null, title),
      h(
        "p",
        { class: "nothing" },
        "Its headers were not kept. They are while this page is open, or with [inspector] capture = true.",
      ),
    );
  }
  const lines =
    received && sent ? compare(received, sent, side.changes ?? []) : plain(/** @type {Head} */ (received ?? sent));
  const changed = lines.filter((line) => line.kind !== "same").length;
  const note =
    received && sent
      ? changed
        ? `${changed} of ${lines.length} changed`
        : "passed on unchanged"
      : received
        ? `${first}; it went no further`
        : `${second}; devproxy wrote it`;
  const whole = (/** @type {Head} */ head) =>
    `${[head.start, ...head.fields.map(([name, value]) => `${name}: ${value}`)].join("\n")}\n`;
  const copier = (/** @type {Head|null} */ head, /** @type {string} */ label) =>
    head &&
    h(
      "button",
      {
        type: "button",
        class: "tool small",
        title: `Copy ${label}`,
        onclick: () => copy(whole(head), `the headers ${label}`),
      },
      icon("copy"),
      label,
    );
  return h(
    "section",
    { class: "head-part" },
    h(
      "div",
      { class: "part-head" },
      h("h3", null, title),
      h("span", { class: "soft" }, note),
      h("span", { class: "right" }, copier(received, first), copier(sent, second)),
    ),
    h("div", { class: "diff", role: "table", "aria-label": `${title} headers` }, lines.map(lineOf)),
  );
}

/** @param {Line} line */
function lineOf({ kind, name, before, after, change }) {
  const sign = { same: "", added: "+", removed: "−", changed: "~" }[kind];
  const cells = [
    h("span", { class: "sign", role: "cell", "aria-label": kind }, sign),
    h("span", { class: "name", role: "cell" }, name ?? ""),
  ];
  const values =
    kind === "changed"
      ? h("span", { class: "value", role: "cell" }, h("del", null, before), h("ins", null, after))
      : h("span", { class: "value", role: "cell" }, kind === "removed" ? h("del", null, before) : (after ?? before));
  const why = change && h("span", { class: "why", role: "cell" }, change.why || change.rule, sourceLink(change.source));
  return h("div", { class: `line ${kind}${name === null ? " start" : ""}`, role: "row" }, cells, values, why);
}

/**
 * @param {Head} head
 * @returns {Line[]}
 */
function plain(head) {
  const line = (/** @type {string|null} */ name, /** @type {string} */ value) => ({
    kind: /** @type {Kind} */ ("same"),
    name,
    before: value,
    after: value,
    change: null,
  });
  return [line(null, head.start), ...head.fields.map(([name, value]) => line(name, value))];
}

/**
 * The lines of both heads in one list. Fields that are in both are matched by name and value; what is left was changed,
 * removed or added, and takes its reason from `changes`.
 * @param {Head} received
 * @param {Head} sent
 * @param {Change[]} changes
 * @returns {Line[]}
 */
export function compare(received, sent, changes) {
  const left = new Set(changes);
  const take = (
    /** @type {string|null} */ name,
    /** @type {string|null} */ before,
    /** @type {string|null} */ after,
  ) => {
    for (const change of left) {
      if (change.name?.toLowerCase() !== name?.toLowerCase()) continue;
      if ((before === null || change.before === before) && (after === null || change.after === after)) {
        left.delete(change);
        return change;
      }
    }
    return null;
  };
  /** @type {Line[]} */
  const lines = [
    {
      kind: received.start === sent.start ? "same" : "changed",
      name: null,
      before: received.start,
      after: sent.start,
      change: received.start === sent.start ? null : take(null, null, null),
    },
  ];
  const rest = new Map(sent.fields.map((field, at) => [at, field]));
  const find = (/** @type {string} */ name, /** @type {string|null} */ value) => {
    for (const [at, [other, its]] of rest) {
      if (other.toLowerCase() === name.toLowerCase() && (value === null || its === value)) return at;
    }
    return null;
  };
  const matched = received.fields.map(([name, value]) => {
    const at = find(name, value);
    if (at !== null) rest.delete(at);
    return at;
  });
  received.fields.forEach(([name, before], index) => {
    if (matched[index] !== null) {
      lines.push({ kind: "same", name, before, after: before, change: null });
      return;
    }
    const at = find(name, null);
    if (at === null) {
      lines.push({
        kind: "removed",
        name,
        before,
        after: null,
        change: take(name, before, null) ?? take(name, null, null),
      });
      return;
    }
    const after = rest.get(at)?.[1] ?? "";
    rest.delete(at);
    lines.push({
      kind: "changed",
      name,
      before,
      after,
      change: take(name, before, after) ?? take(name, null, after) ?? take(name, null, null),
    });
  });
  for (const [name, after] of rest.values()) {
    lines.push({ kind: "added", name, before: null, after, change: take(name, null, after) ?? take(name, null, null) });
  }
  return lines;
}
