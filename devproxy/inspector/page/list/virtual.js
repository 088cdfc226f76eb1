/**
 * A list of any length of which only what is in view exists: rows of one height, used again as the list is scrolled.
 * @template Item
 */
export class VirtualList {
  /** @type {Item[]} */
  items = [];
  /** Whether it stays at the end when something is added there. */
  follows = true;
  /** @type {Map<number, HTMLElement>} */
  #shown = new Map();
  /** @type {HTMLElement[]} */
  #spare = [];
  #isDue = false;
  #rowHeight = 28;
  #height = 0;

  /**
   * @param {object} options
   * @param {HTMLElement} options.viewport  scrolls
   * @param {HTMLElement} options.canvas  within it; gets the height of all rows
   * @param {() => HTMLElement} options.create
   * @param {(element: HTMLElement, item: Item, index: number) => void} options.update
   */
  constructor({ viewport, canvas, create, update }) {
    this.viewport = viewport;
    this.canvas = canvas;
    this.create = create;
    this.update = update;
    viewport.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(viewport);
  }

  /** @param {Item[]} items */
  show(items) {
    this.items = items;
    this.refresh();
  }

  /** Draw again what is in view, at the next frame. */
  refresh() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  /** Rows that fit into view. */
  get page() {
    return Math.max(1, Math.floor(this.#height / this.#rowHeight) - 1);
  }

  /**
   * Scroll as little as is needed for a row to be in view.
   * @param {number} index
   */
  reveal(index) {
    const top = index * this.#rowHeight;
    const { scrollTop } = this.viewport;
    const height = this.viewport.clientHeight - this.#above;
    if (top < scrollTop) this.viewport.scrollTop = top;
    else if (top + this.#rowHeight > scrollTop + height) this.viewport.scrollTop = top + this.#rowHeight - height;
    this.refresh();
  }

  /** Go to the end, and stay there. */
  toEnd() {
    this.follows = true;
    this.refresh();
  }

  /** What is above the canvas within the viewport: a heading that stays. */
  get #above() {
    return this.canvas.offsetTop;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.viewport;
    this.follows = scrollTop + clientHeight >= scrollHeight - 4;
    this.refresh();
  }

  #resized() {
    this.#height = this.viewport.clientHeight - this.#above;
    const wanted = Number.parseFloat(getComputedStyle(this.canvas).getPropertyValue("--row"));
    if (wanted > 0 && wanted !== this.#rowHeight) {
      this.#rowHeight = wanted;
      for (const [index, element] of this.#shown) this.#place(element, index);
    }
    this.refresh();
  }

  /**
   * @param {HTMLElement} element
   * @param {number} index
   */
  #place(element, index) {
    element.style.transform = `translateY(${index * this.#rowHeight}px)`;
  }

  #draw() {
    const total = this.items.length * this.#rowHeight;
    this.canvas.style.height = `${total}px`;
    if (this.follows) this.viewport.scrollTop = total;
    const top = this.viewport.scrollTop;
    const first = Math.max(0, Math.floor(top / this.#rowHeight) - 3);
    const last = Math.min(this.items.length, Math.ceil((top + this.#height) / this.#rowHeight) + 3);
    for (const [index, element] of this.#shown) {
      if (index >= first && index < last) continue;
      this.#shown.delete(index);
      this.#spare.push(element);
    }
    for (let index = first; index < last; index++) {
      let element = this.#shown.get(index);
      if (element === undefined) {
        element = this.#spare.pop() ?? this.canvas.appendChild(this.create());
        element.hidden = false;
        this.#place(element, index);
        this.#shown.set(index, element);
      }
      this.update(element, /** @type {Item} */ (this.items[index]), index);
    }
    for (const element of this.#spare) {
      element.hidden = true;
      element.removeAttribute("id"); // no two elements have the same
    }
  }
}
