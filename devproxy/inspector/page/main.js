/** Where the page begins: the store, the stream, the views, and which of them the address names. Start reading here. */

import { ApiError, address, ask, get, post } from "./lib/api.js";
import { Connection } from "./lib/connection.js";
import { save, say, sayProblem } from "./lib/copy.js";
import { drawIcons, setAttribute, setText, the } from "./lib/dom.js";
import { clock, now, stopClock } from "./lib/format.js";
import { takeKey } from "./lib/key.js";
import { listenToKeys } from "./lib/keys.js";
import { Store, MAX_ROWS } from "./lib/store.js";
import { DetailPanel } from "./detail/detail.js";
import { Requests } from "./list/requests.js";
import { listenToSplitter } from "./list/splitter.js";
import { askForKey } from "./views/keyview.js";
import { Routes } from "./views/routes.js";
import { Sockets } from "./views/sockets.js";
import { listenToTheme } from "./views/theme.js";

/** @typedef {import("./detail/detail.js").TabName} TabName */

/** So many ids fit into an address. */
const HAR_ROWS = 1000;
const VIEWS = ["requests", "sockets", "routes"];

takeKey();
drawIcons();
const store = new Store();
const connection = new Connection(receive);
const requests = new Requests(store, (id, into) => open(id, undefined, into));
const detail = new DetailPanel(the("detail"), store, { open, follow: (exchange) => connection.follow(exchange) });
const sockets = new Sockets(store, open);
const routes = new Routes(store);
let wantsFocus = false;
let isSecret = false;

/**
 * Show a request, or none, by way of the address: the back button goes back.
 * @param {number|null} id
 * @param {TabName} [tab]
 * @param {boolean} [into]  put the focus into the detail
 */
function open(id, tab, into = false) {
  wantsFocus = into;
  const wasOpen = detail.id !== null;
  const hash = id === null ? "#/requests" : `#/requests/${id}/${tab ?? detail.tab}`;
  if (hash === location.hash) navigate();
  else if (wasOpen && id !== null && currentView() === "requests") {
    history.replaceState(null, "", hash);
    navigate();
  } else location.hash = hash;
  if (id === null && wasOpen) the("grid").focus({ preventScroll: true });
}

function currentView() {
  return location.hash.split("/")[1] || "requests";
}

function navigate() {
  const [, view = "requests", first, second] = location.hash.split("/");
  const shown = VIEWS.includes(view) ? view : "requests";
  for (const name of VIEWS) {
    the(`view-${name}`).hidden = name !== shown || !the("view-key").hidden;
    setAttribute(the(`nav-${name}`), "aria-current", name === shown ? "page" : null);
  }
  if (shown === "requests") {
    const id = Number(first) > 0 ? Number(first) : null;
    requests.show(id);
    detail.show(id, /** @type {TabName|undefined} */ (second));
    the("splitter").hidden = id === null;
    the("view-requests").classList.toggle("has-detail", id !== null);
    if (wantsFocus) detail.enter();
    wantsFocus = false;
  } else if (shown === "sockets") {
    sockets.show(first ? decodeURIComponent(first) : null);
  } else {
    routes.show(first === "line" && second ? Number(second) : null);
  }
}

/**
 * @param {string} event  of the stream
 * @param {any} data
 */
function receive(event, data) {
  if (event === "exchanges") store.takeRows(data.rows);
  else if (event === "messages") detail.messages?.take(data.messages);
  else if (event === "sessions") store.takeSessions(data.sessions);
  else if (event === "upstreams") store.takeUpstreams(data.upstreams ?? data);
  else if (event === "configuration") store.takeConfiguration(data);
  else if (event === "hello") hello(data);
  else if (event === "missed") void load();
  else if (event === "cleared") cleared();
}

/** @param {import("./types.js").About} about */
function hello(about) {
  const isOther = store.about !== null && store.about.epoch !== about.epoch;
  store.takeAbout(about);
  if (isOther) {
    store.forget();
    store.clearedUpTo = 0;
    open(null);
    void load();
  }
}

function cleared() {
  store.forget();
  if (detail.id !== null) open(null);
}

/** Everything from the beginning: who we are, the rows, the sessions, then the stream. */
async function load() {
  try {
    store.takeAbout(await get("about"));
    const first = await get("exchanges", { limit: 500 });
    let rows = first.exchanges;
    let { more } = first;
    while (more && rows.length < MAX_ROWS) {
      const next = await get("exchanges", { limit: 500, before: rows.at(-1).id });
      rows = rows.concat(next.exchanges);
      more = next.more && next.exchanges.length > 0;
    }
    store.takeRows(rows.reverse());
    store.takeSessions((await get("sessions")).sessions);
    const known = await get("routes");
    store.takeUpstreams(known.upstreams);
    the("view-key").hidden = true;
    navigate();
    connection.start(first.last_event_id);
  } catch (problem) {
    if (problem instanceof ApiError && problem.code === "key-needed") needKey(problem.message);
    else setTimeout(() => void load(), 1500);
    showHealth();
  }
}

/** @param {string} why */
function needKey(why) {
  the("view-key").hidden = false;
  for (const name of VIEWS) the(`view-${name}`).hidden = true;
  askForKey(why, () => void load());
}

function showHealth() {
  const health = the("health");
  const { health: state } = connection;
  health.dataset.state = state;
  stopClock(state === "stopped" || state === "lost");
  const texts = {
    connecting: "connecting",
    live: "live",
    lost: "connecting again",
    stopped: "devproxy stopped",
    "key-needed": "needs its key",
  };
  setText(the("health-text"), texts[state]);
  const banner = the("banner");
  banner.hidden = state !== "stopped" && state !== "lost";
  if (state === "stopped")
    banner.textContent = `devproxy stopped at ${clock(now()).slice(0, 8)}. What was seen stays here; the page goes on when devproxy is back.`;
  else if (state === "lost")
    banner.textContent = "devproxy does not answer. What was seen stays here; the page goes on when it is back.";
  if (state === "key-needed") void load();
}

function showAccess() {
  const { about } = store;
  if (about === null) return;
  const isFull = about.access === "full";
  const capture = /** @type {HTMLButtonElement} */ (the("capture"));
  const secrets = /** @type {HTMLButtonElement} */ (the("secrets"));
  const needsKey = "Needs the key: open the link that devproxy printed in its terminal";
  for (const [button, title] of /** @type {[HTMLButtonElement, string][]} */ ([
    [capture, "Keep heads, bodies and messages also while no one looks"],
    [secrets, "Show cookies, tokens and passwords as they are"],
  ])) {
    button.disabled = !isFull;
    button.title = isFull ? title : needsKey;
  }
  setAttribute(capture, "aria-pressed", String(about.capture));
  detail.allow(isFull);
  document.title = `devproxy inspector: ${about.urls[0] ?? about.folder}`;
}

/** @param {boolean} on */
function unmask(on) {
  isSecret = on;
  setAttribute(the("secrets"), "aria-pressed", String(on));
  detail.unmask(on);
}

async function downloadHar() {
  try {
    const ids = requests.isFiltered ? requests.listed.slice(-HAR_ROWS).join(",") : null;
    const response = await ask(address("har", { ids, secrets: isSecret || null }));
    save(await response.blob(), `devproxy-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.har`);
    say(isSecret ? "Saved as HAR, with its secrets." : "Saved as HAR; secrets are masked.");
  } catch (problem) {
    sayProblem(problem);
  }
}

connection.addEventListener("health", showHealth);
store.addEventListener("about", showAccess);
addEventListener("hashchange", navigate);
addEventListener("key-dropped", () =>
  say("devproxy was started again and has another key. Open the new link for secrets and replays.", "bad"),
);
the("secrets").addEventListener("click", () => unmask(!isSecret));
the("har").addEventListener("click", () => void downloadHar());
the("capture").addEventListener("click", () => {
  const on = !store.about?.capture;
  post("capture", { on }).then(() => store.about && store.takeAbout({ ...store.about, capture: on }), sayProblem);
});
listenToTheme();
listenToSplitter();
listenToKeys({ requests, detail, close: () => open(null) });
void load();
