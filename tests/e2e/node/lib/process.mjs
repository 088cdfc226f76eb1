// What every script here shares: one JSON argument in, JSON lines out, and an end that never waits for anybody.

/** The JSON object given as the first argument. */
export const settings = JSON.parse(process.argv[2] ?? '{}');

/** Print one JSON object on a line of its own. */
export function say(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Listen on loopback, on `port` or one the system chooses, and say which: {"port": 40001}. */
export function listen(httpServer, port = 0) {
  httpServer.on('error', (error) => {
    if (error.code !== 'EADDRINUSE') throw error;
    setTimeout(() => httpServer.listen(port, '127.0.0.1'), 50); // a restart on the port of a killed server
  });
  httpServer.on('listening', () => say({ port: httpServer.address().port }));
  httpServer.listen(port, '127.0.0.1');
  endWithInput();
}

/** End when the test does: standard input is a pipe that closes with the process that started this one. */
export function endWithInput() {
  process.stdin.on('end', () => process.exit(0));
  process.stdin.resume();
}

/** Run a client's scenario, say its result and end; a failure is said as {"failure": …} and ends with 1. */
export async function scenario(run, limitSeconds = 90) {
  const limit = setTimeout(() => fail(new Error(`not finished after ${limitSeconds} s`)), limitSeconds * 1000);
  endWithInput();
  try {
    say({ result: await run(settings) });
    clearTimeout(limit);
    process.stdin.destroy(); // nothing keeps it running now but goodbyes that are still being sent
    setTimeout(() => process.exit(0), 1000).unref();
  } catch (error) {
    fail(error);
  }
}

function fail(error) {
  say({ failure: error.stack ?? String(error) });
  process.stdout.write('', () => process.exit(1));
}

/** Resolves with the arguments of the next `name` event of any emitter. */
export function next(emitter, name) {
  return new Promise((resolve) => {
    const seen = (...args) => {
      (emitter.off ?? emitter.removeListener).call(emitter, name, seen);
      resolve(args);
    };
    emitter.on(name, seen);
  });
}

/** Resolves when `condition` holds. */
export async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
