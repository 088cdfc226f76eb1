// The chat server: Socket.IO 4, a little REST, an upload and a Server-Sent Events clock, on Node's own http module.
//
// There is no `cors` option and no Access-Control header anywhere: page and server share devproxy's origin.
// server.py speaks the same events and paths with python-socketio.
import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { json as readJson } from 'node:stream/consumers';
import { Server } from 'socket.io';

const PORT = Number(process.env.PORT ?? 3001);
const HISTORY_LENGTH = 50;
const NAME_LENGTH = 24;
const TEXT_LENGTH = 2000;

const history = [];

const httpServer = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://chat.invalid');
  const handler = handlers[`${request.method} ${url.pathname}`];
  if (!handler) return sendJson(response, 404, { error: `nothing answers ${request.method} ${url.pathname}` });
  try {
    await handler(request, response, url);
  } catch (error) {
    if (!response.headersSent) sendJson(response, 400, { error: error.message });
  }
});

const io = new Server(httpServer, {
  connectionStateRecovery: {}, // a socket that comes back within two minutes is sent what it missed
});

const handlers = {
  // Who am I? The first visit gets a name, in a cookie that the Socket.IO handshake will carry too.
  'GET /api/me': (request, response) => {
    const name = nameFromCookies(request.headers.cookie);
    if (name) return sendJson(response, 200, { name });
    const guest = `guest-${randomUUID().slice(0, 4)}`;
    sendJson(response, 200, { name: guest }, { 'Set-Cookie': nameCookie(guest) });
  },

  'POST /api/name': async (request, response) => {
    const { name } = await readJson(request);
    const trimmed = String(name ?? '').trim().slice(0, NAME_LENGTH);
    if (!trimmed) return sendJson(response, 422, { error: 'a name needs at least one character' });
    sendJson(response, 200, { name: trimmed }, { 'Set-Cookie': nameCookie(trimmed) });
  },

  // Hashes the body as it arrives; nothing is stored.
  'POST /api/upload': async (request, response, url) => {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of request) {
      hash.update(chunk);
      size += chunk.length;
    }
    const file = url.searchParams.get('name') ?? 'a file';
    const uploader = nameFromCookies(request.headers.cookie) ?? 'somebody';
    publish({ name: uploader, text: `uploaded ${file} (${size.toLocaleString('en')} bytes)`, isNotice: true });
    sendJson(response, 200, { name: file, size, sha256: hash.digest('hex') });
  },

  'GET /api/clock': (request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
    const tick = () => {
      const data = { time: new Date().toISOString(), people: io.engine.clientsCount };
      response.write(`data: ${JSON.stringify(data)}\n\n`);
    };
    tick();
    const timer = setInterval(tick, 1000);
    request.once('close', () => clearInterval(timer));
  },
};

io.on('connection', (socket) => {
  const name = nameFromCookies(socket.handshake.headers.cookie) ?? 'somebody';
  if (!socket.recovered) socket.emit('welcome', { name, history });

  socket.on('say', (text, acknowledge) => {
    const message = publish({ name, text: String(text).slice(0, TEXT_LENGTH), isNotice: false });
    acknowledge?.({ id: message.id });
  });
});

function publish({ name, text, isNotice }) {
  const message = { id: randomUUID(), name, text, isNotice, at: new Date().toISOString() };
  history.push(message);
  if (history.length > HISTORY_LENGTH) history.shift();
  io.emit('message', message);
  return message;
}

function nameCookie(name) {
  return `chat_name=${encodeURIComponent(name)}; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax`;
}

function nameFromCookies(cookies = '') {
  const encoded = /(?:^|;\s*)chat_name=([^;]+)/.exec(cookies)?.[1];
  try {
    return encoded && decodeURIComponent(encoded);
  } catch {
    return undefined; // somebody else's cookie of that name
  }
}

function sendJson(response, status, value, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
}

httpServer.listen(PORT, 'localhost', () => {
  console.log(`  chat server on http://localhost:${httpServer.address().port}/ (open devproxy's URL, not this one)`);
});
