/** Sending a request again, as it was or edited. Needs the key. */

import { address, ask, get, post } from "../lib/api.js";
import { say, sayProblem } from "../lib/copy.js";
import { fill, h, typed } from "../lib/dom.js";

/**
 * @param {number} id
 * @param {(id: number) => void} open  shows the new exchange
 */
export async function sendAgain(id, open) {
  try {
    const answer = await post(`exchanges/${id}/replay`);
    open(answer.id);
    say("Sent again.");
  } catch (problem) {
    sayProblem(problem);
  }
}

/**
 * Show the request in a dialog and send what it has become. Only what was edited is sent along: the rest stays as it was.
 * @param {number} id
 * @param {(id: number) => void} open
 */
export async function editAndSend(id, open) {
  const dialog = typed("replay", HTMLDialogElement);
  try {
    const detail = /** @type {import("../types.js").Detail} */ (await get(`exchanges/${id}`, { secrets: true }));
    const head = detail.request.received;
    const body = detail.request.body === null && detail.request_bytes ? null : await bodyText(id, detail.request.body);
    const method = h("input", { value: detail.method, "aria-label": "Method", size: "8", spellcheck: "false" });
    const target = h("input", {
      value: detail.target,
      "aria-label": "Path and query",
      class: "grow",
      spellcheck: "false",
    });
    const before = head === null ? "" : head.fields.map(([name, value]) => `${name}: ${value}`).join("\n");
    const fields = h("textarea", { rows: "9", spellcheck: "false", "aria-label": "Headers" }, before);
    const text = h(
      "textarea",
      { rows: "6", spellcheck: "false", "aria-label": "Body", disabled: body === null },
      body ?? "",
    );
    const problem = h("p", { class: "problem", role: "alert" });
    const form = h(
      "form",
      {
        method: "dialog",
        onsubmit: async (/** @type {Event} */ event) => {
          event.preventDefault();
          try {
            /** @type {{[name: string]: unknown}} */
            const edited = {};
            if (method.value.trim() !== detail.method) edited.method = method.value.trim();
            if (target.value.trim() !== detail.target) edited.target = target.value.trim();
            if (fields.value !== before) edited.fields = fieldsIn(fields.value);
            if (body !== null && text.value !== body) edited.body = text.value;
            const answer = await post(`exchanges/${id}/replay`, edited);
            dialog.close();
            open(answer.id);
            say("Sent.");
          } catch (failure) {
            problem.textContent = failure instanceof Error ? failure.message : String(failure);
          }
        },
      },
      h("h2", { id: "replay-title" }, "Edit and send"),
      h("div", { class: "start-line" }, method, target),
      h("label", null, h("span", null, "Headers, one a line; secrets are shown as they are"), fields),
      h(
        "label",
        null,
        h("span", null, body === null ? "The body is not text, or was not kept whole: it is sent as it was" : "Body"),
        text,
      ),
      problem,
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "button", class: "tool", onclick: () => dialog.close() }, "Cancel"),
        h("button", { class: "primary" }, "Send"),
      ),
    );
    fill(dialog, form);
    dialog.showModal();
    target.focus();
  } catch (problem) {
    sayProblem(problem);
  }
}

/**
 * @param {number} id
 * @param {import("../types.js").Body|null} body
 * @returns {Promise<string|null>} null where it is not text
 */
async function bodyText(id, body) {
  if (body === null || body.kept_bytes === 0) return "";
  if (!body.is_complete || body.encoding) return null;
  const response = await ask(address(`exchanges/${id}/body/request`, { secrets: true }));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await response.arrayBuffer());
  } catch {
    return null;
  }
}

/**
 * @param {string} text  `Name: value`, one a line; throws where a line has no colon
 * @returns {[string, string][]}
 */
export function fieldsIn(text) {
  return text
    .split("\n")
    .filter((line) => line.trim())
    .map((line, at) => {
      const colon = line.indexOf(":");
      if (colon < 1) throw new Error(`Line ${at + 1} of the headers has no colon: ${line}`);
      return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    });
}
