// Starts Vite and the chat server in one terminal. When one of them ends, so does the other.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const viteCommand = fileURLToPath(new URL('bin/vite.js', import.meta.resolve('vite/package.json')));

const commands = [[viteCommand], ['--watch', 'server.mjs']];
const children = commands.map((args) => spawn(process.execPath, args, { cwd: folder, stdio: 'inherit' }));

let isStopping = false;

function stop(exitCode) {
  if (isStopping) return;
  isStopping = true;
  process.exitCode = exitCode;
  for (const child of children) child.kill();
}

for (const child of children) child.once('exit', (code) => stop(code ?? 0));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop(0));
