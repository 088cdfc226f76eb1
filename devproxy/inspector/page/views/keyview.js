/** What is shown where devproxy wants the key and the page has none. */

import { fill, h, the } from "../lib/dom.js";
import { keyIn, useKey } from "../lib/key.js";

/**
 * @param {string} why  the API's own words
 * @param {() => void} retry
 */
export function askForKey(why, retry) {
  const field = h("input", {
    type: "password",
    autocomplete: "off",
    "aria-label": "Key or link",
    placeholder: "http://localhost:8080/__devproxy/#key=…",
    class: "grow",
  });
  fill(
    the("view-key"),
    h(
      "form",
      {
        class: "key-form",
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          useKey(keyIn(field.value));
          retry();
        },
      },
      h("h2", null, "This page needs its key"),
      h("p", null, why),
      h(
        "p",
        { class: "soft" },
        "The link in the terminal in which devproxy runs has it. Open that link, or paste it here. It is another one after each start.",
      ),
      h("div", { class: "start-line" }, field, h("button", { class: "primary" }, "Open")),
    ),
  );
  field.focus();
}
