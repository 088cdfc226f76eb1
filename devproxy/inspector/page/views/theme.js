/** Light, dark, or as the system says: the button goes round. `theme.js` beside index.html applies it before the first paint. */

import { say } from "../lib/copy.js";
import { the } from "../lib/dom.js";

const NAME = "devproxy-theme";
/** @type {{[from: string]: string}} */
const NEXT = { "": "light", light: "dark", dark: "" };

export function listenToTheme() {
  the("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const theme = NEXT[root.dataset.theme ?? ""] ?? "";
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    try {
      if (theme) localStorage.setItem(NAME, theme);
      else localStorage.removeItem(NAME);
    } catch {
      // storage is off: it lasts as long as this document
    }
    say(theme ? `The page is ${theme}.` : "The page follows the system.");
  });
}
