/** The bodies, each shown in the way that suits it: a JSON tree, text, a picture, a form, packets or bytes. */

import { address, ask } from "../lib/api.js";
import { copy, save, sayProblem } from "../lib/copy.js";
import { fill, h, icon } from "../lib/dom.js";
import { size } from "../lib/format.js";
import { hexDump, MAX_BYTES } from "./hex.js";
import { tree } from "./tree.js";

/** @typedef {import("../types.js").Body} Body */
/** @typedef {import("../types.js").Detail} Detail */

/** What the switch offers for each `view`, the best first. @type {{[view: string]: string[]}} */
const WAYS = {
  json: ["tree", "text", "hex"],
  form: ["form", "text", "hex"],
  image: ["image", "hex"],
  text: ["text", "hex"],
  events: ["text", "hex"],
  engineio: ["text", "hex"],
  hex: ["hex", "text"],
  none: [],
};
const NAMES = /** @type {{[way: string]: string}} */ ({
  tree: "JSON",
  text: "Text",
  hex: "Hex",
  image: "Image",
  form: "Form",
});
/** So much of a text is shown: more makes the page slow. */
const MAX_TEXT = 512 * 1024;

/**
 * @param {Detail} detail
 * @param {boolean} secrets
 */
export function bodies(detail, secrets) {
  return [
    part(detail, "response", detail.response.body, secrets),
    part(detail, "request", detail.request.body, secrets),
  ];
}

/**
 * @param {Detail} detail
 * @param {"request"|"response"} side
 * @param {Body|null} body
 * @param {boolean} secrets
 */
function part(detail, side, body, secrets) {
  const title = side === "request" ? "Request" : "Response";
  if (body === null || body.kept_bytes === 0) {
    return h(
      "section",
      { class: "body-part" },
      h("div", { class: "part-head" }, h("h3", null, title), h("span", { class: "soft" }, why(detail, side, body))),
    );
  }
  const place = h("div", { class: "body-place" }, h("p", { class: "soft" }, "…"));
  const ways = WAYS[body.view]?.length ? /** @type {string[]} */ (WAYS[body.view]) : ["hex", "text"];
  const note = [
    body.type,
    size(body.bytes ?? body.kept_bytes),
    body.encoding,
    body.is_complete ? "" : `the first ${size(body.kept_bytes)} kept`,
  ]
    .filter(Boolean)
    .join("  ·  ");
  /** @type {Promise<Loaded>|null} */
  let loading = null;
  const load = () => (loading ??= loadBody(detail.id, side, body, secrets));
  const buttons = ways.map((way) =>
    h("button", { type: "button", "aria-pressed": "false", onclick: () => turn(way) }, NAMES[way] ?? way),
  );
  const turn = async (/** @type {string} */ way) => {
    ways.forEach((each, at) => buttons[at]?.setAttribute("aria-pressed", String(each === way)));
    try {
      const loaded = await load();
      fill(place, loaded.note ? h("p", { class: "soft" }, loaded.note) : null, show(way, loaded, body));
    } catch (problem) {
      loading = null;
      fill(place, h("p", { class: "nothing" }, problem instanceof Error ? problem.message : String(problem)));
    }
  };
  void turn(/** @type {string} */ (ways[0]));
  return h(
    "section",
    { class: "body-part" },
    h(
      "div",
      { class: "part-head" },
      h("h3", null, title),
      h("span", { class: "soft" }, note),
      h(
        "span",
        { class: "right" },
        h("span", { class: "segments", role: "group", "aria-label": `${title} body as` }, buttons),
        h(
          "button",
          {
            type: "button",
            class: "tool small",
            title: "Copy",
            onclick: () =>
              load()
                .then(({ text }) => copy(text, "the body"))
                .catch(sayProblem),
          },
          icon("copy"),
          "Copy",
        ),
        h(
          "button",
          {
            type: "button",
            class: "tool small",
            title: "Save to a file",
            onclick: () =>
              load()
                .then(({ blob }) => save(blob, nameOf(detail, side)))
                .catch(sayProblem),
          },
          icon("download"),
          "Save",
        ),
      ),
    ),
    place,
  );
}

/**
 * @param {Detail} detail
 * @param {"request"|"response"} side
 * @param {Body|null} body
 */
function why(detail, side, body) {
  if (body?.kept_bytes === 0 || (side === "request" ? detail.request_bytes : detail.response_bytes) === 0)
    return "no body";
  if (detail.tunnel && side === "response") return "a tunnel has messages instead of a body";
  return "Not kept: bodies are while this page is open, or with [inspector] capture = true.";
}

/** @typedef {{blob: Blob, bytes: Uint8Array, text: string, note: string}} Loaded */

/**
 * @param {number} id
 * @param {string} side
 * @param {Body} body
 * @param {boolean} secrets
 * @returns {Promise<Loaded>}
 */
async function loadBody(id, side, body, secrets) {
  const response = await ask(address(`exchanges/${id}/body/${side}`, { as: "decoded", secrets: secrets || null }));
  const bytes = new Uint8Array(await response.arrayBuffer());
  const blob = new Blob([bytes], { type: body.type ?? "application/octet-stream" });
  let text = "";
  try {
    text = new TextDecoder(body.charset ?? "utf-8").decode(bytes);
  } catch {
    text = new TextDecoder("latin1").decode(bytes);
  }
  const coded = body.encoding && response.headers.get("X-Devproxy-Decoded") === "no";
  const missing = response.headers.get("X-Devproxy-Missing");
  const remedy = missing ? ` For that, install ${missing}.` : "";
  return {
    blob,
    bytes,
    text,
    note: coded ? `Shown as it came: its ${body.encoding} coding cannot be undone here.${remedy}` : "",
  };
}

/**
 * @param {string} way
 * @param {Loaded} loaded
 * @param {Body} body
 * @returns {HTMLElement}
 */
function show(way, { blob, bytes, text }, body) {
  if (way === "image") {
    const url = URL.createObjectURL(blob);
    const picture = h("img", { alt: `the body, ${body.type}`, src: url, onload: () => URL.revokeObjectURL(url) });
    return h("div", { class: "picture" }, picture);
  }
  if (way === "tree") {
    try {
      return tree(JSON.parse(text));
    } catch {
      return h("div", null, h("p", { class: "soft" }, "Not valid JSON, or not all of it was kept."), textBlock(text));
    }
  }
  if (way === "form") {
    return h(
      "dl",
      { class: "facts" },
      [...new URLSearchParams(text)].map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))),
    );
  }
  if (way === "hex") {
    const rest =
      bytes.length > MAX_BYTES
        ? h("p", { class: "soft" }, `The first ${size(MAX_BYTES)} of ${size(bytes.length)}.`)
        : null;
    return h("div", null, h("pre", { class: "hex", tabindex: "0", "aria-label": "bytes" }, hexDump(bytes)), rest);
  }
  return textBlock(text);
}

/** @param {string} text */
export function textBlock(text) {
  const rest =
    text.length > MAX_TEXT
      ? h("p", { class: "soft" }, `The first ${size(MAX_TEXT)} of ${size(text.length)}: Save has all of it.`)
      : null;
  return h(
    "div",
    null,
    h("pre", { class: "text", tabindex: "0", "aria-label": "text" }, text.slice(0, MAX_TEXT)),
    rest,
  );
}

/**
 * @param {Detail} detail
 * @param {string} side
 */
function nameOf(detail, side) {
  const last = detail.target
    .split("?")[0]
    ?.split("/")
    .pop()
    ?.replace(/[^\w.-]/g, "_");
  return side === "response" && last ? last : `${side}-${detail.id}`;
}
