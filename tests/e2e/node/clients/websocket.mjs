// The library `ws` as a client. Settings: {url}.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import WebSocket from 'ws';
import { scenario } from '../lib/process.mjs';

const digest = (value) => createHash('sha256').update(value).digest('hex');

await scenario(async ({ url }) => ({
  echo: await echo(`${url}echo`),
  plain: await plain(`${url}plain`),
  greeting: await greeting(`${url}greeting`),
  closedByServer: await closedBy(`${url}server-closes`, (socket) => socket.send('close with 4002')),
  closedByClient: await closedBy(`${url}client-closes`, (socket) => socket.close(4001, 'bye')),
  killedByServer: await closedBy(`${url}server-dies`, (socket) => socket.send('die')),
  killedByClient: await closedBy(`${url}client-dies`, (socket) => socket.terminate()),
  refused: await refused(`${url}refused`),
}));

/** Subprotocol and permessage-deflate agreed; text, binary, fragments and a ping come through. */
async function echo(url) {
  const socket = new WebSocket(url, ['chat.v1', 'chat.v2'], { perMessageDeflate: { threshold: 0 } });
  await once(socket, 'open');
  const ask = async (value, options) => {
    const answer = once(socket, 'message');
    socket.send(value, options);
    const [data, isBinary] = await answer;
    return { data, isBinary };
  };

  const noise = randomBytes(1024 * 1024);
  const text = 'compressible '.repeat(100_000);
  const binary = await ask(noise);
  const compressed = await ask(text);

  const answer = once(socket, 'message');
  for (const part of ['frag', 'men', 'ted']) socket.send(part, { fin: part === 'ted' });
  const [fragmented] = await answer;

  const pong = once(socket, 'pong');
  socket.ping('are you there');
  const [ponged] = await pong;

  const { protocol, extensions } = socket;
  socket.close();
  await once(socket, 'close');
  return {
    protocol,
    extensions,
    binary: binary.isBinary && digest(binary.data) === digest(noise),
    compressed: !compressed.isBinary && compressed.data.toString() === text,
    fragmented: fragmented.toString(),
    pong: ponged.toString(),
  };
}

/** Nothing offered, nothing agreed. */
async function plain(url) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await once(socket, 'open');
  const { protocol, extensions } = socket;
  socket.close();
  await once(socket, 'close');
  return { protocol, extensions };
}

/** What the server says right after the 101 arrives without the client having said anything. */
async function greeting(url) {
  const socket = new WebSocket(url);
  const [data] = await once(socket, 'message');
  socket.close();
  await once(socket, 'close');
  return data.toString();
}

async function closedBy(url, act) {
  const socket = new WebSocket(url);
  await once(socket, 'open');
  const closed = once(socket, 'close');
  act(socket);
  const [code, reason] = await closed;
  return { code, reason: reason.toString() };
}

/** An upgrade answered with 401: status, fields and body reach the client. */
async function refused(url) {
  const socket = new WebSocket(url);
  const [, response] = await once(socket, 'unexpected-response');
  const body = (await response.toArray()).join('');
  return { status: response.statusCode, challenge: response.headers['www-authenticate'], body };
}
