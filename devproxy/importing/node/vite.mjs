// What `server` of a Vite project says, resolved by the project's own Vite. Arguments: the file for the facts, and the
// configuration or "".
import { join } from "node:path";
import { entries, fail, load, main, option, packageFolder, script } from "./common.mjs";

await main(async () => {
  const root = process.cwd();
  const folder = packageFolder("vite", root);
  if (folder === null) fail("vite is not installed in this project", "npm install, then once more");
  const { resolveConfig, version } = await load(join(folder, "dist/node/index.js"));
  const line = script(/\bvite(?!\S)(?!\s+(?:build|preview|optimize))/, root);
  const mode = option(line, "--mode", "-m") ?? "development";
  const server = { port: Number(option(line, "--port")) || undefined };
  const configFile = process.argv[3] || option(line, "--config", "-c");
  const config = await resolveConfig({ root, configFile, mode, server, logLevel: "silent" }, "serve", mode, "development");
  const { port, host, https, proxy } = config.server;
  return {
    version,
    file: config.configFile ?? "",
    server: { port: port ?? 5173, host: typeof host === "string" ? host : "", https: Boolean(https) },
    entries: await entries(proxy, (options) => options.rewrite),
  };
});
