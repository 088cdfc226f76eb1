// A Socket.IO 4 server that says who comes and goes: {"event": "request" | "connection" | "message" | "left", …}.
// Settings: {options}. "left" is said when the last client has gone, and `connection` when one has joined.
import { createServer } from 'node:http';
import { Server } from 'socket.io-v4';
import { listen, say, settings } from '../lib/process.mjs';

const httpServer = createServer((_, response) => response.writeHead(404).end());
httpServer.on('request', ({ method }) => say({ event: 'request', method }));
const io = new Server(httpServer, settings.options);
let joined = false;
io.on('connection', (socket) => {
  joined = true;
  say({ event: 'connection', id: socket.id });
  socket.onAny((name) => say({ event: 'message', name }));
});
io.engine.on('connection', (client) =>
  client.on('close', () =>
    setTimeout(() => {
      const clients = io.engine.clientsCount;
      if (joined && !clients) say({ event: 'left', clients });
    }, 300),
  ),
);
listen(httpServer);
