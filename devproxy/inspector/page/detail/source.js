/** Where a rule is written: a link to its line in the view of routes. */

import { h } from "../lib/dom.js";

/**
 * @param {import("../types.js").Source|null} source
 * @returns {HTMLElement|null}
 */
export function sourceLink(source) {
  if (source === null) return null;
  if (source.line === null) return h("code", { class: "source", title: source.key }, `${source.file}: ${source.key}`);
  const name = source.file.split(/[\\/]/).pop() ?? source.file;
  return h(
    "a",
    {
      class: "source",
      href: `#/routes/line/${source.line}`,
      title: `${source.file}, line ${source.line}: ${source.key}`,
    },
    `${name}:${source.line}`,
  );
}
