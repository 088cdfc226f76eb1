// A Socket.IO server of a chosen major version. Settings: {major, options, port}.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { listen, say, settings } from '../lib/process.mjs';

const require = createRequire(import.meta.url);
const { major, options = {}, port } = settings;

const httpServer = createServer((request, response) => {
  const url = new URL(request.url, 'http://server.invalid');
  if (url.pathname === '/api/login') {
    response.setHeader('Set-Cookie', `session=${url.searchParams.get('name')}; Path=/; HttpOnly; SameSite=Lax`);
    return response.end('welcome');
  }
  response.statusCode = 404;
  response.end('not here');
});

const module = require(`socket.io-v${major}`);
const io = major === 2 ? module(httpServer, options) : new module.Server(httpServer, options);

const isAllowed = (socket) => (socket.handshake.auth ?? socket.handshake.query).token === 'secret' ||
  socket.handshake.query.token === 'secret';
io.of('/admin').use((socket, next) => next(isAllowed(socket) ? undefined : new Error('not authorized')));

for (const namespace of ['/', '/admin']) {
  io.of(namespace).on('connection', (socket) => converse(socket, namespace));
}

function converse(socket, namespace) {
  const { handshake, conn } = socket;
  let expected = 0;
  let disorder = 0;

  socket.on('echo', (value, acknowledge) => acknowledge(value));
  socket.on('call me', (value) => socket.emit('called', value));
  socket.on('who am I', (acknowledge) =>
    acknowledge({
      namespace,
      transport: conn.transport.name,
      headers: handshake.headers,
      auth: handshake.auth ?? null,
      query: handshake.query,
    }),
  );
  socket.on('numbered', (number) => {
    if (number !== expected) disorder += 1;
    expected += 1;
    socket.emit('numbered', number);
  });
  socket.on('tally', (acknowledge) => acknowledge({ received: expected, disorder }));
  socket.on('disconnect', (reason) => {
    say({ event: 'disconnect', id: socket.id, namespace, reason });
    if (handshake.query.traveller) for (const number of [1, 2, 3]) io.emit('news', number); // while nobody is there
  });
}

httpServer.on('upgrade', ({ url, headers }) => say({ event: 'upgrade', url, cookie: headers.cookie ?? null }));
listen(httpServer, port);
