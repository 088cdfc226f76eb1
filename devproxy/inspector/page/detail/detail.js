/** The panel beside the list: what is known of one exchange, in tabs. */

import { get, text } from "../lib/api.js";
import { copy, sayProblem } from "../lib/copy.js";
import { fill, h, icon, setAttribute } from "../lib/dom.js";
import { statusOf } from "../list/row.js";
import { bodies } from "./body.js";
import { cors } from "./cors.js";
import { headers } from "./headers.js";
import { Messages } from "./messages.js";
import { overview } from "./overview.js";
import { sendAgain, editAndSend } from "./replay.js";
import { sessionTab } from "./session.js";

/** @typedef {import("../types.js").Detail} Detail */
/** @typedef {import("../types.js").Row} Row */
/** @typedef {"overview"|"headers"|"body"|"cors"|"messages"|"session"} TabName */

/** @type {{[name in TabName]: string}} */
const TABS = {
  overview: "Overview",
  headers: "Headers",
  body: "Body",
  cors: "CORS",
  messages: "Messages",
  session: "Session",
};

/** A body that is still coming is shown again less often: that begins at its top. @type {{[name: string]: number}} */
const LATER_MS = { body: 1500 };

/**
 * What a tab shows of a detail, as text to compare.
 * @param {Detail} detail
 * @param {TabName} tab
 */
function partOf(detail, tab) {
  const { request, response } = detail;
  if (tab === "headers")
    return JSON.stringify([request, response, detail.interim], (key, value) => (key === "body" ? 0 : value));
  if (tab === "body") return JSON.stringify([detail.id, request.body, response.body]);
  if (tab === "cors") return JSON.stringify([detail.id, detail.verdict]);
  return JSON.stringify(detail);
}

export class DetailPanel {
  /** @type {number|null} */
  id = null;
  /** @type {TabName} */
  tab = "overview";
  /** @type {Detail|null} */
  detail = null;
  secrets = false;
  #version = 0;
  #loading = 0;
  /** What is shown of the tab, as text. */
  #drawn = "";
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #due;
  /** @type {Messages|null} */
  messages = null;

  /**
   * @param {HTMLElement} root
   * @param {import("../lib/store.js").Store} store
   * @param {object} actions
   * @param {(id: number|null, tab?: TabName) => void} actions.open  show a request, or none
   * @param {(exchange: number|null) => void} actions.follow  ask the stream for the messages of an exchange
   */
  constructor(root, store, { open, follow }) {
    this.root = root;
    this.store = store;
    this.open = open;
    this.follow = follow;
    this.title = h("h2", { class: "detail-title", tabindex: "-1" });
    this.tools = h("div", { class: "tools" });
    this.tabs = h("div", { role: "tablist", class: "tabs", "aria-label": "Parts of the request" });
    this.body = h("div", { role: "tabpanel", class: "tab-body", id: "tab-body", tabindex: "0" });
    root.append(h("header", { class: "detail-head" }, this.title, this.tools), this.tabs, this.body);
    this.#makeTools();
    this.tabs.addEventListener("keydown", (event) => this.#key(event));
    store.addEventListener("rows", () => this.#changed());
  }

  #makeTools() {
    const tool = (
      /** @type {Parameters<typeof icon>[0]} */ name,
      /** @type {string} */ label,
      /** @type {string} */ title,
      /** @type {() => void} */ onclick,
    ) =>
      h(
        "button",
        { type: "button", class: name === "copy" ? "tool copies" : "tool", title, onclick },
        icon(name),
        h("span", null, label),
      );
    this.replayTool = tool("replay", "Send again", "Send again (r)", () => this.sendAgain());
    this.editTool = tool("edit", "Edit", "Edit, then send (e)", () => this.edit());
    fill(
      this.tools,
      this.replayTool,
      this.editTool,
      tool("copy", "cURL", "Copy as cURL (c)", () => this.copyAs("curl")),
      tool("copy", "fetch", "Copy as a fetch() call", () => this.copyAs("fetch")),
      h(
        "button",
        {
          type: "button",
          class: "tool square",
          "aria-label": "Close",
          title: "Close (Esc)",
          onclick: () => this.open(null),
        },
        icon("close"),
      ),
    );
  }

  /**
   * @param {number|null} id
   * @param {TabName} [tab]
   */
  show(id, tab) {
    const isOther = id !== this.id;
    if (tab) this.tab = tab;
    this.id = id;
    this.root.hidden = id === null;
    if (isOther) {
      this.detail = null;
      this.messages = null;
      this.#version = 0;
      this.body.textContent = "";
    }
    if (id === null) {
      this.follow(null);
      return;
    }
    this.#drawHead(this.store.byId.get(id) ?? null);
    if (isOther || this.detail === null) void this.load();
    else this.#drawTab();
  }

  /** Ask for the detail, and draw it. */
  async load() {
    const id = this.id;
    if (id === null) return;
    const turn = ++this.#loading;
    try {
      const detail = /** @type {Detail} */ (await get(`exchanges/${id}`, { secrets: this.secrets || null }));
      if (id !== this.id || turn !== this.#loading) return;
      this.#version = detail.version;
      this.detail = detail;
      this.#drawHead(detail);
      this.#drawTab();
    } catch (problem) {
      if (id !== this.id || turn !== this.#loading) return;
      fill(this.body, h("p", { class: "nothing" }, problem instanceof Error ? problem.message : String(problem)));
    }
  }

  /** The row has gone on: ask again, not more often than can be read. */
  #changed() {
    const row = this.id === null ? undefined : this.store.byId.get(this.id);
    if (row === undefined || row.version <= this.#version || this.#due !== undefined) return;
    this.#due = setTimeout(() => {
      this.#due = undefined;
      void this.load();
    }, LATER_MS[this.tab] ?? 250);
  }

  /** @param {Row|null} row */
  #drawHead(row) {
    if (row === null) {
      fill(this.title, `Request ${this.id}`);
      return;
    }
    const { text: status, tone } = statusOf(row);
    fill(
      this.title,
      h("span", { class: `badge is-${tone}` }, status),
      h("span", { class: "method" }, row.method),
      h("span", { class: "target", title: row.target }, row.target),
    );
    const names = this.#namesFor(row);
    if (!names.includes(this.tab)) this.tab = "overview";
    const buttons = names.map((name) =>
      h(
        "button",
        {
          type: "button",
          role: "tab",
          id: `tab-${name}`,
          "aria-selected": String(name === this.tab),
          "aria-controls": "tab-body",
          tabindex: name === this.tab ? "0" : "-1",
          onclick: () => this.turnTo(name),
        },
        TABS[name],
        name === "cors" && row.problem === "blocked" ? h("i", { class: "dot bad" }) : null,
      ),
    );
    const had = this.tabs.contains(document.activeElement) ? document.activeElement?.id : null;
    fill(this.tabs, buttons);
    if (had) document.getElementById(had)?.focus();
    setAttribute(this.body, "aria-labelledby", `tab-${this.tab}`);
  }

  /**
   * @param {Row} row
   * @returns {TabName[]}
   */
  #namesFor(row) {
    /** @type {TabName[]} */
    const names = ["overview", "headers", "body", "cors"];
    if (row.tunnel || row.kind === "poll" || row.kind === "websocket") names.push("messages");
    if (row.session !== null) names.push("session");
    return names;
  }

  /** @param {TabName} name */
  turnTo(name) {
    this.tab = name;
    if (this.id !== null) this.open(this.id, name);
  }

  #drawTab() {
    const { detail } = this;
    if (detail === null) return;
    for (const button of this.tabs.children) {
      const isIt = button.id === `tab-${this.tab}`;
      setAttribute(button, "aria-selected", String(isIt));
      setAttribute(button, "tabindex", isIt ? "0" : "-1");
    }
    setAttribute(this.body, "aria-labelledby", `tab-${this.tab}`);
    this.body.className = `tab-body tab-${this.tab}`;
    if (this.tab === "messages") {
      this.#drawn = "";
      this.#drawMessages(detail);
      return;
    }
    this.messages = null;
    this.follow(null);
    const drawn = `${this.tab}${this.secrets}${partOf(detail, this.tab)}`;
    if (drawn === this.#drawn && this.body.firstChild) return; // what is open or selected in it stays so
    this.#drawn = drawn;
    const kept = this.body.scrollTop;
    if (this.tab === "overview")
      fill(
        this.body,
        overview(detail, (id) => this.open(id)),
      );
    else if (this.tab === "headers") fill(this.body, headers(detail));
    else if (this.tab === "body") fill(this.body, bodies(detail, this.secrets));
    else if (this.tab === "cors") fill(this.body, cors(detail));
    else sessionTab(this.body, detail, this.store, (id, tab) => this.open(id, tab));
    this.body.scrollTop = kept;
  }

  /** @param {Detail} detail */
  #drawMessages(detail) {
    if (this.messages?.exchange === detail.id && this.messages.secrets === this.secrets) return;
    this.messages = new Messages(this.body, detail.id, this.secrets);
    this.follow(detail.id);
    void this.messages.load();
  }

  /** @param {boolean} secrets */
  unmask(secrets) {
    this.secrets = secrets;
    this.messages = null;
    void this.load();
  }

  /** Put the focus into the panel. */
  enter() {
    /** @type {HTMLElement|null} */ (this.tabs.querySelector("[aria-selected=true]"))?.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const buttons = /** @type {HTMLElement[]} */ ([...this.tabs.children]);
    const at = buttons.findIndex((button) => button.id === `tab-${this.tab}`);
    const next = buttons[(at + step + buttons.length) % buttons.length];
    next?.focus();
    next?.click();
    event.preventDefault();
  }

  /** @param {"curl"|"fetch"} how */
  async copyAs(how) {
    if (this.id === null) return;
    try {
      await copy(
        await text(`exchanges/${this.id}/copy`, { as: how, secrets: this.secrets || null }),
        how === "curl" ? "the cURL command" : "the fetch() call",
      );
    } catch (problem) {
      sayProblem(problem);
    }
  }

  async sendAgain() {
    if (this.id !== null) await sendAgain(this.id, (id) => this.open(id));
  }

  async edit() {
    if (this.id !== null) await editAndSend(this.id, (id) => this.open(id));
  }

  /** @param {boolean} isFull  whether the page has the key */
  allow(isFull) {
    for (const tool of [this.replayTool, this.editTool]) {
      if (tool) tool.disabled = !isFull;
    }
  }
}
