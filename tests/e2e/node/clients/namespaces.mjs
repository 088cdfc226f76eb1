// Two namespaces on one connection, and one that refuses a wrong token. Settings: {major, url, options}.
import { scenario } from '../lib/process.mjs';
import { ask, connected, open, refusal } from '../lib/socketio_client.mjs';

await scenario(async ({ url, options = {} }) => {
  const main = open(4, url, options);
  const admin = main.io.socket('/admin', { auth: { token: 'secret' } });
  admin.connect();
  await Promise.all([connected(main), connected(admin)]);

  const stranger = main.io.socket('/nowhere', {});
  const nowhere = refusal(stranger);
  stranger.connect();

  const intruder = open(4, new URL('/admin', url).href, { ...options, auth: { token: 'wrong' } });
  const intruded = refusal(intruder);

  const result = {
    main: (await ask(main, 'who am I')).namespace,
    admin: (await ask(admin, 'who am I')).namespace,
    isOneConnection: main.io.engine === admin.io.engine,
    intruder: (await intruded).message,
    nowhere: (await nowhere).message,
  };
  main.io.engine.close();
  intruder.close();
  return result;
});
