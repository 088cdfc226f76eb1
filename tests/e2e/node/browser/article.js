// What the page can be asked to do. Every function answers with plain values and throws nothing: what a page sees of a
// refusal is part of what is tested.

const patience = 20_000;

/** Connect with Socket.IO, upgrade if there is an upgrade to wait for, and ask who one is. Ends with the page: a client
 *  that closes while it polls may poll once more, and be told 400. */
function dial(url, { major = 4, ...options } = {}) {
  const connect = { 2: window.io2, 4: window.io4 }[major];
  const socket = connect(url, { reconnection: false, forceNew: true, timeout: patience, ...options });
  return new Promise((resolve) => {
    socket.on('connect_error', (error) => resolve(refusal(error)));
    socket.on('error', (error) => resolve(refusal(error)));
    socket.on('connect', () => {
      const { engine } = socket.io;
      const ask = () => socket.emit('who am I', (said) => resolve({ connected: true, ...said }));
      const upgrades = engine.transport.name === 'polling' && !options.transports;
      engine.on('upgradeError', (error) => resolve({ connected: true, upgradeError: error.message }));
      if (upgrades) engine.on('upgrade', ask);
      else ask();
    });
  });
}

function refusal(error) {
  const { message = String(error), description, context } = error;
  const status = typeof description === 'number' ? description : null;
  return { connected: false, message, status, body: context?.responseText ?? null };
}

/** Fetch, and say what the page may read of the answer. */
async function read(url, init = {}) {
  try {
    const response = await fetch(url, init);
    const headers = Object.fromEntries(response.headers);
    const text = await response.text();
    const isJson = (headers['content-type'] ?? '').includes('json');
    return { status: response.status, headers, body: isJson ? JSON.parse(text) : text };
  } catch (error) {
    return { failed: `${error.name}: ${error.message}` };
  }
}

/** Read the first piece of a stream before asking for the second one. */
async function stream(url, init = {}) {
  try {
    const response = await fetch(url, init);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const pieces = [(await reader.read()).value];
    const more = await read(new URL('stream/more', url), { ...init, method: 'POST' });
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) pieces.push(piece.value);
    return { pieces, more: more.body };
  } catch (error) {
    return { failed: `${error.name}: ${error.message}` };
  }
}

/** The first of the Server-Sent Events, or that there was none. */
async function firstEvent(url, init = {}) {
  const source = new EventSource(url, init);
  try {
    return await new Promise((resolve) => {
      source.onmessage = ({ data }) => resolve({ data });
      source.onerror = () => resolve({ failed: source.readyState === EventSource.CLOSED ? 'closed' : 'again' });
    });
  } finally {
    source.close();
  }
}

/** Open a WebSocket; whether it opened is all that a page learns. */
async function webSocket(url) {
  const socket = new WebSocket(url);
  return new Promise((resolve) => {
    socket.onopen = () => resolve('open');
    socket.onclose = () => resolve('refused');
  }).finally(() => socket.close());
}

/** The same as `read`, asked by a frame whose sandbox makes its origin `null`. */
async function readSandboxed(url, init = {}) {
  const frame = document.createElement('iframe');
  frame.sandbox = 'allow-scripts';
  frame.srcdoc = `<script>${read}
    read(${JSON.stringify(url)}, ${JSON.stringify(init)}).then((said) => parent.postMessage(said, '*'));</script>`;
  const said = new Promise((resolve) => window.addEventListener('message', ({ data }) => resolve(data), { once: true }));
  document.body.append(frame);
  return said.finally(() => frame.remove());
}
