// Every address here is relative: io() has no URL, fetch() and EventSource only a path. The page's origin is devproxy's.
import { io } from 'socket.io-client';
import { greeting } from './greeting.js';

const element = (id) => document.getElementById(id);

// --- Socket.IO: starts with HTTP long-polling and upgrades to WebSocket -------------------------------------------

const socket = io({ autoConnect: false });
const shown = new Set();

function showTransport(state, text) {
  element('transport').dataset.state = state;
  element('transport').textContent = text;
}

socket.io.on('open', () => {
  const { engine } = socket.io; // a new one for every connection
  const first = engine.transport.name;
  showTransport(first, first);
  engine.once('upgrade', ({ name }) => showTransport(name, `${first} → ${name}`));
});
socket.on('disconnect', () => showTransport('connecting', 'reconnecting…'));
socket.on('connect_error', () => showTransport('connecting', 'waiting for the server…'));

socket.on('welcome', ({ name, history }) => {
  element('name').value = name;
  history.forEach(showMessage);
});
socket.on('message', showMessage);

function showMessage({ id, name, text, isNotice, at }) {
  if (shown.has(id)) return; // the history repeats what this page already has after a reconnection
  shown.add(id);

  const item = document.createElement('li');
  item.classList.toggle('notice', isNotice);
  item.classList.toggle('mine', !isNotice && name === element('name').value);
  const who = document.createElement('b');
  who.textContent = name;
  const what = document.createElement('span');
  what.textContent = text;
  const when = document.createElement('time');
  when.dateTime = at;
  when.textContent = new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  item.append(who, what, when);

  element('messages').append(item);
  item.scrollIntoView({ block: 'end' });
}

element('say').addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = element('text').value;
  element('text').value = '';
  await socket.timeout(10_000).emitWithAck('say', text);
});

// --- REST: the name lives in a cookie, which the next Socket.IO handshake carries ----------------------------------

async function askWhoIAm() {
  const response = await fetch('/api/me');
  const { name } = await response.json();
  element('me').textContent = `${response.status} · you are ${name}`;
  element('name').value = name;
}

element('ask').addEventListener('click', askWhoIAm);
element('name').addEventListener('change', async () => {
  const name = element('name').value;
  await fetch('/api/name', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name }),
  });
  await askWhoIAm();
  socket.disconnect().connect();
});

// --- Upload: XMLHttpRequest, because fetch() reports no progress ---------------------------------------------------

element('file').addEventListener('change', () => {
  const [file] = element('file').files;
  if (!file) return;
  const request = new XMLHttpRequest();
  request.open('POST', `/api/upload?name=${encodeURIComponent(file.name)}`);
  request.responseType = 'json';
  request.upload.addEventListener('progress', ({ loaded, total }) => {
    element('progress').value = total ? loaded / total : 0;
  });
  request.addEventListener('loadend', () => {
    const { size, sha256 } = request.response ?? {};
    element('uploaded').textContent = sha256
      ? `${size.toLocaleString()} bytes · sha256 ${sha256.slice(0, 12)}…`
      : `the upload failed (${request.status})`;
    element('uploaded').title = sha256 ?? '';
  });
  request.send(file);
});

// --- Server-Sent Events ---------------------------------------------------------------------------------------------

const clock = new EventSource('/api/clock');
clock.addEventListener('message', ({ data }) => {
  const { time, people } = JSON.parse(data);
  const output = element('clock');
  output.textContent = `${new Date(time).toLocaleTimeString()} · ${people} connected`;
  output.dataset.ticks = Number(output.dataset.ticks) + 1;
});
clock.addEventListener('error', () => {
  element('clock').textContent = 'waiting for the server…';
});

// --- Hot module replacement -----------------------------------------------------------------------------------------

function greet(text) {
  element('greeting').textContent = text;
}
if (import.meta.hot) {
  import.meta.hot.accept('./greeting.js', (module) => greet(module.greeting));
}

element('origin').textContent = location.origin;
greet(greeting);
await askWhoIAm(); // first, so that the handshake already has its cookie
socket.connect();
