// What `rewrites` of a Next project say, by Next's own loadConfig, and which paths the project itself has. Arguments:
// the file for the facts.
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fail, main, option, packageFolder, plain, script } from "./common.mjs";

const MAX_FILES = 2000;

/** The files below `folder`, as paths that begin with a slash; those of at most MAX_FILES entries. */
function files(folder, base = "", found = []) {
  if (!existsSync(folder)) return found;
  for (const item of readdirSync(folder, { withFileTypes: true })) {
    if (found.length >= MAX_FILES) break;
    const name = `${base}/${item.name}`;
    if (item.isDirectory()) files(join(folder, item.name), name, found);
    else if (item.isFile()) found.push(name);
  }
  return found;
}

/** The path of a page or route file, in Next's notation (`[id]`), or null. */
function pagePath(file, kind) {
  const bare = file.replace(/\.(?:tsx?|jsx?|mdx?)$/, "");
  if (bare === file) return null;
  if (kind === "app") {
    const found = /^(.*)\/(?:page|route)$/.exec(bare);
    if (!found || /\/[_@]/.test(found[1])) return null;
    return found[1].replace(/\/\([^/]*\)/g, "") || "/";
  }
  if (/^\/_(?:app|document|error|middleware)$/.test(bare)) return null;
  return bare.replace(/\/index$/, "") || "/";
}

function ownPaths(root) {
  const found = new Set();
  for (const base of ["", "src"]) {
    for (const kind of ["app", "pages"]) {
      for (const file of files(join(root, base, kind))) {
        const path = pagePath(file, kind);
        if (path) found.add(path);
      }
    }
  }
  return [...found];
}

function server(root) {
  const line = script(/\bnext\s+dev\b/, root);
  const port = option(line, "-p", "--port") ?? /(?:^|\s)PORT=(\d+)/.exec(line)?.[1] ?? process.env.PORT;
  return { port: Number(port) || 3000, host: "", https: line.includes("--experimental-https") };
}

await main(async () => {
  const root = process.cwd();
  const folder = packageFolder("next", root);
  if (folder === null) fail("next is not installed in this project", "npm install, then once more");
  const require = createRequire(join(folder, "package.json"));
  process.env.NODE_ENV ??= "development";
  process.env.NEXT_TELEMETRY_DISABLED = "1";
  const { version } = require("./package.json");
  const loadConfig = require("./dist/server/config").default;
  const { PHASE_DEVELOPMENT_SERVER } = require("./constants");
  const config = await loadConfig(PHASE_DEVELOPMENT_SERVER, root);
  const said = (await config.rewrites?.()) ?? [];
  const phases = Array.isArray(said) ? { afterFiles: said } : Object(said);
  const list = (value) => (Array.isArray(value) ? value.filter((one) => one && typeof one === "object").map((one) => plain(one)) : []);
  const middleware = ["middleware", "proxy"].flatMap((name) => ["", "src/"].flatMap((base) => ["ts", "js"].map((ending) => `${base}${name}.${ending}`)));
  return {
    version,
    file: config.configFileName ?? "next.config.js",
    server: server(root),
    basePath: config.basePath ?? "",
    locales: config.i18n?.locales ?? [],
    before: list(phases.beforeFiles),
    after: list(phases.afterFiles),
    fallback: list(phases.fallback),
    redirects: list(await config.redirects?.()),
    headers: list(await config.headers?.()),
    own: ownPaths(root),
    public: files(join(root, "public")),
    middleware: middleware.find((name) => existsSync(join(root, name))) ?? "",
  };
});
