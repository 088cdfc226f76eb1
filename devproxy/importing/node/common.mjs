// What every reader of a project's own configuration needs: values as JSON, and what a rewriting function does.
// Run by `devproxy import`, in the folder of the project, with the project's own packages.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const MAX_DEPTH = 6;
const MAX_CODE = 4000;

/** Write what was found where devproxy reads it, and end at once: a configuration may have left timers running. */
export function tell(facts) {
  writeFileSync(process.argv[2], JSON.stringify(facts));
  process.exit(0);
}

/** End with what is wrong and what to do, in devproxy's own words. */
export function fail(what, help = "") {
  tell({ error: what, help });
}

/** Run a reader; what it or the configuration throws is told without a stack. */
export async function main(read) {
  try {
    tell(await read());
  } catch (error) {
    tell({ thrown: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
  }
}

/** A value as JSON can hold it; what it cannot hold is `{ $code: its source }`. */
export function plain(value, depth = 0, seen = new Set()) {
  if (value === null || ["string", "boolean"].includes(typeof value)) return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (value === undefined) return null;
  if (value instanceof URL) return value.href;
  if (Array.isArray(value) && depth < MAX_DEPTH && !seen.has(value)) {
    return value.map((item) => plain(item, depth + 1, new Set(seen).add(value)));
  }
  if (isPlain(value) && depth < MAX_DEPTH && !seen.has(value)) {
    const inner = new Set(seen).add(value);
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item, depth + 1, inner)]));
  }
  return { $code: source(value) };
}

function isPlain(value) {
  if (typeof value !== "object") return false;
  const prototype = Object.getPrototypeOf(value);
  // An object of another realm has another Object.prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function source(value) {
  try {
    const text = typeof value === "object" ? `an object of ${value.constructor?.name ?? "unknown kind"}` : String(value);
    return text.slice(0, MAX_CODE);
  } catch {
    return typeof value;
  }
}

/** What all paths begin with that `key`, a prefix or (with `^`) a regular expression, takes. */
export function literal(key) {
  if (!key.startsWith("^")) return key.replace(/[*?[{(!].*$/s, "");
  const found = /^\^((?:\\[^A-Za-z0-9]|[^\\.^$*+?{}[\]|()])*)/.exec(key);
  return found[1].replace(/\\(.)/g, "$1");
}

/** Paths below `prefix`, each with what `rewrite` makes of it; null where it fails or makes something else of it. */
export async function probes(rewrite, prefix) {
  const base = prefix.replace(/\/+$/, "");
  const rests = [
    "/a", "/a/b", "/a/b/", "/a?x=1&y=/z", "/a%2Fb%20c", "/A.b-c_d~e/1", `/a${base}/b`, `${base}/c`, "/v1/users/42?q=a/b",
    "/api/x", "/index.html", "/?x=1", "", "/", "?x=1",
  ];
  const found = [];
  for (const rest of rests) {
    const sent = `${base}${rest}`;
    if (!sent.startsWith("/")) continue;
    let became = null;
    try {
      const answer = await rewrite(sent, { url: sent, originalUrl: sent, method: "GET", headers: {}, query: {} });
      became = typeof answer === "string" ? answer : answer === undefined || answer === null ? sent : null;
    } catch {
      became = null;
    }
    found.push([sent, became]);
  }
  return found;
}

/** The folder of a package of the project, or null. */
export function packageFolder(name, root = process.cwd()) {
  try {
    return dirname(createRequire(join(root, "package.json")).resolve(`${name}/package.json`));
  } catch {
    for (let folder = root; ; folder = dirname(folder)) {
      const found = join(folder, "node_modules", name);
      if (existsSync(join(found, "package.json"))) return found;
      if (dirname(folder) === folder) return null;
    }
  }
}

/** How package.json starts `tool`: the first of its scripts that names it, those that are usual first; or "". */
export function script(tool, root = process.cwd()) {
  try {
    const scripts = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts ?? {};
    const names = ["dev", "start", "serve", ...Object.keys(scripts)];
    const found = names.map((name) => String(scripts[name] ?? "")).find((text) => tool.test(text));
    return found ?? "";
  } catch {
    return "";
  }
}

/** The value of an option in a command line, for example `--port 3001`; or undefined. */
export function option(line, ...names) {
  for (const name of names) {
    const found = new RegExp(`(?:^|\\s)${name}[ =]["']?([^\\s"']+)`).exec(line);
    if (found) return found[1];
  }
  return undefined;
}

/** A module, by its path. */
export async function load(path) {
  const loaded = await import(pathToFileURL(path).href);
  return loaded;
}

/** Entries of an object of contexts in their order: what each says, and what its rewriting does. */
export async function entries(proxy, rewriter) {
  const found = [];
  for (const [key, value] of Object.entries(proxy ?? {})) {
    if (!value) continue;
    const options = typeof value === "string" ? { target: value, changeOrigin: true } : Object(value);
    const rewrite = rewriter(options);
    found.push({ key, options: plain(options), probes: rewrite ? await probes(rewrite, literal(key)) : null });
  }
  return found;
}
