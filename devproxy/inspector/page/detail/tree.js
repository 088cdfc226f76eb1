/** A JSON value as a tree that opens and closes. What is closed is not built. */

import { h } from "../lib/dom.js";

/** So many members of an array or object are shown at once. */
const PAGE = 200;
const DEEPEST_OPEN = 3;

/**
 * @param {unknown} value
 * @returns {HTMLElement}
 */
export function tree(value) {
  return h("div", { class: "tree" }, node(null, value, 0));
}

/**
 * @param {string|null} name
 * @param {unknown} value
 * @param {number} depth
 * @returns {HTMLElement}
 */
function node(name, value, depth) {
  const label = name === null ? null : [h("span", { class: "key" }, name), ": "];
  if (typeof value !== "object" || value === null) return h("div", { class: "leaf" }, label, leaf(value));
  const members = Array.isArray(value)
    ? value.map((each, at) => /** @type {[string, unknown]} */ ([String(at), each]))
    : Object.entries(value);
  const [begin, end] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (members.length === 0) return h("div", { class: "leaf" }, label, h("span", { class: "soft" }, begin + end));
  const inside = h("div", { class: "inside" });
  const details = h(
    "details",
    null,
    h("summary", null, label, h("span", { class: "soft" }, `${begin}${preview(members, Array.isArray(value))}${end}`)),
    inside,
  );
  let isBuilt = false;
  const build = () => {
    if (isBuilt || !details.open) return;
    isBuilt = true;
    grow(inside, members, depth + 1);
  };
  details.addEventListener("toggle", build);
  if (depth < DEEPEST_OPEN && members.length <= (depth === 0 ? PAGE : 20)) {
    details.open = true;
    build();
  }
  return details;
}

/**
 * @param {HTMLElement} inside
 * @param {[string, unknown][]} members
 * @param {number} depth
 */
function grow(inside, members, depth) {
  const shown = members.slice(0, PAGE);
  inside.append(...shown.map(([name, value]) => node(name, value, depth)));
  const rest = members.slice(PAGE);
  if (rest.length === 0) return;
  const more = h(
    "button",
    {
      type: "button",
      class: "link",
      onclick: () => {
        more.remove();
        grow(inside, rest, depth);
      },
    },
    `${rest.length} more`,
  );
  inside.append(more);
}

/** @param {unknown} value */
function leaf(value) {
  return h(
    "span",
    { class: value === null ? "null" : typeof value },
    typeof value === "string" ? JSON.stringify(value) : String(value),
  );
}

/**
 * @param {[string, unknown][]} members
 * @param {boolean} isArray
 */
function preview(members, isArray) {
  if (isArray) return ` ${members.length} `;
  const names = members
    .slice(0, 4)
    .map(([name]) => name)
    .join(", ");
  return ` ${names.slice(0, 60)}${members.length > 4 || names.length > 60 ? ", …" : ""} `;
}
