// Many clients that connect at once, ask for an echo every so often and, for a while, connect again when they are cut off.
// Settings: {url, major, clients, options, seconds, reconnects}.
import { scenario, until } from '../lib/process.mjs';
import { open } from '../lib/socketio_client.mjs';

await scenario(async ({ url, major = 4, clients, options = {}, seconds = 1, reconnects = false }) => {
  const again = reconnects ? { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200, timeout: 3000 } : {};
  const members = Array.from({ length: clients }, () => member(open(major, url, { ...again, ...options })));
  const connected = () => members.filter(({ socket }) => socket.connected).length;
  const patience = Date.now() + 10_000;
  await until(() => connected() === clients || Date.now() > patience);
  const atFirst = connected();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const last = Date.now() + 30_000;
  for (const one of members) one.echoes = 0;
  await until(() => members.every(({ echoes }) => echoes >= 2) || Date.now() > last);
  const said = {
    connected: atFirst,
    answered: members.filter(({ echoes }) => echoes >= 2).length,
    disconnects: members.reduce((sum, { disconnects }) => sum + disconnects, 0),
    errors: members.flatMap(({ errors }) => errors).slice(0, 5),
    transports: [...new Set(members.map(({ socket }) => socket.io.engine.transport?.name))].sort(),
    processes: new Set(members.map(({ pid }) => pid)).size,
  };
  for (const { socket } of members) socket.close();
  return said;
}, 100);

function member(socket) {
  const one = { socket, echoes: 0, disconnects: 0, errors: [], pid: 0 };
  socket.on('connect', () => socket.emit('who', (pid) => (one.pid = pid)));
  socket.on('disconnect', () => (one.disconnects += 1));
  socket.on('connect_error', (error) => one.errors.push(`${error.message} ${error.description ?? ''}`));
  setInterval(() => {
    if (socket.connected) socket.emit('echo', 'x'.repeat(100), () => (one.echoes += 1));
  }, 200);
  return one;
}
