// A person with Chromium at the chat example. Settings: {url, chromium, folder, profile, screenshots}.
//
// `folder`: the running copy of the example, whose greeting is edited. `profile`: a folder for a new browser profile.
// `screenshots`: a folder for pictures, or null. Says what was seen; judging it is the test's part.
import { createHash, randomBytes } from 'node:crypto';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { scenario } from '../lib/process.mjs';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const PATIENCE_MS = 45_000;

await scenario(async ({ url, chromium: executablePath, folder, profile, screenshots }) => {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    args: FLAGS,
    headless: true,
    viewport: { width: 1100, height: 760 },
    colorScheme: 'light',
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const complaints = [];
  try {
    return await visit(context, { url, folder, screenshots, complaints });
  } finally {
    await context.close();
  }
});

async function visit(context, { url, folder, screenshots, complaints }) {
  const [page] = context.pages();
  const webSockets = [];
  const other = await context.newPage();
  for (const each of [page, other]) watch(each, complaints);
  page.on('websocket', (webSocket) => webSockets.push(webSocket.url()));

  const requests = [];
  page.on('request', (request) => requests.push(request.url()));

  await page.goto(url);
  const transport = page.locator('#transport[data-state=websocket]');
  await transport.waitFor();
  const transportShown = await transport.textContent();

  await other.goto(url);
  await other.locator('#transport[data-state=websocket]').waitFor();

  // A name of one's own goes into a cookie by REST, and from there into the next Socket.IO handshake.
  await page.fill('#name', 'Ada');
  const renamed = page.waitForResponse((response) => response.url().endsWith('/api/name'));
  await page.locator('#name').press('Tab');
  const rename = (await renamed).status();
  await page.getByText('you are Ada').waitFor();
  await transport.waitFor();

  await page.fill('#text', 'Hello from the first window');
  await page.click('#say button');
  await page.locator('#messages li.mine', { hasText: 'Hello from the first window' }).waitFor();
  await other.fill('#text', 'And hello from the second one 👋');
  await other.click('#say button');
  const received = page.locator('#messages li', { hasText: 'And hello from the second one 👋' });
  await received.waitFor();

  const file = { name: 'holiday photo.bin', mimeType: 'application/octet-stream', buffer: randomBytes(3 * 1024 * 1024) };
  await page.setInputFiles('#file', file);
  await page.locator('#uploaded[title]:not([title=""])').waitFor();
  const uploaded = await page.getAttribute('#uploaded', 'title');
  await page.locator('#messages li.notice', { hasText: 'holiday photo.bin' }).waitFor();

  await page.waitForFunction(() => Number(document.getElementById('clock').dataset.ticks) >= 3);

  // Edited while the page is open: the text changes, the document and its socket stay.
  await page.evaluate(() => {
    window.isStillTheSameDocument = true;
  });
  const webSocketsBefore = webSockets.length;
  const edited = 'Edited while the page was open.';
  await writeFile(join(folder, 'src', 'greeting.js'), `export const greeting = ${JSON.stringify(edited)};\n`);
  await page.locator('#greeting', { hasText: edited }).waitFor();
  const webSocketsOpenedByTheEdit = webSockets.length - webSocketsBefore;
  const isStillTheSameDocument = await page.evaluate(() => window.isStillTheSameDocument === true);

  if (screenshots) {
    await page.screenshot({ path: join(screenshots, 'light.png') });
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.screenshot({ path: join(screenshots, 'dark.png') });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.screenshot({ path: join(screenshots, 'narrow.png'), fullPage: true });
  }

  const calm = [...complaints]; // what follows makes Chromium complain, and rightly so

  // An edit of the server restarts it; the page comes back by itself.
  await appendFile(join(folder, 'server.mjs'), '// edited\n');
  await page.locator('#transport[data-state=connecting]').waitFor();
  await transport.waitFor();
  await page.fill('#text', 'Hello again');
  await page.click('#say button');
  await page.locator('#messages li.mine', { hasText: 'Hello again' }).waitFor();
  const isStillTheSameAfterRestart = await page.evaluate(() => window.isStillTheSameDocument === true);

  return {
    transportShown,
    rename,
    author: await received.locator('b').textContent(),
    isUploadIntact: uploaded === createHash('sha256').update(file.buffer).digest('hex'),
    isStillTheSameDocument,
    isStillTheSameAfterRestart,
    webSocketsOpenedByTheEdit,
    webSockets,
    foreign: [...requests, ...webSockets].filter((seen) => new URL(seen).host !== new URL(url).host),
    complaints: calm,
  };
}

/** Everything Chromium would show in red or yellow. */
function watch(page, complaints) {
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('requestfailed', (request) => {
    complaints.push(`failed: ${request.method()} ${request.url()} ${request.failure()?.errorText}`);
  });
}
