// What `devServer` of a webpack configuration says. Arguments: the file for the facts, and the configuration or "".
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fail, load, main, option, packageFolder, plain, script } from "./common.mjs";
import { entry } from "./middleware.mjs";

const NAMES = ["webpack.config", ".webpack/webpack.config", ".webpack/webpackfile"];
const ENDINGS = ["js", "cjs", "mjs", "ts", "cts", "mts"];
const LOADERS = ["tsx/cjs", "ts-node/register/transpile-only", "esbuild-register/dist/node", "@swc-node/register"];

function found() {
  for (const name of NAMES) {
    for (const ending of ENDINGS) {
      const path = join(process.cwd(), `${name}.${ending}`);
      if (existsSync(path)) return path;
    }
  }
  return fail("there is no webpack.config.js in this folder", "name it: devproxy import webpack PATH");
}

async function configuration(path) {
  const require = createRequire(path);
  if (/\.[cm]?ts$/.test(path)) {
    LOADERS.some((name) => {
      try {
        require(name);
        return true;
      } catch {
        return false;
      }
    });
    if (!path.endsWith(".mts")) return require(path);
  }
  return load(path);
}

async function settled(loaded) {
  let value = loaded?.default ?? loaded;
  if (value?.default && Object.keys(value).length <= 2) value = value.default;
  if (typeof value === "function") value = value({ WEBPACK_SERVE: true }, { mode: "development", env: { WEBPACK_SERVE: true } });
  value = await value;
  const all = Array.isArray(value) ? value : [value];
  const settledOnes = await Promise.all(all.map((one) => (typeof one === "function" ? one({ WEBPACK_SERVE: true }, {}) : one)));
  return settledOnes.find((one) => one?.devServer) ?? settledOnes[0] ?? {};
}

/** The entries of `proxy`: a list since version 5, an object of contexts before that. */
export async function proxyEntries(proxy) {
  const list = Array.isArray(proxy)
    ? proxy
    : typeof proxy?.target === "string" || proxy?.router
      ? [proxy]
      : Object.entries(proxy ?? {}).map(([context, value]) => ({
          ...(typeof value === "string" ? { target: value } : value),
          context: context.replace(/^\*$/, "**").replace(/\/\*$/, ""),
        }));
  const made = [];
  for (const item of list) {
    const options = typeof item === "function" ? item() : item;
    const filter = options?.context ?? options?.path;
    if (typeof item === "function") made.push({ filter: plain(filter), code: plain(item) });
    else if (filter === undefined && options?.target) made.push({ filter: null, code: { $code: "an entry without `context`" } });
    else made.push(await entry(filter, options));
  }
  return made;
}

await main(async () => {
  const path = process.argv[3] || found();
  const { devServer } = await settled(await configuration(path));
  const folder = packageFolder("webpack-dev-server");
  const version = folder ? createRequire(join(folder, "package.json"))("./package.json").version : "";
  const server = devServer?.server;
  const port = Number(option(script(/\bwebpack(?:-dev-server|\s+serve)\b/), "--port") ?? devServer?.port);
  const hooks = ["setupMiddlewares", "onBeforeSetupMiddleware", "onAfterSetupMiddleware", "before", "after"];
  return {
    version,
    file: path,
    server: {
      port: Number.isInteger(port) && port > 0 ? port : 8080,
      host: typeof devServer?.host === "string" ? devServer.host : "",
      https: (typeof server === "string" ? server : server?.type) === "https" || Boolean(devServer?.https),
    },
    socket: typeof devServer?.webSocketServer?.options?.path === "string" ? devServer.webSocketServer.options.path : "/ws",
    entries: await proxyEntries(devServer?.proxy),
    hooks: Object.fromEntries(hooks.filter((name) => typeof devServer?.[name] === "function").map((name) => [name, plain(devServer[name])])),
  };
});
