// Several processes behind one port, as PM2's cluster mode has them, each with a Socket.IO server of its own and nothing
// that tells them of each other. Settings: {major, options, workers, restartEveryMs}. A restart kills one worker after
// the other; each is replaced at once.
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { endWithInput, say, settings } from '../lib/process.mjs';

const { major = 4, options = {}, workers = 4, restartEveryMs = 0 } = settings;

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
    socket.on('echo', (value, acknowledge) => acknowledge(value));
    socket.on('who', (acknowledge) => acknowledge(process.pid));
  });
  httpServer.listen(Number(process.env.PORT), '127.0.0.1');
}

function start(port) {
  const fork = () => cluster.fork({ PORT: String(port) });
  let ready = 0;
  cluster.on('listening', () => (ready += 1) === workers && say({ port }));
  cluster.on('exit', fork);
  for (let n = 0; n < workers; n += 1) fork();
  let turn = 0;
  if (!restartEveryMs) return;
  setInterval(() => {
    const all = Object.values(cluster.workers);
    all[(turn += 1) % all.length].process.kill('SIGKILL');
  }, restartEveryMs);
}
