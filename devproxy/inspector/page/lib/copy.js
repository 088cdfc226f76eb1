/** Text to the clipboard, files to the disk, and the short notes that say so. */

import { the } from "./dom.js";

/** @type {ReturnType<typeof setTimeout>|undefined} */
let hiding;

/**
 * A short note at the bottom of the page, which screen readers speak.
 * @param {string} text
 * @param {"good"|"bad"} [tone]
 */
export function say(text, tone = "good") {
  const note = the("note");
  note.textContent = text;
  note.dataset.tone = tone;
  note.classList.add("is-shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => note.classList.remove("is-shown"), tone === "bad" ? 8000 : 2500);
}

/**
 * Say what went wrong with what the person asked for.
 * @param {unknown} problem
 */
export function sayProblem(problem) {
  const help = problem instanceof Error && "help" in problem ? ` ${problem.help}` : "";
  say(`${problem instanceof Error ? problem.message : problem}${help}`, "bad");
}

/**
 * Copy a text. In plain HTTP from another computer there is no clipboard but that of `execCommand`.
 * @param {string} text
 * @param {string} what  how the note names it
 */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.setAttribute("aria-label", "text to copy");
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) {
      say(`The browser does not allow copying ${what} here.`, "bad");
      return;
    }
  }
  say(`Copied ${what}.`);
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
