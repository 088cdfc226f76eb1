// What the page of examples/chat asks of its server, without the page. Settings: {url}.
import { createHash, randomBytes } from 'node:crypto';
import { next, scenario } from '../lib/process.mjs';
import { ask, connected, open, upgraded } from '../lib/socketio_client.mjs';

await scenario(async ({ url }) => {
  const origin = new URL(url).origin;
  const request = (path, options = {}) => fetch(new URL(path, url), options);
  const asJson = (value) => ({
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Origin: origin },
    body: JSON.stringify(value),
  });

  const first = await request('/api/me');
  const guest = await first.json();
  const nameless = await request('/api/name', asJson({ name: '  ' }));
  const named = await request('/api/name', asJson({ name: 'Žofie' }));
  const cookie = named.headers.getSetCookie()[0].split(';')[0];
  const me = await (await request('/api/me', { headers: { Cookie: cookie } })).json();

  // As a browser does it: the Origin of the page, and the cookie that REST has set.
  const socket = open(4, url, { extraHeaders: { Origin: origin, Cookie: cookie } });
  const welcomed = next(socket, 'welcome');
  await connected(socket);
  const [welcome] = await welcomed;
  await upgraded(socket);

  const told = next(socket, 'message');
  const acknowledged = await ask(socket, 'say', 'Hello');
  const [message] = await told;

  const file = randomBytes(1_500_000);
  const noticed = next(socket, 'message');
  const upload = await request('/api/upload?name=a%20b.bin', { method: 'POST', body: file, headers: { Cookie: cookie } });
  const uploaded = await upload.json();
  const [notice] = await noticed;

  const leaving = new AbortController();
  const clock = await request('/api/clock', { signal: leaving.signal });
  const { value } = await clock.body.getReader().read();
  leaving.abort();
  socket.close();

  const withoutChance = ({ name, text, isNotice }) => ({ name, text, isNotice });
  return {
    guest: /^guest-[0-9a-f]{4}$/.test(guest.name),
    guestCookie: first.headers.getSetCookie()[0].replace(guest.name, '…').split('; ').sort(),
    nameless: nameless.status,
    me,
    welcome: { name: welcome.name, history: welcome.history.length },
    message: withoutChance(message),
    isAcknowledgedById: acknowledged.id === message.id,
    uploaded: { ...uploaded, sha256: uploaded.sha256 === createHash('sha256').update(file).digest('hex') },
    notice: withoutChance(notice),
    clock: clock.headers.get('content-type'),
    clockSays: Object.keys(JSON.parse(/^data: (.*)\n\n/.exec(Buffer.from(value).toString())[1])).sort(),
    transports: socket.transportsUsed,
  };
});
