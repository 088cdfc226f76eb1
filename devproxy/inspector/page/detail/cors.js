/** What a browser does with the answer: with devproxy, without it, why, and what to paste. */

import { copy } from "../lib/copy.js";
import { h, icon } from "../lib/dom.js";

/** @typedef {import("../types.js").Reading} Reading */

/** @param {import("../types.js").Detail} detail */
export function cors(detail) {
  const { verdict } = detail;
  if (verdict === null) {
    const what = !detail.origin
      ? "The request has no Origin: a browser asks nothing of its answer."
      : "CORS has no part in this exchange, or its headers were not kept.";
    return [h("p", { class: "nothing" }, what)];
  }
  return [
    h(
      "p",
      { class: "asked" },
      "A page of ",
      h("code", null, verdict.origin),
      ` asked ${verdict.with_credentials ? "with" : "without"} credentials.`,
    ),
    h(
      "div",
      { class: "verdicts" },
      side("Through devproxy", verdict.through),
      side("Without devproxy", verdict.without),
    ),
    verdict.console
      ? [
          h(
            "div",
            { class: "part-head" },
            h("h3", null, "The browser's console"),
            h("span", { class: "right" }, copier(verdict.console, "the message")),
          ),
          h("pre", { class: "console" }, verdict.console),
        ]
      : null,
    verdict.fixes.length ? h("h3", null, "To paste") : null,
    verdict.fixes.map((fix) =>
      h(
        "section",
        { class: "fix" },
        h(
          "div",
          { class: "part-head" },
          h("h4", null, fix.for),
          h("span", { class: "soft" }, fix.language),
          h("span", { class: "right" }, copier(fix.code, `the fix for ${fix.for}`)),
        ),
        h("pre", { class: "text", tabindex: "0", "aria-label": `fix for ${fix.for}` }, fix.code),
      ),
    ),
  ];
}

/**
 * @param {string} title
 * @param {Reading|null} reading
 */
function side(title, reading) {
  if (reading === null)
    return h(
      "div",
      { class: "verdict" },
      h("h3", null, title),
      h("p", { class: "soft" }, "There was no answer to judge."),
    );
  const tone = reading.is_blocked ? "bad" : "good";
  return h(
    "div",
    { class: `verdict ${tone}` },
    h(
      "h3",
      null,
      icon(reading.is_blocked ? "blocked" : "check"),
      title,
      ": ",
      reading.is_blocked ? "blocked" : "allowed",
    ),
    reading.text ? h("p", null, reading.text) : null,
    reading.what ? h("p", null, reading.what) : null,
    reading.fix ? h("p", null, reading.fix) : null,
    reading.step ? h("p", { class: "soft" }, reading.step) : null,
  );
}

/**
 * @param {string} text
 * @param {string} what
 */
function copier(text, what) {
  return h(
    "button",
    { type: "button", class: "tool small", "aria-label": `Copy ${what}`, onclick: () => copy(text, what) },
    icon("copy"),
    "Copy",
  );
}
