/** What passes through a WebSocket, or through Engine.IO's polls, as it passes. */

import { get } from "../lib/api.js";
import { fill, h, icon, setAttribute, setText } from "../lib/dom.js";
import { clock, count, size } from "../lib/format.js";
import { VirtualList } from "../list/virtual.js";
import { textBlock } from "./body.js";
import { fromBase64, hexDump } from "./hex.js";
import { tree } from "./tree.js";

/** @typedef {import("../types.js").Message} Message */

const MAX_MESSAGES = 5000;
const OPCODES = /** @type {{[opcode: number]: string}} */ ({
  0: "continuation",
  1: "text",
  2: "binary",
  8: "close",
  9: "ping",
  10: "pong",
});

export class Messages {
  /** @type {Message[]} */
  #all = [];
  #lastId = 0;
  #dropped = 0;
  /** @type {Message|null} */
  #selected = null;
  /** @type {Message[]} */
  #shown = [];

  /**
   * @param {HTMLElement} root
   * @param {number} exchange
   * @param {boolean} secrets
   */
  constructor(root, exchange, secrets) {
    this.exchange = exchange;
    this.secrets = secrets;
    this.filter = h("input", {
      type: "search",
      placeholder: "Filter messages",
      "aria-label": "Filter messages",
      oninput: () => this.#draw(),
    });
    this.pings = h("input", { type: "checkbox", checked: true, onchange: () => this.#draw() });
    this.note = h("span", { class: "soft" });
    const canvas = h("div", { class: "canvas", role: "presentation" });
    this.viewport = h(
      "div",
      {
        class: "frames",
        role: "listbox",
        "aria-label": "Messages",
        tabindex: "0",
        onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      },
      canvas,
    );
    this.payload = h("div", { class: "payload" });
    fill(
      root,
      h(
        "div",
        { class: "messages" },
        h(
          "div",
          { class: "part-head" },
          this.filter,
          h("label", { class: "check" }, this.pings, " Hide pings"),
          h("span", { class: "right" }, this.note),
        ),
        this.viewport,
        this.payload,
      ),
    );
    /** @type {VirtualList<Message>} */
    this.list = new VirtualList({
      viewport: this.viewport,
      canvas,
      create: frame,
      update: (element, item) => this.#update(element, item),
    });
    canvas.addEventListener("click", (event) => {
      const element = /** @type {HTMLElement|null} */ (/** @type {Element} */ (event.target).closest("[data-message]"));
      const message = this.#all.find((each) => String(each.id) === element?.dataset.message);
      if (message) this.#select(message);
    });
    this.#draw();
  }

  /** Get what was before this was looked at. */
  async load() {
    try {
      for (let more = true; more;) {
        const part = await get(`exchanges/${this.exchange}/messages`, {
          after: this.#lastId || null,
          limit: 500,
          secrets: this.secrets || null,
        });
        this.#dropped = part.dropped;
        more = part.more && part.messages.length > 0;
        this.take(part.messages);
        this.#lastId = Math.max(this.#lastId, part.messages.at(-1)?.id ?? 0);
      }
    } catch (problem) {
      setText(this.note, problem instanceof Error ? problem.message : String(problem));
    }
  }

  /** @param {Message[]} messages  of any exchange */
  take(messages) {
    const known = new Set(this.#all.map((message) => message.id));
    const mine = messages.filter((message) => message.exchange === this.exchange && !known.has(message.id));
    if (mine.length === 0) {
      this.#draw();
      return;
    }
    const inOrder = mine.every((message, at) => message.id > (mine[at - 1]?.id ?? this.#all.at(-1)?.id ?? 0));
    this.#all.push(...mine);
    if (!inOrder) this.#all.sort((a, b) => a.id - b.id);
    if (this.#all.length > MAX_MESSAGES) this.#all.splice(0, this.#all.length - MAX_MESSAGES);
    this.#draw();
  }

  #draw() {
    const wanted = this.filter.value.toLowerCase();
    this.#shown = this.#all.filter((message) => {
      if (this.pings.checked && isPing(message)) return false;
      return !wanted || `${label(message)}\n${message.text ?? ""}`.toLowerCase().includes(wanted);
    });
    const parts = [count(this.#shown.length, "message")];
    if (this.#all.length > this.#shown.length)
      parts[0] = `${this.#shown.length} of ${count(this.#all.length, "message")}`;
    if (this.#dropped) parts.push(`${this.#dropped} older ones are no longer kept`);
    setText(this.note, parts.join("  ·  "));
    this.list.show(this.#shown);
    if (this.#shown.length === 0 && this.#selected === null) {
      fill(
        this.payload,
        h(
          "p",
          { class: "nothing" },
          this.#all.length
            ? "No message matches."
            : "No messages yet. They are kept while this page is open, or with [inspector] capture = true.",
        ),
      );
    } else if (this.#selected === null) {
      fill(this.payload, h("p", { class: "nothing" }, "Select a message to see all of it."));
    }
  }

  /**
   * @param {HTMLElement} element
   * @param {Message} message
   */
  #update(element, message) {
    const isSelected = message.id === this.#selected?.id;
    setAttribute(element, "data-message", String(message.id));
    setAttribute(element, "id", `message-${message.id}`);
    setAttribute(element, "aria-selected", String(isSelected));
    setAttribute(element, "class", `frame ${message.direction} ${isPing(message) ? "is-ping" : ""}`);
    const [direction, what, text, bytes, at] = element.children;
    if (!direction || !what || !text || !bytes || !at) return;
    setText(direction, message.direction === "up" ? "↑" : "↓");
    setAttribute(direction, "aria-label", message.direction === "up" ? "sent by the client" : "sent by the server");
    setText(what, label(message));
    setText(text, summary(message));
    setText(bytes, size(message.bytes));
    setText(at, clock(message.at));
  }

  /** @param {Message} message */
  #select(message) {
    this.#selected = message;
    setAttribute(this.viewport, "aria-activedescendant", `message-${message.id}`);
    this.list.follows = false;
    this.list.refresh();
    fill(this.payload, payload(message));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = {
      ArrowDown: 1,
      ArrowUp: -1,
      Home: -Infinity,
      End: Infinity,
      PageDown: this.list.page,
      PageUp: -this.list.page,
    }[event.key];
    if (step === undefined || this.#shown.length === 0) return;
    const at = this.#shown.findIndex((message) => message.id === this.#selected?.id);
    const to = Math.min(this.#shown.length - 1, Math.max(0, at + step));
    this.#select(/** @type {Message} */ (this.#shown[to]));
    this.list.reveal(to);
    event.preventDefault();
    event.stopPropagation();
  }
}

function frame() {
  return h(
    "div",
    { class: "frame", role: "option" },
    h("span", { class: "direction", role: "img" }),
    h("span", { class: "what" }),
    h("span", { class: "said" }),
    h("span", { class: "bytes" }),
    h("span", { class: "at" }),
  );
}

/** @param {Message} message */
function isPing(message) {
  const packet = message.packets[0];
  if (message.kind === "ping" || message.kind === "pong") return true;
  const isProbe = message.text?.endsWith("probe"); // part of the upgrade, which is worth seeing
  return packet?.layer === "engine.io" && (packet.type === "ping" || packet.type === "pong") && !isProbe;
}

/** `event chat`, `ack 3`, `ping`, `text`. @param {Message} message */
function label(message) {
  const packet = message.packets[0];
  if (!packet) return message.kind === "message" ? (OPCODES[message.opcode ?? 1] ?? "data") : message.kind;
  const name = packet.event ? `“${packet.event}”` : packet.type.replaceAll("_", " ");
  const place = packet.namespace && packet.namespace !== "/" ? `${packet.namespace} ` : "";
  const ack = packet.ack === null || packet.ack === undefined ? "" : ` #${packet.ack}`;
  return `${place}${name}${ack}${message.packets.length > 1 ? ` +${message.packets.length - 1}` : ""}`;
}

/** One line of what it says. @param {Message} message */
function summary(message) {
  const packet = message.packets[0];
  if (packet?.data === "") return "";
  if (packet && packet.data !== undefined && packet.data !== null) return JSON.stringify(packet.data).slice(0, 300);
  if (message.text !== null) return message.text.slice(0, 300);
  if (message.base64 !== null)
    return hexDump(fromBase64(message.base64.slice(0, 64)).subarray(0, 16))
      .slice(8, 56)
      .trim();
  return message.note;
}

/** @param {Message} message */
function payload(message) {
  const packets = message.packets.map((packet) => {
    const words = [packet.layer === "socket.io" ? "Socket.IO" : "Engine.IO", packet.type.replaceAll("_", " ")];
    if (packet.namespace) words.push(`namespace ${packet.namespace}`);
    if (packet.ack !== null && packet.ack !== undefined) words.push(`ack id ${packet.ack}`);
    if (packet.attachments) words.push(count(packet.attachments, "binary attachment"));
    return h(
      "section",
      { class: "packet" },
      h(
        "h3",
        null,
        packet.event ? h("b", null, packet.event) : null,
        h("span", { class: "soft" }, words.join("  ·  ")),
      ),
      packet.data === undefined || packet.data === null || packet.data === "" ? null : tree(packet.data),
    );
  });
  const facts = [
    message.direction === "up" ? "client → server" : "server → client",
    OPCODES[message.opcode ?? -1] ?? message.kind,
    `${size(message.bytes)} on the wire`,
    message.is_compressed ? "compressed" : "",
    message.is_cut ? "cut: the rest is not kept" : "",
  ];
  return [
    h(
      "div",
      { class: "part-head" },
      h(
        "span",
        { class: "soft" },
        icon(message.direction === "up" ? "up" : "down"),
        " ",
        facts.filter(Boolean).join("  ·  "),
      ),
    ),
    message.note ? h("p", { class: "soft" }, message.note) : null,
    packets,
    message.text !== null
      ? [packets.length ? h("h3", { class: "soft" }, "As it was sent") : null, whole(message.text, packets.length > 0)]
      : null,
    message.base64 !== null
      ? h("pre", { class: "hex", tabindex: "0", "aria-label": "bytes" }, hexDump(fromBase64(message.base64)))
      : null,
  ];
}

/**
 * @param {string} text
 * @param {boolean} isDecoded  it has been shown as packets already
 */
function whole(text, isDecoded) {
  if (!isDecoded && /^\s*[[{]/.test(text)) {
    try {
      return tree(JSON.parse(text));
    } catch {
      // it only looks like JSON
    }
  }
  return textBlock(text);
}
