// One client, everything small: text, Unicode, binary, nested binary, both directions, before and after the upgrade.
// Settings: {major, url, options}. With websocket among the transports it goes on until the connection runs over it.
import { scenario } from '../lib/process.mjs';
import { ask, connected, open, upgraded } from '../lib/socketio_client.mjs';
import { next } from '../lib/process.mjs';
import { isDeepStrictEqual } from 'node:util';

const BYTES = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
const VALUES = {
  text: 'hello',
  empty: '',
  unicode: 'Příliš žluťoučký kůň 🐎 \u2028 \u0000 \x1e 漢字',
  structure: { list: [1, 2.5, null, true], deep: { deeper: {} } },
  bytes: BYTES,
  'nested bytes': { parts: [BYTES.subarray(0, 1), { last: BYTES }] },
};

await scenario(async ({ major, url, options = {} }) => {
  const socket = await connected(open(major, url, options));
  const failed = await differences(socket);
  if ((options.transports ?? ['websocket']).includes('websocket')) {
    await upgraded(socket);
    failed.push(...(await differences(socket)));
  }
  const me = await ask(socket, 'who am I');
  const { id, transportsUsed } = socket;
  socket.close();
  return { id, transports: transportsUsed, failed, me };
});

async function differences(socket) {
  const failed = [];
  for (const [name, value] of Object.entries(VALUES)) {
    if (!isDeepStrictEqual(await ask(socket, 'echo', value), value)) failed.push(`echo ${name}`);
    const called = next(socket, 'called');
    socket.emit('call me', value);
    if (!isDeepStrictEqual((await called)[0], value)) failed.push(`called ${name}`);
  }
  return failed;
}
