// Clients of the scaled example, of all kinds: each says which server it is at, one of them speaks, all must hear.
// Settings: {url, clients}.
import { next, scenario, until } from '../lib/process.mjs';
import { open } from '../lib/socketio_client.mjs';

const KINDS = [['polling'], ['polling', 'websocket'], ['websocket']];

await scenario(async ({ url, clients }) => {
  const members = [];
  for (let n = 0; n < clients; n += 1) members.push(await member(url, KINDS[n % KINDS.length]));
  await until(() => members.every(({ socket, transports }) => socket.io.engine.transport.name === transports.at(-1)));
  for (const { socket } of members.slice(0, 6)) socket.emit('say', `from ${socket.id}`);
  await until(() => members.every(({ heard }) => heard.size === 6));
  for (const { socket } of members) socket.close();
  return {
    ports: members.map(({ port }) => port),
    heardFrom: members.map(({ heard }) => [...new Set(heard.values())].sort()),
    disconnects: members.reduce((sum, { disconnects }) => sum + disconnects, 0),
  };
});

async function member(url, transports) {
  const socket = open(4, url, { transports });
  const self = { socket, transports, heard: new Map(), disconnects: 0, port: 0 };
  socket.on('said', ({ text, port }) => self.heard.set(text, port));
  socket.on('disconnect', (reason) => (self.disconnects += reason !== 'io client disconnect'));
  self.port = (await next(socket, 'welcome'))[0].port;
  return self;
}
