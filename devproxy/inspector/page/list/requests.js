/** The view of requests: its filters, the list, what is selected, and its keys. */

import { post } from "../lib/api.js";
import { sayProblem } from "../lib/copy.js";
import { fill, h, setAttribute, setText, the, typed } from "../lib/dom.js";
import { count, now, size } from "../lib/format.js";
import { entriesOf } from "./entries.js";
import { compile, EVERYTHING } from "./filter.js";
import { bytesOf, RowView } from "./row.js";
import { VirtualList } from "./virtual.js";

/** @typedef {import("./entries.js").Entry} Entry */
/** @typedef {import("../types.js").Row} Row */

/** @type {WeakMap<HTMLElement, RowView>} */
const views = new WeakMap();

export class Requests {
  /** @type {Entry[]} */
  entries = [];
  /** @type {number|null} the id of the selected row */
  selected = null;
  isPaused = false;
  #filter = { ...EVERYTHING };
  #matches = compile(EVERYTHING);
  /** @type {import("./entries.js").Sort} */
  #sort = { key: "started_at", isDown: false };
  /** @type {Set<number>} */
  #open = new Set();
  #isDue = false;
  /** @type {Row[]} what is shown while paused */
  #frozen = [];
  #names = "";

  /**
   * @param {import("../lib/store.js").Store} store
   * @param {(id: number|null, into?: boolean) => void} select  called when the person selects a row, or none
   */
  constructor(store, select) {
    this.store = store;
    this.select = select;
    this.grid = the("grid");
    /** @type {VirtualList<Entry>} */
    this.list = new VirtualList({
      viewport: this.grid,
      canvas: the("canvas"),
      create: () => {
        const view = new RowView();
        views.set(view.element, view);
        return view.element;
      },
      update: (element, entry, index) => views.get(element)?.update(entry, index, this.#isSelected(entry)),
    });
    store.addEventListener("rows", () => this.#changed());
    setInterval(() => this.#tick(), 200);
    this.#listenToFilters();
    this.#listenToGrid();
  }

  #listenToFilters() {
    const form = the("filters");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => this.#readFilters());
    for (const button of form.querySelectorAll("[data-kind]")) {
      button.addEventListener("click", () => {
        for (const other of form.querySelectorAll("[data-kind]"))
          setAttribute(other, "aria-pressed", String(other === button));
        this.#readFilters();
      });
    }
    const more = the("filter-more");
    more.addEventListener("click", () => {
      const isOpen = form.classList.toggle("is-open");
      more.setAttribute("aria-expanded", String(isOpen));
    });
    the("pause").addEventListener("click", () => this.pause());
    the("clear").addEventListener("click", () => this.clear());
    the("to-end").addEventListener("click", () => this.list.toEnd());
  }

  #readFilters() {
    const value = (/** @type {string} */ id) => typed(id, HTMLSelectElement).value;
    const checked = (/** @type {string} */ id) => typed(id, HTMLInputElement).checked;
    this.#filter = {
      text: typed("filter-text", HTMLInputElement).value,
      status: value("filter-status"),
      route: value("filter-route"),
      upstream: value("filter-upstream"),
      kind: the("filters").querySelector("[data-kind][aria-pressed=true]")?.getAttribute("data-kind") ?? "",
      onlyProblems: checked("only-problems"),
      hidePolls: checked("hide-polls"),
    };
    this.#matches = compile(this.#filter);
    this.#changed();
  }

  /** Show everything again. */
  clearFilters() {
    typed("filter-text", HTMLInputElement).value = "";
    for (const id of ["filter-status", "filter-route", "filter-upstream"]) typed(id, HTMLSelectElement).value = "";
    for (const id of ["only-problems", "hide-polls"]) typed(id, HTMLInputElement).checked = false;
    for (const button of the("filters").querySelectorAll("[data-kind]")) {
      setAttribute(button, "aria-pressed", String(button.getAttribute("data-kind") === ""));
    }
    this.#readFilters();
  }

  #listenToGrid() {
    the("canvas").addEventListener("click", (event) => {
      const target = /** @type {Element} */ (event.target);
      const entry = views.get(/** @type {HTMLElement} */ (target.closest(".row")))?.entry;
      if (!entry) return;
      if (target.closest(".fold") && entry.members.length > 1) this.#toggle(entry);
      else this.select(entry.row.id);
    });
    for (const heading of the("columns").children) heading.addEventListener("click", () => this.#sortBy(heading));
    this.grid.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {Element} heading */
  #sortBy(heading) {
    const key = /** @type {import("./entries.js").SortKey} */ (heading.getAttribute("data-sort"));
    this.#sort = { key, isDown: this.#sort.key === key && !this.#sort.isDown };
    for (const other of the("columns").children) {
      setAttribute(other, "aria-sort", other === heading ? (this.#sort.isDown ? "descending" : "ascending") : null);
    }
    this.list.follows = false;
    this.#changed();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.#position();
    const entry = this.entries[at];
    const steps = /** @type {{[key: string]: number}} */ ({
      ArrowDown: 1,
      j: 1,
      ArrowUp: -1,
      k: -1,
      PageDown: this.list.page,
      PageUp: -this.list.page,
      Home: -Infinity,
      End: Infinity,
    });
    const step = steps[event.key];
    if (step !== undefined) this.#move(at, step);
    else if (event.key === "Enter" || event.key === " ")
      this.select(entry?.row.id ?? this.entries.at(-1)?.row.id ?? null, true);
    else if (entry && event.key === "ArrowRight" && entry.members.length > 1 && !entry.isOpen) this.#toggle(entry);
    else if (entry && event.key === "ArrowLeft" && entry.isOpen) this.#toggle(entry);
    else return;
    event.preventDefault();
  }

  /**
   * @param {number} at
   * @param {number} step
   */
  #move(at, step) {
    if (this.entries.length === 0) return;
    const from = at >= 0 ? at : step > 0 ? -1 : this.entries.length;
    const to = Math.min(this.entries.length - 1, Math.max(0, from + step));
    const entry = this.entries[to];
    if (step === Infinity) this.list.toEnd();
    else this.list.follows = false;
    this.select(entry?.row.id ?? null);
    this.list.reveal(to);
  }

  /** @param {Entry} entry */
  #toggle(entry) {
    const id = /** @type {Row} */ (entry.members[0]).id;
    if (!this.#open.delete(id)) this.#open.add(id);
    this.list.follows = false;
    this.#changed();
  }

  /** @param {Entry} entry */
  #isSelected(entry) {
    if (this.selected === null) return false;
    if (entry.isOpen) return false;
    return (
      entry.row.id === this.selected ||
      (entry.members.length > 1 && entry.members.some((row) => row.id === this.selected))
    );
  }

  #position() {
    return this.selected === null ? -1 : this.entries.findIndex((entry) => this.#isSelected(entry));
  }

  /** @param {number|null} id */
  show(id) {
    this.selected = id;
    const at = this.#position();
    if (at >= 0) this.list.reveal(at);
    this.#pointAt(at);
    this.list.refresh();
  }

  /** @param {number} at */
  #pointAt(at) {
    setAttribute(this.grid, "aria-activedescendant", at >= 0 ? `row-${at}` : null);
  }

  pause() {
    this.isPaused = !this.isPaused;
    this.#frozen = this.isPaused ? [...this.store.rows] : [];
    const button = the("pause");
    setAttribute(button, "aria-pressed", String(this.isPaused));
    setText(/** @type {Node} */ (button.querySelector("span")), this.isPaused ? "Go on" : "Pause");
    this.#changed();
  }

  /** Forget what is listed; with the key, devproxy forgets it too. */
  clear() {
    if (this.isPaused) this.pause();
    this.#open.clear();
    this.select(null);
    if (this.store.about?.access === "full") post("clear").catch(sayProblem);
    this.store.clearHere();
  }

  /** Ids of the rows that are listed now. */
  get listed() {
    return this.entries.flatMap((entry) => (entry.isChild ? [] : entry.members.map((row) => row.id)));
  }

  /** Whether a filter hides anything. */
  get isFiltered() {
    return Object.entries(EVERYTHING).some(([name, value]) => /** @type {any} */ (this.#filter)[name] !== value);
  }

  #changed() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw() {
    const rows = this.isPaused ? this.#frozen : this.store.rows;
    const fold = typed("fold", HTMLInputElement).checked;
    this.entries = entriesOf(rows, { matches: this.#matches, fold, open: this.#open, sort: this.#sort, now: now() });
    setAttribute(this.grid, "aria-rowcount", String(this.entries.length + 1));
    this.list.show(this.entries);
    this.#pointAt(this.#position());
    this.#sayHowMany(rows);
    this.#offerNames(rows);
  }

  /** @param {Row[]} rows */
  #sayHowMany(rows) {
    const listed = this.entries.reduce((sum, entry) => sum + (entry.isChild ? 0 : entry.members.length), 0);
    const live = rows.reduce((sum, row) => sum + (row.state === "done" ? 0 : 1), 0);
    const bad = rows.reduce((sum, row) => sum + (row.problem === null ? 0 : 1), 0);
    const bytes = rows.reduce((sum, row) => sum + (bytesOf(row) ?? 0), 0);
    const all = count(rows.length, "request");
    setText(the("foot-count"), listed === rows.length ? all : `${listed.toLocaleString("en")} of ${all}`);
    const held = this.isPaused ? `paused, ${count(this.store.rows.length - rows.length, "newer", "newer")}` : "";
    setText(
      the("foot-more"),
      [live ? `${live} running` : "", bad ? count(bad, "problem") : "", size(bytes), held]
        .filter(Boolean)
        .join("  ·  "),
    );
    setText(the("tally-requests"), rows.length ? rows.length.toLocaleString("en") : "");
    the("to-end").hidden =
      this.list.follows || this.entries.length === 0 || this.#sort.key !== "started_at" || this.#sort.isDown;
    const empty = the("empty");
    const isEmpty = this.entries.length === 0;
    if (empty.hidden === isEmpty || isEmpty) this.#sayWhyEmpty(empty, isEmpty, rows.length);
  }

  /**
   * @param {HTMLElement} empty
   * @param {boolean} isEmpty
   * @param {number} total
   */
  #sayWhyEmpty(empty, isEmpty, total) {
    empty.hidden = !isEmpty;
    const state = !isEmpty ? "" : total ? `filtered ${total}` : `none ${this.store.about?.urls[0] ?? ""}`;
    if (empty.dataset.state === state) return;
    empty.dataset.state = state;
    if (total) {
      fill(
        empty,
        h("p", null, `None of ${count(total, "request")} matches the filter.`),
        h("button", { type: "button", class: "tool", onclick: () => this.clearFilters() }, "Show all"),
      );
    } else {
      fill(
        empty,
        h("p", null, "Nothing yet."),
        h(
          "p",
          { class: "soft" },
          `Open ${this.store.about?.urls[0] ?? "your page"} and requests appear here from their beginning.`,
        ),
      );
    }
  }

  /** Offer the routes and upstreams that occur. @param {Row[]} rows */
  #offerNames(rows) {
    const routes = new Set();
    const upstreams = new Set();
    for (const row of rows) {
      if (row.route !== null) routes.add(row.route);
      if (row.upstream !== null) upstreams.add(row.upstream);
    }
    const names = JSON.stringify([[...routes].sort(), [...upstreams].sort()]);
    if (names === this.#names) return;
    this.#names = names;
    offer("filter-route", "Any route", [...routes].sort());
    offer("filter-upstream", "Any upstream", [...upstreams].sort());
  }

  /** What is not over gets longer. */
  #tick() {
    if (
      the("health").dataset.state === "live" &&
      !this.isPaused &&
      !document.hidden &&
      this.store.rows.some((row) => row.state !== "done")
    )
      this.#changed();
  }
}

/**
 * @param {string} id
 * @param {string} any
 * @param {string[]} names
 */
function offer(id, any, names) {
  const select = typed(id, HTMLSelectElement);
  const { value } = select;
  fill(
    select,
    h("option", { value: "" }, any),
    names.map((name) => h("option", { value: name }, name)),
  );
  select.value = names.includes(value) ? value : "";
}
