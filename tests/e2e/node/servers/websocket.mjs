// An echo server of the library `ws`, with permessage-deflate and subprotocols.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { listen, say } from '../lib/process.mjs';

const httpServer = createServer((request, response) => response.writeHead(426).end('a WebSocket, please'));
const server = new WebSocketServer({
  noServer: true,
  maxPayload: 64 * 1024 * 1024,
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered) => (offered.has('chat.v2') ? 'chat.v2' : false),
});

httpServer.on('upgrade', (request, socket, head) => {
  const { pathname } = new URL(request.url, 'http://server.invalid');
  if (pathname === '/refused') {
    const body = JSON.stringify({ error: 'sign in first' });
    socket.end(
      'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Type: application/json\r\n' +
        `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
    return;
  }
  server.handleUpgrade(request, socket, head, (webSocket) => converse(webSocket, pathname));
});

function converse(webSocket, pathname) {
  webSocket.on('close', (code, reason) => say({ event: 'close', pathname, code, reason: reason.toString() }));
  webSocket.on('ping', (data) => say({ event: 'ping', pathname, data: data.toString() }));
  webSocket.on('message', (data, isBinary) => {
    const text = isBinary ? '' : data.toString();
    if (text === 'close with 4002') webSocket.close(4002, 'so long');
    else if (text === 'die') webSocket.terminate();
    else webSocket.send(data, { binary: isBinary });
  });
  if (pathname === '/greeting') webSocket.send('first words'); // often in the same packet as the 101
}

listen(httpServer);
