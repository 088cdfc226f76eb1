// Big messages there and back. Settings: {major, url, options, size}.
import { createHash, randomBytes } from 'node:crypto';
import { scenario } from '../lib/process.mjs';
import { ask, connected, open, upgraded } from '../lib/socketio_client.mjs';

const digest = (value) => createHash('sha256').update(value).digest('hex');

await scenario(async ({ major, url, options = {}, size }) => {
  const socket = await connected(open(major, url, options));
  if (options.transports.includes('websocket')) await upgraded(socket);
  const bytes = randomBytes(size);
  const text = randomBytes(size / 2).toString('hex');
  const echoedBytes = await ask(socket, 'echo', bytes);
  const echoedText = await ask(socket, 'echo', text);
  socket.close();
  return {
    bytesIntact: echoedBytes.length === size && digest(echoedBytes) === digest(bytes),
    textIntact: echoedText.length === size && digest(echoedText) === digest(text),
    transports: socket.transportsUsed,
  };
});
