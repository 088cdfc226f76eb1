// One client that is expected to be turned away. Settings: {major, url, options}.
import { next, scenario } from '../lib/process.mjs';
import { open, refusal } from '../lib/socketio_client.mjs';

await scenario(async ({ major, url, options = {} }) => {
  const socket = open(major, url, { timeout: 2000, ...options });
  const outcome = await Promise.race([
    refusal(socket).then((why) => ({ connected: false, ...why })),
    next(socket.io.engine, 'close').then(([reason]) => ({ connected: false, closed: reason })),
    next(socket, 'connect').then(() => ({ connected: true })),
  ]);
  socket.close();
  return outcome;
});
