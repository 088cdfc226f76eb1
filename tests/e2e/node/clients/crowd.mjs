// Many clients at once, a third each on polling, on polling that upgrades, and on WebSocket alone. Each sends numbered
// messages without waiting and counts what comes back. Settings: {url, clients, messages, options}.
import { scenario, until } from '../lib/process.mjs';
import { ask, connected, open } from '../lib/socketio_client.mjs';

const KINDS = [['polling'], ['polling', 'websocket'], ['websocket']];

await scenario(async ({ url, clients, messages, options = {} }) => {
  const members = await Promise.all(
    Array.from({ length: clients }, (_, n) => member(url, { ...options, transports: KINDS[n % KINDS.length] }, messages)),
  );
  const count = (test) => members.filter(test).length;
  return {
    clients: members.length,
    complete: count(({ received, tally }) => received.length === messages && tally.received === messages),
    inOrder: count(({ received, tally }) => received.every((n, at) => n === at) && tally.disorder === 0),
    endedOnPolling: count(({ transport }) => transport === 'polling'),
    endedOnWebSocket: count(({ transport }) => transport === 'websocket'),
  };
}, 110);

async function member(url, options, messages) {
  const socket = open(4, url, options);
  const received = [];
  socket.on('numbered', (number) => received.push(number));
  await connected(socket);
  for (let number = 0; number < messages; number += 1) socket.emit('numbered', number);
  const wanted = options.transports.at(-1);
  await until(() => received.length >= messages && socket.io.engine.transport.name === wanted);
  const tally = await ask(socket, 'tally');
  const transport = socket.io.engine.transport.name;
  socket.close();
  return { received, tally, transport };
}
