/** The view of routes, upstreams and the configuration: what is in force, what would take a path, what changed. */

import { get } from "../lib/api.js";
import { copy, sayProblem } from "../lib/copy.js";
import { fill, h, icon, setText, the } from "../lib/dom.js";
import { count, duration, moment, now } from "../lib/format.js";
import { sourceLink } from "../detail/source.js";

/** @typedef {import("../types.js").Route} Route */
/** @typedef {import("../types.js").Upstream} Upstream */

export class Routes {
  /** @type {Route[]} */
  routes = [];
  /** @type {number|null} */
  #line = null;

  /** @param {import("../lib/store.js").Store} store */
  constructor(store) {
    this.store = store;
    this.root = the("view-routes");
    this.upstreams = h("div", { class: "upstreams" });
    this.table = h("div", { class: "routes-table" });
    this.tested = h("div", { class: "tested", role: "status" });
    this.file = h("div", { class: "file" });
    this.rejected = h("div");
    this.reloads = h("div");
    this.root.append(
      h("h2", { class: "hidden" }, "Routes and upstreams"),
      this.rejected,
      panel("Upstreams", this.upstreams),
      panel("Routes, in the order in which they are tried", this.table),
      panel("Which route would take it?", h("div", null, this.#tester(), this.tested)),
      panel("Configuration in force", this.file),
      panel("Reloads", this.reloads),
    );
    store.addEventListener("upstreams", () => this.#drawUpstreams());
    store.addEventListener("configuration", () => this.#reloaded());
    setInterval(() => !this.root.hidden && void this.load(), 5000);
  }

  /**
   * @param {number|null} line  of the configuration, to be shown
   */
  show(line) {
    this.#line = line;
    void this.load();
  }

  async load() {
    try {
      const [routes, configuration] = await Promise.all([get("routes"), get("configuration")]);
      this.routes = routes.routes;
      this.store.takeUpstreams(routes.upstreams);
      this.#drawRoutes();
      const isOther =
        configuration.text !== this.store.configuration?.text || this.#line !== null || this.file.textContent === "";
      this.store.configuration = configuration;
      this.#drawConfiguration();
      if (isOther) this.#drawFile();
    } catch (problem) {
      sayProblem(problem);
    }
  }

  #reloaded() {
    if (this.root.hidden) this.#drawConfiguration();
    else void this.load();
  }

  #drawUpstreams() {
    const down = this.store.upstreams
      .flatMap((upstream) => upstream.servers)
      .filter((server) => server.is_up === false).length;
    setText(the("tally-routes"), down ? `${down} down` : "");
    if (this.root.hidden) return;
    fill(this.upstreams, this.store.upstreams.map(upstreamCard));
  }

  #drawRoutes() {
    const heading = ["Route", "Upstream", "CORS", "Takes", "Requests", "Failures", "Where"].map((name) =>
      h("th", { scope: "col" }, name),
    );
    const label = "Table of routes";
    fill(
      this.table,
      h(
        "div",
        { class: "wide", tabindex: "0", role: "region", "aria-label": label },
        h(
          "table",
          null,
          h("thead", null, h("tr", null, heading)),
          h(
            "tbody",
            null,
            this.routes.map((route) =>
              h(
                "tr",
                null,
                h(
                  "th",
                  { scope: "row" },
                  h("code", null, route.label),
                  route.fault ? h("span", { class: "pill warn" }, `fault: ${route.fault}`) : null,
                  route.guard ? null : h("span", { class: "pill warn" }, "no guard"),
                ),
                h("td", null, route.upstream ?? "–"),
                h("td", null, route.cors),
                h("td", { class: "soft" }, route.conditions.join(", ")),
                h("td", { class: "number" }, route.requests.toLocaleString("en")),
                h("td", { class: route.failures ? "number bad" : "number" }, route.failures.toLocaleString("en")),
                h("td", null, sourceLink(route.source)),
              ),
            ),
          ),
        ),
      ),
    );
  }

  #tester() {
    const method = h("input", { value: "GET", "aria-label": "Method", size: "7", spellcheck: "false" });
    const path = h("input", { value: "/", "aria-label": "Path", class: "grow", spellcheck: "false" });
    const host = h("input", { value: "localhost", "aria-label": "Host", size: "14", spellcheck: "false" });
    return h(
      "form",
      {
        class: "tester",
        onsubmit: async (/** @type {Event} */ event) => {
          event.preventDefault();
          try {
            fill(
              this.tested,
              verdicts(await get("routes/test", { method: method.value, path: path.value, host: host.value })),
            );
          } catch (problem) {
            fill(
              this.tested,
              h("p", { class: "problem" }, problem instanceof Error ? problem.message : String(problem)),
            );
          }
        },
      },
      method,
      path,
      host,
      h("button", { class: "primary" }, "Test"),
    );
  }

  #drawFile() {
    const { configuration } = this.store;
    if (!configuration) return;
    if (typeof configuration.text !== "string") {
      fill(this.file, h("p", { class: "soft" }, "There is no file: everything was said on the command line."));
      return;
    }
    const text = configuration.text;
    const lines = text.replace(/\n$/, "").split("\n");
    fill(
      this.file,
      h(
        "div",
        { class: "part-head" },
        h("code", null, configuration.source),
        h(
          "span",
          { class: "soft" },
          configuration.applied_at === null ? "since devproxy started" : `since ${moment(configuration.applied_at)}`,
        ),
        h(
          "span",
          { class: "right" },
          h(
            "button",
            { type: "button", class: "tool small", onclick: () => copy(text, "the file") },
            icon("copy"),
            "Copy",
          ),
        ),
      ),
      h(
        "ol",
        { class: "source-lines", tabindex: "0", "aria-label": "the file" },
        lines.map((line, at) =>
          h(
            "li",
            { id: `line-${at + 1}`, class: at + 1 === this.#line ? "is-meant" : syntax(line) },
            h("code", null, line || " "),
          ),
        ),
      ),
    );
    if (this.#line !== null) document.getElementById(`line-${this.#line}`)?.scrollIntoView({ block: "center" });
    this.#line = null;
  }

  #drawConfiguration() {
    const { configuration } = this.store;
    if (!configuration) return;
    const { rejected, reloads } = configuration;
    fill(
      this.rejected,
      rejected &&
        h(
          "div",
          { class: "card bad" },
          h(
            "h3",
            null,
            icon("alert"),
            `The file as of ${moment(rejected.at)} has ${count(rejected.problems, "problem")}; the one before stays in force.`,
          ),
          h("pre", { class: "text", tabindex: "0", "aria-label": "report" }, rejected.report),
        ),
    );
    fill(
      this.reloads,
      reloads.length === 0
        ? h("p", { class: "soft" }, "None since devproxy started.")
        : h(
            "ul",
            { class: "reloads" },
            reloads.map((reload) =>
              h(
                "li",
                null,
                h("span", { class: "soft" }, moment(reload.at)),
                reload.changes.length === 0
                  ? h("span", null, "nothing changed")
                  : h(
                      "ul",
                      null,
                      reload.changes.map((change) =>
                        h(
                          "li",
                          null,
                          h("span", { class: `pill ${change.kind}` }, change.kind),
                          h("code", null, change.what),
                          h("span", { class: "soft" }, change.detail),
                        ),
                      ),
                    ),
              ),
            ),
          ),
    );
  }
}

/**
 * @param {string} title
 * @param {HTMLElement} content
 */
function panel(title, content) {
  return h("section", { class: "panel", "aria-label": title }, h("h3", null, title), content);
}

/** @param {string} line  of TOML */
function syntax(line) {
  const text = line.trimStart();
  return text.startsWith("#") ? "is-comment" : text.startsWith("[") ? "is-table" : "";
}

/** @param {Upstream} upstream */
function upstreamCard(upstream) {
  return h(
    "section",
    { class: "upstream", "aria-label": `upstream ${upstream.name}` },
    h(
      "div",
      { class: "part-head" },
      h("h4", null, upstream.name),
      h(
        "span",
        { class: "right" },
        upstream.sticky === "none" ? null : h("span", { class: "pill" }, `sticky: ${upstream.sticky}`),
      ),
    ),
    upstream.servers.map((server) => {
      const tone = server.is_up === null ? "" : server.is_up ? "good" : "bad";
      const state =
        server.is_up === null
          ? "not asked yet"
          : server.is_up
            ? `answers on ${server.address ?? server.url}`
            : server.detail || "does not answer";
      return h(
        "div",
        { class: `server ${tone}` },
        h("i", {
          class: `dot ${tone}`,
          role: "img",
          "aria-label": server.is_up === false ? "down" : server.is_up ? "up" : "unknown",
        }),
        h(
          "div",
          null,
          h("code", null, server.url),
          h(
            "p",
            { class: server.is_up === false ? "problem" : "soft" },
            state,
            server.since_at === null ? "" : `, for ${duration(Math.max(0, now() - server.since_at))}`,
          ),
        ),
        h("dl", null, tally("running", server.running), tally("idle", server.idle), tally("sessions", server.sessions)),
      );
    }),
  );
}

/**
 * @param {string} name
 * @param {number} value
 */
function tally(name, value) {
  return h("div", { class: value ? "" : "is-zero" }, h("dt", null, name), h("dd", null, value.toLocaleString("en")));
}

/**
 * @param {{route: string|null, upstream: string|null,
 *   verdicts: {label: string, matches: boolean, is_chosen: boolean, reasons: string[]}[],
 *   answer: {status: number, code: string, what: string, help: string}|null}} result
 */
function verdicts({ route, upstream, verdicts: all, answer }) {
  const head = answer
    ? h(
        "div",
        { class: "card warn" },
        h("h4", null, icon("alert"), `devproxy answers ${answer.status}: ${answer.code}`),
        h("p", null, answer.what),
        answer.help ? h("p", { class: "soft" }, answer.help) : null,
      )
    : h(
        "p",
        { class: "chosen" },
        icon("check"),
        h("code", null, route ?? "no route"),
        ` takes it, and sends it to ${upstream ?? "no upstream"}.`,
      );
  return [
    head,
    h(
      "ul",
      { class: "verdict-list" },
      all.map((one) =>
        h(
          "li",
          { class: one.is_chosen ? "good" : one.matches ? "" : "off" },
          h("code", null, one.label),
          h("span", { class: "pill" }, one.is_chosen ? "takes it" : one.matches ? "matches" : "no match"),
          h("span", { class: "soft" }, one.reasons.join("; ")),
        ),
      ),
    ),
  ];
}
