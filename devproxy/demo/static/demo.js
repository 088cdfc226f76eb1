// The demo's page. `io` comes from socket.io.min.js; nothing is loaded from anywhere but this origin.

const $ = (id) => document.getElementById(id);
const MESSAGES_KEPT = 100;
const BARS_KEPT = 40;
const ECHO_EVERY_MS = 1500;

const setState = (id, kind, words) => {
  $(id).className = `pill ${kind}`;
  $(id).textContent = words;
};

/** Append one step with the time since `start`, in milliseconds of performance.now(). */
const addStep = (list, kind, words, start) => {
  const item = document.createElement("li");
  item.className = kind;
  const time = document.createElement("time");
  time.textContent = `${Math.round(performance.now() - start)} ms`;
  item.append(time, words);
  $(list).append(item);
};

// ---- left: the backend's own port, another origin ------------------------------------------------------------------

/** Return whether `url` answers at all: a "no-cors" answer is opaque, but its arrival shows that the server is there. */
const answersAtAll = async (url) => {
  try {
    return (await fetch(url, { mode: "no-cors", cache: "no-store" })).type === "opaque";
  } catch {
    return false;
  }
};

const tryDirectly = (direct) => {
  const start = performance.now();
  $("direct-steps").replaceChildren();
  setState("direct-state", "waiting", "trying…");
  const poll = `${direct}/socket.io/?EIO=4&transport=polling`;
  const socket = io(direct, { reconnection: false, forceNew: true, timeout: 5000 });

  socket.on("connect", () => {
    setState("direct-state", "good", "connected");
    addStep("direct-steps", "good", "the backend accepts this origin: its CORS setting was changed", start);
  });
  socket.on("connect_error", async (error) => {
    addStep("direct-steps", "bad", `Socket.IO gives up: “${error.message}”`, start);
    if (!(await answersAtAll(poll))) {
      setState("direct-state", "bad", "no answer");
      addStep("direct-steps", "bad", "the backend does not answer: is the demo still running?", start);
      return;
    }
    addStep("direct-steps", "good", "the server is up and answers such a request", start);
    addStep("direct-steps", "bad", "the answer names no allowed origin, so the browser withholds it", start);
    try {
      await fetch(`${direct}/api/hello`);
      addStep("direct-steps", "good", "fetch of /api/hello succeeds", start);
    } catch (refusal) {
      addStep("direct-steps", "bad", `fetch of /api/hello fails alike: “${refusal.message}”`, start);
    }
    $("direct-console").textContent =
      `Access to XMLHttpRequest at '${poll}&t=…' from origin '${location.origin}' has been blocked by CORS policy: ` +
      "No 'Access-Control-Allow-Origin' header is present on the requested resource.";
    setState("direct-state", "bad", "blocked by the browser");
  });
};

// ---- right: the page's own origin, where devproxy routes /socket.io/ to the backend --------------------------------

let received = 0;
let sent = 0;

const addMessage = (kind, words) => {
  const list = $("messages");
  const item = document.createElement("li");
  item.className = kind;
  item.textContent = words;
  list.append(item);
  while (list.children.length > MESSAGES_KEPT) list.firstChild.remove();
  list.scrollTop = list.scrollHeight;
};

const count = () => {
  $("received").textContent = received;
  $("sent").textContent = sent;
};

const connectThroughDevproxy = () => {
  let start = performance.now();
  const socket = io();

  const showTransport = () => {
    $("transport").textContent = socket.io.engine.transport.name;
  };
  socket.io.on("open", () => {
    // The session is open by long-polling; the client now tries a WebSocket beside it, and may be quick about it.
    const { engine } = socket.io;
    showTransport();
    addStep("proxied-steps", "good", "session opened by HTTP long-polling", start);
    engine.once("upgrading", () => addStep("proxied-steps", "good", "WebSocket accepted beside it (101)", start));
    engine.once("upgrade", () => {
      showTransport();
      setState("proxied-state", "good", "connected, websocket");
      addStep("proxied-steps", "good", "upgraded: every message goes by WebSocket now", start);
    });
  });
  socket.on("connect", () => {
    $("sid").textContent = socket.id;
    setState("proxied-state", "good", `connected, ${socket.io.engine.transport.name}`);
  });
  socket.on("disconnect", (reason) => {
    setState("proxied-state", "waiting", "reconnecting…");
    addMessage("note", `disconnected: ${reason}`);
    $("proxied-steps").replaceChildren();
    start = performance.now();
  });
  socket.on("connect_error", (error) => setState("proxied-state", "bad", error.message));
  socket.onAny(() => {
    received += 1;
    count();
  });
  socket.on("news", ({ text }) => addMessage("", `← ${text}`));
  socket.on("said", ({ from, text }) => addMessage("mine", `← ${from === socket.id ? "you" : from.slice(0, 6)}: ${text}`));

  setInterval(async () => {
    if (!socket.connected) return;
    const before = performance.now();
    sent += 1;
    await socket.timeout(5000).emitWithAck("echo", before).then(
      () => {
        received += 1;
        $("round-trip").textContent = `${(performance.now() - before).toFixed(1)} ms`;
      },
      () => addMessage("note", "an echo was not answered within 5 s"),
    );
    count();
  }, ECHO_EVERY_MS);

  $("say").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("text").value.trim();
    if (!text) return;
    socket.emit("say", text);
    sent += 1;
    count();
    $("text").value = "";
  });
};

// ---- below: a stream and a resource --------------------------------------------------------------------------------

const followTicks = () => {
  const source = new EventSource("/api/ticks");
  let before = 0;
  source.addEventListener("open", () => setState("stream-state", "good", "streaming"));
  source.addEventListener("error", () => setState("stream-state", "waiting", "reconnecting…"));
  source.addEventListener("message", (event) => {
    const delay = Math.max(0, Date.now() - JSON.parse(event.data).sent_ms);
    const late = delay < 1 ? "in the millisecond in which it was sent" : `${Math.round(delay)} ms after it was sent`;
    $("stream-note").textContent = `event ${event.lastEventId}: here ${late}`;
    if (before) {
      const bar = document.createElement("i");
      bar.style.height = `${Math.min(100, (event.timeStamp - before) / 20)}%`; // full height: 2 s
      $("bars").append(bar);
      if ($("bars").children.length > BARS_KEPT) $("bars").firstChild.remove();
    }
    before = event.timeStamp;
  });
};

const askHello = async () => {
  const answer = await fetch("/api/hello");
  if (!answer.ok) {
    setState("rest-state", "bad", `${answer.status} ${answer.statusText}`);
    return;
  }
  setState("rest-state", "good", `${answer.status} ${answer.statusText}`);
  $("rest").textContent = JSON.stringify(await answer.json(), null, 2);
};

// ---- start ---------------------------------------------------------------------------------------------------------

const { direct, page } = await (await fetch("/demo.json")).json();
for (const place of document.getElementsByClassName("here")) place.textContent = location.origin;
$("direct-url").textContent = direct;
$("proxied-behind").textContent = new URL(direct).host;
$("command").textContent =
  `devproxy up --frontend ${new URL(page).port} --backend ${new URL(direct).port} --listen ${location.host}`;

if (location.origin === page) {
  $("notice").hidden = false;
  $("notice").textContent = "This is the page's own server, without devproxy in front: open the address that the terminal shows.";
}
$("direct-again").addEventListener("click", () => tryDirectly(direct));
connectThroughDevproxy();
followTicks();
askHello();
tryDirectly(direct);
