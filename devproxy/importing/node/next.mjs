// What `rewrites` of a Next project say, by Next's own loadConfig, and which paths the project itself has. Arguments:
// the file for the facts.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fail, main, packageFolder, plain } from "./common.mjs";

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
  let script = "";
  try {
    script = String(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts?.dev ?? "");
  } catch {
    // No package.json, or none that can be read: Next's own port.
  }
  const port = /(?:-p|--port)[ =](\d+)/.exec(script)?.[1] ?? process.env.PORT;
  return { port: Number(port) || 3000, host: "", https: script.includes("--experimental-https") };
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
  const phases = Array.isArray(said) ? { afterFiles: said } : said;
  const middleware = ["middleware", "proxy"].flatMap((name) => ["", "src/"].flatMap((base) => ["ts", "js"].map((ending) => `${base}${name}.${ending}`)));
  return {
    version,
    file: config.configFileName ?? "next.config.js",
    server: server(root),
    basePath: config.basePath ?? "",
    locales: config.i18n?.locales ?? [],
    before: plain(phases.beforeFiles ?? []),
    after: plain(phases.afterFiles ?? []),
    fallback: plain(phases.fallback ?? []),
    redirects: plain((await config.redirects?.()) ?? []),
    headers: plain((await config.headers?.()) ?? []),
    own: ownPaths(root),
    public: files(join(root, "public")),
    middleware: middleware.find((name) => existsSync(join(root, name))) ?? "",
  };
});
