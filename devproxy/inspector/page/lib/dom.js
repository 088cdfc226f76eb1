/** Elements made of plain values. Text is always set as text: no string ever becomes markup. */

/** @typedef {Node|string|number|null|undefined|false} Child */
/** @typedef {Child|Children[]} Children */
/** @typedef {{[name: string]: unknown}} Properties  attributes; `on…` are listeners, true is an empty attribute */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with attributes, listeners and children; what is null, undefined or false is left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties|null} [properties]
 * @param {...Children} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else {
      if (name === "href" && !String(value).startsWith("#")) throw new Error(`a link leads out of the page: ${value}`);
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

/**
 * @param {Node} parent
 * @param {Children[]} children
 */
function append(parent, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(parent, child);
    else parent.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/**
 * Put `children` in place of what an element has.
 * @param {Element} element
 * @param {...Children} children
 */
export function fill(element, ...children) {
  element.textContent = "";
  append(element, children);
}

/**
 * The element of index.html with this id; throws where there is none.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function the(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`index.html has no #${id}`);
  return element;
}

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function typed(id, type) {
  const element = the(id);
  if (!(element instanceof type)) throw new Error(`#${id} is not a ${type.name}`);
  return element;
}

/**
 * Set the text of an element only where it is another.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string|null} value  null: without the attribute
 */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

/**
 * Whether a person is busy with what is in an element: has the focus in it, or selects text to copy it.
 * @param {Element} element
 */
export function isInUse(element) {
  const selection = getSelection();
  const selects = selection !== null && !selection.isCollapsed && element.contains(selection.anchorNode);
  return selects || element.contains(document.activeElement);
}

/** Paths of the icons, on a grid of 16, drawn with the colour of the text. */
const ICONS = {
  alert: "M8 2.2 14.4 13.4H1.6zM8 6.4v3.2M8 11.4v.4",
  blocked: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM3.8 3.8l8.4 8.4",
  check: "M3 8.5 6.5 12 13 4.5",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  down: "M8 2.5v11M3.5 9 8 13.5 12.5 9",
  download: "M8 2.5v7.5M4.5 7 8 10.5 11.5 7M2.5 13.5h11",
  edit: "M2.5 13.5 3.3 10.4 10.8 2.9l2.3 2.3-7.5 7.5z",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 6a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  filter: "M2 3.5h12L9.5 8.6v4.6l-3-1.6v-3z",
  info: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 7.2v3.6M8 5v.3",
  pause: "M5 3v10M11 3v10",
  play: "M4.5 3v10l8-5z",
  record: "M8 3.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9z",
  replay: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
  right: "M6 3.5 10.5 8 6 12.5",
  theme: "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12",
  trash: "M2.5 4h11M6 4V2.5h4V4M4 4l.7 9.5h6.6L12 4",
  up: "M8 13.5v-11M3.5 7 8 2.5 12.5 7",
};

/**
 * @param {keyof typeof ICONS} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.appendChild(path);
  return svg;
}

/** Draw the icons that index.html names with `data-icon`. */
export function drawIcons() {
  for (const place of document.querySelectorAll("[data-icon]")) {
    place.prepend(icon(/** @type {keyof typeof ICONS} */ (place.getAttribute("data-icon"))));
  }
}
