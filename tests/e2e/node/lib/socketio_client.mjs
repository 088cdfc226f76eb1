// Socket.IO clients of three major versions behind one face.
import { createRequire } from 'node:module';
import { next, until } from './process.mjs';

const require = createRequire(import.meta.url);

/** A socket of socket.io-client 2, 3 or 4, connecting at once, on a connection of its own. */
export function open(major, url, options = {}) {
  const client = require(`socket.io-client-v${major}`);
  const socket = (client.io ?? client)(url, { forceNew: true, reconnection: false, ...options });
  socket.transportsUsed = [];
  const { engine } = socket.io;
  engine.on('open', () => socket.transportsUsed.push(engine.transport.name));
  engine.on('upgrade', (transport) => socket.transportsUsed.push(transport.name));
  return socket;
}

/** The socket once it is connected; an error with everything the client knows when it is refused. */
export async function connected(socket) {
  await Promise.race([
    next(socket, 'connect'),
    refusal(socket).then((why) => {
      throw new Error(`refused: ${JSON.stringify(why)}`);
    }),
  ]);
  return socket;
}

/** What the client is told when it is refused; numbers and texts only, so that two refusals can be compared. */
export async function refusal(socket) {
  const [error] = await next(socket, 'connect_error');
  const { description, context } = error;
  return {
    message: error.message,
    data: error.data ?? null,
    description: typeof description === 'object' ? (description?.message ?? null) : (description ?? null),
    status: context?.status ?? null,
    body: context?.responseText ?? null,
  };
}

/** Resolves when the connection runs over WebSocket. */
export function upgraded(socket) {
  return until(() => socket.io.engine.transport?.name === 'websocket');
}

/** Emit and resolve with what the other side acknowledges. */
export function ask(socket, event, ...args) {
  return new Promise((resolve, reject) => {
    socket.once('disconnect', (reason) => reject(new Error(`disconnected while asking ${event}: ${reason}`)));
    socket.emit(event, ...args, resolve);
  });
}
