// Several processes behind one port, as PM2's cluster mode has them, each with a Socket.IO server of its own and nothing
// that tells them of each other. Settings: {major, options, workers, restartEveryMs, restarts, restartsAfter}. A restart
// kills one worker after the other, each once that before it is replaced, the first once so many sockets have connected.
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { endWithInput, say, settings } from '../lib/process.mjs';

const { major = 4, options = {}, workers = 4, restartEveryMs = 0, restarts = 0, restartsAfter = 0 } = settings;

if (cluster.isPrimary) {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => start(port));
  });
  endWithInput();
} else {
  const require = createRequire(import.meta.url);
  const httpServer = createServer((request, response) => response.end(String(process.pid)));
  const module = require(`socket.io-v${major}`);
  const io = major === 2 ? module(httpServer, options) : new module.Server(httpServer, options);
  io.on('connection', (socket) => {
    process.send('connected');
    socket.on('echo', (value, acknowledge) => acknowledge(value));
    socket.on('who', (acknowledge) => acknowledge(process.pid));
  });
  httpServer.listen(Number(process.env.PORT), '127.0.0.1');
}

function start(port) {
  let forked = 0;
  let ready = 0;
  let connected = 0;
  const fork = () => {
    forked += 1;
    cluster.fork({ PORT: String(port) });
  };
  cluster.on('listening', () => (ready += 1) === workers && say({ port }));
  cluster.on('message', () => (connected += 1));
  cluster.on('exit', fork);
  for (let n = 0; n < workers; n += 1) fork();
  let turn = 0;
  if (!restartEveryMs) return;
  setInterval(() => {
    if (turn === restarts || ready < forked || connected < restartsAfter) return;
    const all = Object.values(cluster.workers);
    all[(turn += 1) % all.length].process.kill('SIGKILL');
  }, restartEveryMs);
}
