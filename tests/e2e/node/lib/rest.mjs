// A REST backend without a word about CORS: it answers with what it was asked, streams, and sends events.
import express from 'express';

export function rest() {
  const app = express();
  const waiting = new Set();

  app.all('/api/echo', (request, response) => {
    const { origin = null, authorization = null, 'x-tenant': tenant = null, cookie = null } = request.headers;
    response.set({ 'X-Total': '3', ETag: '"7"' });
    response.json({ method: request.method, origin, authorization, tenant, cookie });
  });
  app.get('/api/cookie', (_, response) => response.cookie('user', 'Ada', { sameSite: 'lax', httpOnly: true }).end());
  app.get('/api/failure', (_, response) => response.status(500).json({ error: 'the database is gone' }));
  app.get('/api/old', (_, response) => response.redirect('/api/echo'));

  // "first" at once; "second" when somebody asks for it.
  app.get('/api/stream', (_, response) => {
    response.type('text/plain').write('first');
    waiting.add(response);
    response.once('close', () => waiting.delete(response));
  });
  app.post('/api/stream/more', (_, response) => {
    for (const one of waiting) one.end('second');
    response.json(waiting.size);
  });
  app.get('/api/events', (request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
    response.write(`data: ${request.headers.cookie ?? 'nobody'}\n\n`);
  });
  return app;
}
