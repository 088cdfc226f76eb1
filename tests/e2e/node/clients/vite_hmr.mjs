// Vite's HMR WebSocket, opened the way Vite's own client does, beside a Socket.IO client that keeps talking.
// Settings: {url}. Says every HMR message and every acknowledged chat message. Ends with its input.
import { io } from 'socket.io-client-v4';
import WebSocket from 'ws';
import { endWithInput, say, settings } from '../lib/process.mjs';

endWithInput();

const origin = new URL(settings.url).origin;
const client = await (await fetch(new URL('/@vite/client', origin))).text();
const token = /const wsToken = "([^"]+)"/.exec(client)[1];

const hmr = new WebSocket(`${origin.replace('http', 'ws')}/?token=${token}`, 'vite-hmr', { origin });
hmr.on('message', (data) => say({ event: 'hmr', protocol: hmr.protocol, message: JSON.parse(data.toString()) }));
hmr.on('close', (code) => say({ event: 'hmr closed', code }));

const chat = io(origin);
let number = 0;
chat.on('disconnect', (reason) => say({ event: 'chat disconnected', reason }));
chat.on('connect', () => {
  setInterval(() => {
    const text = `message ${(number += 1)}`;
    chat.emit('say', text, () => say({ event: 'said', text, transport: chat.io.engine.transport.name }));
  }, 50);
});
