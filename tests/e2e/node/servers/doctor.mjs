// Servers that people write, each with one mistake, and the same without: what `devproxy doctor` is tried on.
//
// Says {"port": of the first, "ports": {name: port}}. Settings: {"page": the origin that is meant to be let in}.
import { createServer, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { createRequire } from 'node:module';
import cors from 'cors';
import express from 'express';
import session from 'express-session';
import { Server } from 'socket.io-v4';
import { WebSocketServer } from 'ws';
import { endWithInput, say, settings } from '../lib/process.mjs';

const require = createRequire(import.meta.url);
const { page = 'http://localhost:3000' } = settings;
const OTHER = 'https://app.example.com';
const let_in = { origin: [page], credentials: true };

/** A Socket.IO 4 server. `prepare` is given it. */
function socketio(options, httpServer = createServer((_, response) => response.writeHead(404).end()), prepare) {
  const io = new Server(httpServer, options);
  io.on('connection', (socket) => socket.on('echo', (value, acknowledge) => acknowledge(value)));
  prepare?.(io);
  return httpServer;
}

function old(major, options) {
  const httpServer = createServer((_, response) => response.writeHead(404).end());
  const module = require(`socket.io-v${major}`);
  if (major === 2) module(httpServer, options);
  else new module.Server(httpServer, options);
  return httpServer;
}

/** An Express application, and Socket.IO beside it where there are `options`. */
function application(build, options) {
  const app = express();
  build(app);
  const httpServer = createServer(app);
  if (options) socketio(options, httpServer);
  return httpServer;
}

const items = (app) => {
  app.get('/api/items', (_, response) => response.json([1, 2, 3]));
  app.post('/api/items', (_, response) => response.status(201).json({}));
};

/** A proxy in front of the servers at `ports`, each request to the next one. `change` is given the answer's headers. */
function proxy(targets, { upgrade = 'pass', change = () => {}, hoards = false, collect = 0, idle = 0 } = {}) {
  let turn = 0;
  const next = () => targets[(turn += 1) % targets.length];
  const server = createServer((request, response) => {
    const { port } = next().address();
    const headers = { ...request.headers };
    import('node:http').then(({ request: ask }) => {
      const asked = ask({ host: '127.0.0.1', port, path: request.url, method: request.method, headers }, (answer) => {
        const answered = { ...answer.headers };
        change(answered);
        const pieces = [];
        if (!hoards) return answer.pipe(response.writeHead(answer.statusCode, answered));
        answer.on('data', (piece) => pieces.push(piece));
        answer.on('end', () => response.writeHead(answer.statusCode, answered).end(Buffer.concat(pieces)));
      });
      if (idle) asked.setTimeout(idle, () => response.writableEnded || response.writeHead(504).end('too slow'));
      asked.on('error', () => response.destroy());
      response.on('close', () => asked.destroy());
      request.pipe(asked);
    });
  });
  if (upgrade === 'strip') {
    // No listener for upgrades: Node treats the request as any other, and the headers of a hop are not passed on.
    server.removeAllListeners('upgrade');
    const [answer] = server.listeners('request');
    server.removeAllListeners('request');
    server.on('request', (request, response) => {
      delete request.headers.upgrade;
      request.headers.connection = 'close';
      answer(request, response);
    });
    return server;
  }
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    if (typeof upgrade === 'number') {
      const text = 'no upgrades here';
      socket.end(`HTTP/1.1 ${upgrade} Refused\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`);
      return;
    }
    if (upgrade === 'close') return socket.destroy();
    const there = connect(next().address().port, '127.0.0.1', () => {
      const lines = [`${request.method} ${request.url} HTTP/1.1`];
      for (let n = 0; n < request.rawHeaders.length; n += 2) lines.push(`${request.rawHeaders[n]}: ${request.rawHeaders[n + 1]}`);
      there.write(`${lines.join('\r\n')}\r\n\r\n`);
      there.write(head);
      socket.pipe(there);
      if (!collect) return there.pipe(socket);
      let isFirst = true;
      there.on('data', (data) => {
        if (isFirst) socket.write(data);
        else setTimeout(() => socket.write(data), collect);
        isFirst = false;
      });
    });
    if (idle) socket.setTimeout(idle, () => socket.destroy());
    there.on('error', () => socket.destroy());
    socket.on('close', () => there.destroy());
    there.on('close', () => socket.destroy());
  });
  return server;
}

/** Put `answers` in front of a server: a request that it takes goes no further, be it for a WebSocket or not. */
function inFront(httpServer, answers) {
  const upgrades = httpServer.listeners('upgrade');
  httpServer.removeAllListeners('upgrade');
  httpServer.on('upgrade', (request, socket, head) => {
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    if (answers(request, response)) return response.on('finish', () => socket.end());
    response.detachSocket(socket);
    for (const listener of upgrades) listener.call(httpServer, request, socket, head);
  });
  const listeners = httpServer.listeners('request');
  httpServer.removeAllListeners('request');
  httpServer.on('request', (request, response) => {
    if (answers(request, response)) return;
    for (const listener of listeners) listener.call(httpServer, request, response);
  });
  return httpServer;
}

const guarded = (request, response, next) =>
  request.headers.authorization ? next() : response.status(401).json({ error: 'no token' });

const good = () => socketio({ cors: let_in });
const behind = [];
/** A server that only a proxy here asks. */
const inner = (server) => (behind.push(server), server);

const events = application((app) => {
  app.use(cors(let_in));
  app.get('/events', (_, response) => response.set('Content-Type', 'text/event-stream').write('data: now\n\n'));
});

const servers = {
  // -- CORS of Socket.IO
  noCors: socketio(undefined),
  expressCors: application((app) => (app.use(cors(let_in)), items(app)), {}),
  wildcard: socketio({ cors: { origin: '*' } }),
  noCredentials: socketio({ cors: { origin: [page] } }),
  list: socketio({ cors: { origin: ['http://localhost:5173', OTHER], credentials: true } }),
  expression: socketio({ cors: { origin: /\.example\.com$/ } }),
  fixed: socketio({ cors: { origin: OTHER } }),
  callback: socketio({
    cors: { origin: (asked, done) => (!asked || asked === OTHER ? done(null, true) : done(new Error('not allowed'))) },
  }),
  slash: socketio({ cors: { origin: `${page}/` } }),
  path: socketio({ cors: { origin: `${page}/app` } }),
  upperCase: socketio({ cors: { origin: page.toUpperCase() } }),
  several: socketio({ cors: { origin: `${page}, ${OTHER}` } }),
  duplicate: socketio({ cors: let_in }, undefined, (io) =>
    io.engine.use((_, response, next) => {
      response.appendHeader?.('Access-Control-Allow-Origin', '*');
      next();
    }),
  ),
  reflected: socketio({ cors: { origin: true, credentials: true } }),
  // -- refusals
  allowRequest: socketio({
    cors: let_in,
    allowRequest: ({ headers: { origin } }, done) => (!origin || origin === OTHER ? done(null, true) : done('no', false)),
  }),
  allowRequestToken: socketio({ cors: let_in, allowRequest: (_, done) => done('token missing', false) }),
  verifyClient: socketio({ cors: let_in }, undefined, (io) => {
    const { handleUpgrade } = io.engine;
    io.engine.handleUpgrade = (request, socket, head) =>
      [undefined, OTHER].includes(request.headers.origin)
        ? handleUpgrade.call(io.engine, request, socket, head)
        : socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  }),
  engineGuard: socketio({ cors: let_in }, undefined, (io) =>
    io.engine.use((request, response, next) => {
      if (request.headers.authorization) return next();
      response.writeHead(401, { 'WWW-Authenticate': 'Bearer' }).end('sign in first');
    }),
  ),
  loginRedirect: createServer((_, response) => response.writeHead(302, { Location: '/login?next=/' }).end()),
  middleware: socketio({ cors: let_in }, undefined, (io) => io.use((_, next) => next(new Error('authentication error')))),
  fullHouse: socketio({ cors: let_in }, undefined, (io) => io.use((_, next) => next(new Error('the room is full')))),
  namespaces: socketio({ cors: let_in }, undefined, (io) => io.of('/admin').on('connection', () => {})),
  // -- versions and paths
  version2: old(2, {}),
  version2Named: old(2, { origins: page.replace('http://', '') }),
  version3: old(3, { cors: let_in }),
  allowEIO3: socketio({ cors: let_in, allowEIO3: true }),
  ws: socketio({ path: '/ws', cors: let_in }, createServer(express())),
  apiSocket: socketio({ path: '/api/socket', cors: let_in }, createServer(express())),
  prefixed: socketio({ path: '/chat/socket.io', cors: let_in }, createServer(express())),
  noSlash: inFront(socketio({ path: '/api/socket', addTrailingSlash: false, cors: let_in }), (request, response) => {
    const { pathname, search } = new URL(request.url, 'http://server.invalid');
    if (!pathname.endsWith('/') || pathname === '/') return false;
    response.writeHead(308, { Location: pathname.slice(0, -1) + search }).end();
    return true;
  }),
  websocketOnly: socketio({ transports: ['websocket'], cors: let_in }),
  pollingOnly: socketio({ transports: ['polling'], cors: let_in }),
  // -- what is in between
  stripped: proxy([inner(good())], { upgrade: 'strip' }),
  refused404: proxy([inner(good())], { upgrade: 404 }),
  refused426: proxy([inner(good())], { upgrade: 426 }),
  closed: proxy([inner(good())], { upgrade: 'close' }),
  unsticky: proxy([inner(good()), inner(good())]),
  sticky: proxy([inner(good())]),
  corsStripped: proxy([inner(good())], { change: (headers) => delete headers['access-control-allow-origin'] }),
  late: proxy([inner(good())], { collect: 1500 }),
  impatient: proxy([inner(good())], { idle: 600 }),
  down: createServer((_, response) => response.writeHead(502).end('Bad Gateway')),
  toHttps: createServer((request, response) =>
    response.writeHead(301, { Location: `https://${request.headers.host}${request.url}` }).end(),
  ),
  // -- preflights
  routedPreflight: application((app) => {
    app.get('/api/items', cors(let_in), (_, response) => response.json([]));
    app.post('/api/items', cors(let_in), (_, response) => response.json({}));
  }),
  guardFirst: application((app) => (app.use(guarded, cors(let_in)), items(app))),
  redirectedPreflight: createServer((request, response) =>
    request.method === 'OPTIONS'
      ? response.writeHead(302, { Location: '/login' }).end()
      : response.writeHead(200, { 'Access-Control-Allow-Origin': page, 'Content-Type': 'application/json' }).end('{}'),
  ),
  failedPreflight: createServer((request, response) =>
    response
      .writeHead(request.method === 'OPTIONS' ? 500 : 200, {
        'Access-Control-Allow-Origin': page,
        'Content-Type': 'application/json',
      })
      .end('{}'),
  ),
  narrowPreflight: application((app) => (app.use(cors({ ...let_in, allowedHeaders: ['x-token'] })), items(app))),
  socketPreflight: inFront(good(), ({ method }, response) => method === 'OPTIONS' && response.writeHead(401).end()),
  // -- REST
  rest: application(items),
  restWildcard: application((app) => (app.use(cors()), items(app))),
  restList: application((app) => (app.use(cors({ origin: ['http://localhost:4200'] })), items(app))),
  restGood: application((app) => (app.use(cors(let_in)), items(app))),
  restReadOnly: application((app) => (app.use(cors({ ...let_in, methods: ['GET'] })), items(app))),
  packedEvents: application((app) => {
    app.use(cors(let_in));
    app.get('/events', (request, response) => {
      response.set('Content-Type', 'text/event-stream');
      if (request.headers['accept-encoding']?.includes('gzip')) {
        response.set('Content-Encoding', 'gzip').flushHeaders(); // and keeps what there is to send to itself
      } else response.write('data: now\n\n');
    });
  }),
  events,
  hoarded: proxy([events], { hoards: true }),
  // -- cookies
  noneWithoutSecure: signedIn({ sameSite: 'none' }),
  foreignDomain: signedIn({ domain: 'app.example.com' }),
  lax: signedIn({ sameSite: 'lax' }),
  // -- something else
  plainWebSocket: (() => {
    const httpServer = createServer((_, response) => response.writeHead(426).end('Upgrade Required'));
    new WebSocketServer({ server: httpServer }).on('connection', (socket) => socket.send('hello'));
    return httpServer;
  })(),
  expressAlone: application((app) => app.get('/', (_, response) => response.send('<!doctype html><h1>hello'))),
  silent: createServer(() => {}),
  garbage: createServer().on('connection', (socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.2\r\n')),
  endlessHead: createServer().on('connection', (socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 200 OK\r\n');
    const more = () => socket.writable && socket.write('x-more: 1\r\n'.repeat(500), () => setImmediate(more));
    more();
  }),
  endlessBody: createServer((_, response) => {
    const more = () => response.writable && response.write('a'.repeat(20000), () => setImmediate(more));
    more();
  }),
  redirectLoop: createServer((request, response) => response.writeHead(302, { Location: request.url }).end()),
  // -- and what is right
  good: good(),
  other: good(),
  guardedSocket: socketio({
    cors: let_in,
    allowRequest: ({ headers: { origin } }, done) => done(null, !origin || origin === page),
  }),
  open: socketio({ cors: { origin: '*' } }),
};

function signedIn(cookie) {
  return application(
    (app) => {
      app.use(cors(let_in), session({ secret: 'of the test', resave: false, saveUninitialized: true, cookie }));
      items(app);
    },
    undefined,
  );
}

const listening = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
await Promise.all(behind.map(listening));
const ports = {};
for (const [name, server] of Object.entries(servers)) ports[name] = await listening(server);
const six = socketio({ cors: let_in });
await new Promise((resolve) => six.listen(0, '::1', resolve));
ports.ipv6 = six.address().port;
say({ port: ports.good, ports });
endWithInput();
