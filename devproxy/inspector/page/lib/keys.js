/** Keys that work anywhere on the page; those of the list are in list/requests.js. */

import { the, typed } from "./dom.js";

/**
 * @param {object} parts
 * @param {import("../list/requests.js").Requests} parts.requests
 * @param {import("../detail/detail.js").DetailPanel} parts.detail
 * @param {() => void} parts.close  closes the detail
 */
export function listenToKeys({ requests, detail, close }) {
  const help = typed("help", HTMLDialogElement);
  const filter = typed("filter-text", HTMLInputElement);
  const grid = the("grid");
  /** @type {{[key: string]: () => void}} */
  const actions = {
    "/": () => goTo("requests", () => filter.select()),
    "?": () => help.showModal(),
    1: () => goTo("requests", () => grid.focus()),
    2: () => goTo("sockets", () => the("view-sockets").focus()),
    3: () => goTo("routes", () => the("view-routes").focus()),
    p: () => requests.pause(),
    x: () => requests.clear(),
    c: () => void detail.copyAs("curl"),
    r: () => void detail.sendAgain(),
    e: () => void detail.edit(),
  };
  the("help-open").addEventListener("click", () => help.showModal());

  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key === "Escape") {
      escape(target);
      return;
    }
    if (target.matches("input:not([type=checkbox]), textarea, select")) {
      if (target === filter && (event.key === "Enter" || event.key === "ArrowDown")) {
        grid.focus();
        event.preventDefault();
      }
      return;
    }
    const action = actions[event.key];
    if (action) {
      event.preventDefault();
      action();
    } else if (
      target === document.body &&
      ["ArrowDown", "ArrowUp", "j", "k", "Home", "End", "Enter"].includes(event.key)
    ) {
      grid.focus();
      grid.dispatchEvent(new KeyboardEvent("keydown", { key: event.key }));
      event.preventDefault();
    }
  });

  /** One step out: of the filter, of the detail into the list, of the detail altogether. @param {HTMLElement} target */
  function escape(target) {
    if (target === filter && filter.value) {
      requests.clearFilters();
    } else if (target === filter) {
      grid.focus();
    } else if (target.matches("input, select, textarea")) {
      target.blur();
    } else if (the("detail").contains(target) && getComputedStyle(the("splitter")).display !== "none") {
      grid.focus();
    } else if (detail.id !== null) {
      close();
    }
  }
}

/**
 * @param {string} view
 * @param {() => void} then
 */
function goTo(view, then) {
  if (!the(`view-${view}`).hidden) {
    then();
    return;
  }
  addEventListener("hashchange", () => setTimeout(then), { once: true });
  location.hash = `#/${view}`;
}
