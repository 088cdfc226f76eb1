// Every backend of the article, each on a port of its own, and a page that talks to them.
//
// Says {"port": of the page, "ports": {name: port}}. Nothing here knows devproxy: these are the servers that people
// write, mistakes included.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import cors from 'cors';
import express from 'express';
import session from 'express-session';
import { Server } from 'socket.io-v4';
import { endWithInput, say } from '../lib/process.mjs';
import { rest } from '../lib/rest.mjs';

const require = createRequire(import.meta.url);
const PRODUCTION = 'https://app.example.com';

/** Listen on loopback, on a port that the system chooses; resolves with it. */
const listening = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

/** The page, at whatever path: an empty document with both clients and the functions that tests call. */
function pages() {
  const app = express();
  app.get('/client-2.js', (_, response) => response.sendFile(require.resolve('socket.io-client-v2/dist/socket.io.js')));
  app.get('/client-4.js', (_, response) => response.sendFile(require.resolve('socket.io-client-v4/dist/socket.io.js')));
  app.get('/page.js', (_, response) => response.sendFile(new URL('../browser/article.js', import.meta.url).pathname));
  app.get('/{*path}', (_, response) =>
    response.send(
      '<!doctype html><link rel="icon" href="data:,"><title>a page</title>' +
        '<script src="/client-2.js"></script><script>window.io2 = io</script>' +
        '<script src="/client-4.js"></script><script>window.io4 = io</script>' +
        '<script src="/page.js"></script>',
    ),
  );
  return createServer(app);
}

/** A Socket.IO 4 server that answers what the page asks it. */
function socketio(options, httpServer = createServer()) {
  const io = new Server(httpServer, options);
  for (const namespace of ['/', '/admin']) {
    io.of(namespace).on('connection', (socket) => {
      socket.on('who am I', (acknowledge) =>
        acknowledge({
          namespace,
          user: socket.request.session?.user ?? null,
          transport: socket.conn.transport.name,
          origin: socket.handshake.headers.origin ?? null,
          url: socket.handshake.url.replace(/\?.*/, ''),
        }),
      );
    });
  }
  return { httpServer, io };
}

/** "WRONG — Express cors() middleware doesn't apply to Socket.IO". */
function expressCors(page) {
  const app = express();
  app.use(cors({ origin: page }));
  app.get('/api/items', (_, response) => response.json([1, 2, 3]));
  return socketio(undefined, createServer(app)).httpServer;
}

/** "Dynamic origin validation", as the article has it. */
function callback() {
  const allowed = new Set(['http://localhost:3000', PRODUCTION]);
  const origin = (requested, done) => {
    if (!requested || allowed.has(requested)) done(null, true);
    else done(new Error(`Origin ${requested} not allowed`));
  };
  return socketio({ cors: { origin, credentials: true } }).httpServer;
}

/** A server that looks at the Origin itself, as its documentation recommends, and knows production alone. */
function allowRequest(page) {
  return socketio({
    cors: { origin: page },
    allowRequest: ({ headers: { origin } }, done) =>
      origin === undefined || origin === PRODUCTION ? done(null, true) : done(`No page of ${origin} here`, false),
  }).httpServer;
}

/** What nginx's add_header does next to a server that sends the header itself. */
function duplicate(page) {
  const { httpServer, io } = socketio({ cors: { origin: page, credentials: true } });
  io.engine.use((_, response, next) => {
    // The stand-in for a response that an upgrade has cannot append.
    response.appendHeader?.('Access-Control-Allow-Origin', '*');
    next();
  });
  return httpServer;
}

/** "Session-based authentication with Socket.IO", with one attribute or another; CORS is set up well for every page. */
function signedIn(cookie, origins, isBehindTls = false) {
  const app = express();
  const middleware = session({ secret: 'of the test', resave: false, saveUninitialized: false, cookie });
  const policy = { origin: origins, credentials: true };
  if (isBehindTls) app.set('trust proxy', true);
  app.use(cors(policy), middleware);
  app.post('/api/login', (request, response) => {
    request.session.user = request.query.name;
    response.json({ user: request.session.user });
  });
  app.get('/api/me', (request, response) => response.json({ user: request.session.user ?? null }));
  const { httpServer, io } = socketio({ cors: policy }, createServer(app));
  io.engine.use(middleware);
  return httpServer;
}

const pagePort = await listening(pages());
const page = `http://127.0.0.1:${pagePort}`;
const everyPage = [page, `http://localhost:${pagePort}`];
const backends = {
  plain: socketio().httpServer,
  expressCors: expressCors(page),
  wildcard: socketio({ cors: { origin: '*' } }).httpServer,
  array: socketio({ cors: { origin: ['http://localhost:3000', PRODUCTION], credentials: true } }).httpServer,
  callback: callback(),
  allowRequest: allowRequest(page),
  duplicate: duplicate(page),
  lax: signedIn({ sameSite: 'lax' }, everyPage),
  strict: signedIn({ sameSite: 'strict' }, everyPage),
  none: signedIn({ sameSite: 'none' }, everyPage),
  secure: signedIn({ sameSite: 'none', secure: true }, everyPage, true),
  foreignDomain: signedIn({ domain: 'app.example.com' }, everyPage),
  ws: socketio({ path: '/ws' }, createServer(express())).httpServer,
  apiSocket: socketio({ path: '/api/socket' }, createServer(express())).httpServer,
  allowEIO3: socketio({ allowEIO3: true }).httpServer,
  rest: createServer(rest()),
};
const ports = {};
for (const [name, server] of Object.entries(backends)) ports[name] = await listening(server);
say({ port: pagePort, ports });
endWithInput();
