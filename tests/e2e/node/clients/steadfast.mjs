// Three clients that stay: whenever one is connected it asks for an echo every 50 ms. Each thing that happens is said.
// Settings: {url}. Ends with its input.
import { endWithInput, say, settings } from '../lib/process.mjs';
import { open } from '../lib/socketio_client.mjs';

const KINDS = { polling: ['polling'], upgrading: ['polling', 'websocket'], websocket: ['websocket'] };

endWithInput();
for (const [client, transports] of Object.entries(KINDS)) {
  const socket = open(4, settings.url, {
    transports,
    reconnection: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 300,
    timeout: 5000,
  });
  let connection = 0;
  socket.on('connect', () => say({ client, event: 'connect', connection: (connection += 1) }));
  socket.on('disconnect', (reason) => say({ client, event: 'disconnect', connection, reason }));
  setInterval(() => {
    if (!socket.connected) return;
    const asked = connection;
    socket.emit('echo', asked, () => {
      const transport = socket.io.engine.transport.name;
      say({ client, event: 'echo', connection: asked, transport });
    });
  }, 50);
}
