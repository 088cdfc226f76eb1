// What a project of Create React App says: `proxy` in package.json, and src/setupProxy.js, run with an app that notes
// what it is given. Arguments: the file for the facts.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fail, main, packageFolder, plain, script } from "./common.mjs";
import { entry } from "./middleware.mjs";

const METHODS = ["get", "post", "put", "delete", "patch", "options", "head"];
const MADE = Symbol("made by http-proxy-middleware");

/** Put a module that notes its arguments in the place of the project's http-proxy-middleware; its major version. */
function record(require) {
  const folder = packageFolder("http-proxy-middleware", join(process.cwd(), "src"));
  if (folder === null) return 0;
  const path = require.resolve(folder);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const major = Number.parseInt(version, 10);
  const made = (filter, options, strips) =>
    Object.assign((_request, _response, next) => next?.(), { [MADE]: { filter, options, strips }, upgrade() {} });
  const older = (first, second) => {
    if (typeof first === "string" && /^\w+:\/\//.test(first)) {
      const url = new URL(first);
      return made(url.pathname, { target: url.origin, ...second, ws: url.protocol.startsWith("ws") || second?.ws }, false);
    }
    return second === undefined && first !== null && typeof first === "object" && !Array.isArray(first)
      ? made(null, first, false)
      : made(first, second ?? {}, false);
  };
  const newer = (options) => made(options?.pathFilter ?? null, options ?? {}, true);
  const exported = major >= 3 ? { createProxyMiddleware: newer, legacyCreateProxyMiddleware: older } : { createProxyMiddleware: older };
  const helpers = { fixRequestBody: () => {}, responseInterceptor: (f) => f, debugProxyErrorsPlugin: () => {}, loggerPlugin: () => {}, errorResponsePlugin: () => {}, proxyEventsPlugin: () => {} };
  const exports = major < 1 ? Object.assign(older, exported, { default: older }) : { ...helpers, ...exported };
  require.cache[path] = { id: path, filename: path, path: folder, loaded: true, children: [], paths: [], exports };
  return major;
}

/** An Express app that only notes what is mounted where. */
function recordingApp(noted) {
  const take = (methods) => (...given) => {
    const isPath = (value) => typeof value === "string" || value instanceof RegExp || (Array.isArray(value) && typeof value[0] !== "function");
    const mounts = isPath(given[0]) ? [given.shift()].flat() : [""];
    for (const handler of given.flat(Infinity)) {
      for (const mount of mounts) noted.push({ methods, mount, handler, isExact: methods.length > 0 });
    }
    return app;
  };
  const app = new Proxy(function () {}, {
    get(_, name) {
      if (name === "use") return take([]);
      if (METHODS.includes(name)) return take([name.toUpperCase()]);
      if (name === "all") return take(["ALL"]);
      if (name === "then" || typeof name === "symbol") return undefined;
      return () => app;
    },
    apply: () => app,
  });
  return app;
}

async function entries() {
  const path = ["src/setupProxy.js", "src/setupProxy.cjs"].map((name) => join(process.cwd(), name)).find(existsSync);
  if (!path) return [];
  const require = createRequire(path);
  record(require);
  const loaded = require(path);
  const noted = [];
  await (loaded.default ?? loaded)(recordingApp(noted));
  const found = [];
  for (const { methods, mount, handler, isExact } of noted) {
    const made = handler?.[MADE];
    const isPlain = typeof mount === "string" && !/[*?+():]/.test(mount);
    if (made && isPlain && !isExact) {
      found.push(await entry(made.filter, made.options, { mount, strips: made.strips }));
    } else {
      found.push({ mount: isPlain ? mount : "", filter: isPlain ? null : plain(mount), isExact, methods, code: { $code: String(handler).slice(0, 2000) } });
    }
  }
  return found;
}

/** The settings that CRA reads from the environment and its .env files. */
function settings() {
  const found = {};
  for (const name of [".env", ".env.development", ".env.local", ".env.development.local"]) {
    if (!existsSync(name)) continue;
    for (const [, key, value] of readFileSync(name, "utf8").matchAll(/^\s*(PORT|HOST|HTTPS|WDS_SOCKET_PATH)\s*=\s*["']?([^"'\s#]*)/gm)) found[key] = value;
  }
  const [, PORT] = /(?:^|\s|;|&)PORT=(\d+)/.exec(script(/react-scripts\s+start|craco\s+start/)) ?? [];
  return { ...found, ...process.env, ...(PORT ? { PORT } : {}) };
}

await main(async () => {
  if (!existsSync("package.json")) fail("there is no package.json in this folder", "name the folder: devproxy import cra PATH");
  const described = JSON.parse(readFileSync("package.json", "utf8"));
  process.env.NODE_ENV ??= "development";
  const { PORT, HOST, HTTPS, WDS_SOCKET_PATH } = settings();
  return {
    proxy: plain(described.proxy),
    server: { port: Number(PORT) || 3000, host: HOST ?? "", https: HTTPS === "true" },
    socket: WDS_SOCKET_PATH || "/ws",
    entries: await entries(),
  };
});
