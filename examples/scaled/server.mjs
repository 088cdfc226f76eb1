// One of several Socket.IO servers that are one to their clients: Redis carries what one of them emits to the others.
//
// Nothing here is about devproxy, and no cookie is needed: `sticky = "socketio"` finds the server of a session by its id.
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const REDIS_URL = process.env.REDIS_URL ?? 'redis://localhost:6379';

const publisher = createClient({ url: REDIS_URL });
const subscriber = publisher.duplicate();
for (const client of [publisher, subscriber]) client.on('error', (error) => console.error(`redis: ${error.message}`));
await Promise.all([publisher.connect(), subscriber.connect()]);

const httpServer = createServer((request, response) => {
  if (request.url !== '/') return response.writeHead(404).end('not here\n');
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page);
});

const io = new Server(httpServer, { adapter: createAdapter(publisher, subscriber) });

io.on('connection', (socket) => {
  const { port } = httpServer.address();
  socket.emit('welcome', { port });
  socket.on('say', (text) => io.emit('said', { text: String(text).slice(0, 500), port })); // to the clients of all servers
});

const page = `<!doctype html><meta charset="utf-8"><title>Scaled</title>
<p>This page is connected to the server on port <b id="port">…</b>.</p>
<form><input autofocus placeholder="Say something to all"></form><ul></ul>
<script src="/socket.io/socket.io.js"></script>
<script>
  const socket = io();
  socket.on('welcome', ({ port }) => (document.querySelector('#port').textContent = port));
  socket.on('said', ({ text, port }) => {
    const item = document.createElement('li');
    item.textContent = text + ' (said at ' + port + ')';
    document.querySelector('ul').append(item);
  });
  document.querySelector('form').onsubmit = (event) => {
    event.preventDefault();
    const input = document.querySelector('input');
    socket.emit('say', input.value);
    input.value = '';
  };
</script>`;

httpServer.listen(Number(process.env.PORT ?? 3001), 'localhost', () => {
  console.log(`http://localhost:${httpServer.address().port}/`);
});
