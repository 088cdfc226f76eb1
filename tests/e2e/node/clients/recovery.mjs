// Connection-state recovery: the connection breaks, news happens meanwhile, the socket comes back and gets it.
// Settings: {url, options}. The server sends three pieces of news when a traveller's connection is gone.
import { next, scenario, until } from '../lib/process.mjs';
import { ask, connected, open } from '../lib/socketio_client.mjs';

await scenario(async ({ url, options = {} }) => {
  const socket = open(4, url, { ...options, query: { traveller: 1 }, reconnection: true, reconnectionDelay: 50 });
  await connected(socket);
  const news = [];
  socket.on('news', (number) => news.push(number));
  const called = next(socket, 'called'); // recovery starts from the last packet seen, so there must be one
  socket.emit('call me', 'once');
  await called;
  await ask(socket, 'echo', 'still here');

  const { id } = socket;
  const back = next(socket, 'connect');
  socket.io.engine.close();
  await back;
  await until(() => news.length >= 3);
  const result = { isRecovered: socket.recovered, isSameId: socket.id === id, news };
  socket.close();
  return result;
});
