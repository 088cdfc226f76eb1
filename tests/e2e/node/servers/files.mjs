// Uploads, downloads and Server-Sent Events on plain node:http. Says what it saw: {"event": …}.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { listen, say } from '../lib/process.mjs';

const CHUNK = Buffer.alloc(64 * 1024, (() => Buffer.from(Array.from({ length: 251 }, (_, n) => n)))());

const handlers = {
  '/api/upload': async (request, response) => {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of request) {
      hash.update(chunk);
      size += chunk.length;
    }
    const { 'content-length': length = null, 'transfer-encoding': coding = null } = request.headers;
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ size, sha256: hash.digest('hex'), length, coding, method: request.method }));
  },

  // ?size=…&length=known|chunked: that many bytes, of a pattern that no chunk size divides.
  '/api/download': async (request, response, query) => {
    let left = Number(query.get('size'));
    if (query.get('length') === 'known') response.setHeader('Content-Length', left);
    while (left > 0) {
      const part = CHUNK.subarray(0, Math.min(left, CHUNK.length));
      left -= part.length;
      if (!response.write(part)) await new Promise((resolve) => response.once('drain', resolve));
    }
    response.end();
  },

  // The first event at once; then one for each line of standard input; never an end of its own.
  '/api/events': (request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
    response.write('data: first\n\n');
    const forward = (line) => response.write(`data: ${line.toString().trim()}\n\n`);
    process.stdin.on('data', forward);
    response.once('close', () => {
      process.stdin.off('data', forward);
      say({ event: 'events closed' });
    });
  },
};

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://server.invalid');
  const handler = handlers[url.pathname];
  if (handler) return handler(request, response, url.searchParams);
  response.writeHead(404).end();
});

listen(server);
