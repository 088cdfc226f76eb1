/** The line between the list and the detail, moved by pointer or arrow keys. */

import { the } from "../lib/dom.js";

const LEAST = 25;
const MOST = 80;

export function listenToSplitter() {
  const splitter = the("splitter");
  const view = the("view-requests");
  let width = 52;
  const use = (/** @type {number} */ wanted) => {
    width = Math.min(MOST, Math.max(LEAST, wanted));
    view.style.setProperty("--detail", `${width}%`);
    splitter.setAttribute("aria-valuenow", String(Math.round(width)));
  };
  splitter.addEventListener("pointerdown", (event) => {
    splitter.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  splitter.addEventListener("pointermove", (event) => {
    if (!splitter.hasPointerCapture(event.pointerId)) return;
    const box = view.getBoundingClientRect();
    use(((box.right - event.clientX) / box.width) * 100);
  });
  splitter.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: 4, ArrowRight: -4 }[event.key];
    if (step === undefined) return;
    use(width + step);
    event.preventDefault();
  });
}
