// What the dev server of an Angular project says: angular.json and the file that its `proxyConfig` names. Arguments:
// the file for the facts, and angular.json, a proxy configuration or "".
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { fail, literal, load, main, option, packageFolder, plain, probes, script } from "./common.mjs";
import { entry } from "./middleware.mjs";

const GLOB = /(?:^!|[*?]|\([^()]*\)|\[[^[\]]*\]|\{[^{}]*\})/;

/** JSON with comments and commas at ends, as Angular reads it. */
function parsed(text) {
  const bare = text.replace(/^\uFEFF/, "").replace(/("(?:[^"\\\n]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (_, string) => string ?? "");
  return JSON.parse(bare.replace(/("(?:[^"\\\n]|\\.)*")|,(\s*[}\]])/g, (_, string, end) => string ?? end));
}

async function configuration(path) {
  if (path.endsWith(".json")) return parsed(readFileSync(path, "utf8"));
  let loaded;
  try {
    loaded = path.endsWith(".mjs") ? await load(path) : createRequire(path)(path);
  } catch (error) {
    if (!["ERR_REQUIRE_ESM", "ERR_REQUIRE_ASYNC_MODULE"].includes(error?.code)) throw error;
    loaded = await load(path);
  }
  return loaded && "default" in loaded ? loaded.default : loaded;
}

/** The options of `serve` of the first project that has it, with those of its default configuration. */
function serving(workspace) {
  const projects = workspace.projects ?? {};
  const names = [workspace.defaultProject, ...Object.keys(projects)].filter((name) => name in projects);
  for (const name of names) {
    const targets = projects[name].architect ?? projects[name].targets ?? {};
    const { serve, build } = targets;
    if (!serve) continue;
    const chosen = serve.configurations?.[serve.defaultConfiguration ?? "development"] ?? {};
    const builder = build?.builder ?? build?.executor ?? "";
    return { options: { ...serve.options, ...chosen }, builder };
  }
  return fail("angular.json has no project that can be served", "name the proxy configuration: devproxy import angular PATH");
}

/** What Angular hands to Vite: contexts in their order, globs last; of `pathRewrite` the first that changes anything. */
async function viteEntries(proxy) {
  const contexts = {};
  if (Array.isArray(proxy)) {
    for (const item of proxy) {
      for (const context of Array.isArray(item?.context) ? item.context : []) {
        if (typeof context === "string") contexts[context] = item;
      }
    }
  } else Object.assign(contexts, proxy);
  const isGlob = (key) => key[0] !== "^" && GLOB.test(key);
  const keys = Object.keys(contexts);
  const found = [];
  for (const key of [...keys.filter((one) => !isGlob(one)), ...keys.filter(isGlob)]) {
    const value = contexts[key];
    if (!value) continue;
    const { context, pathRewrite, ...others } = typeof value === "string" ? { target: value, changeOrigin: true } : Object(value);
    const rules = pathRewrite && typeof pathRewrite === "object" ? Object.entries(pathRewrite).map(([from, to]) => [new RegExp(from), to]) : [];
    const byRules = (path) => {
      const became = rules.map(([from, to]) => path.replace(from, to)).find((one) => one !== path);
      return became ?? path;
    };
    const rewrite = rules.length > 0 ? byRules : others.rewrite;
    found.push({ key, isGlob: isGlob(key), options: plain(others), probes: rewrite ? await probes(rewrite, literal(key.replace(/\/\*\*?$/, ""))) : null });
  }
  return found;
}

/** What Angular hands to webpack-dev-server. */
async function webpackEntries(proxy) {
  const list = Array.isArray(proxy) ? proxy : Object.entries(proxy).map(([context, value]) => ({ ...(typeof value === "string" ? { target: value } : value), context: [context.replace(/^\*$/, "**").replace(/\/\*$/, "")] }));
  const found = [];
  for (const options of list) found.push(await entry(options.context ?? options.path, options));
  return found;
}

await main(async () => {
  const named = process.argv[3] || join(process.cwd(), "angular.json");
  const isWorkspace = basename(named) === "angular.json";
  const workspace = isWorkspace ? named : join(dirname(named), "angular.json");
  if (isWorkspace && !existsSync(workspace)) fail("there is no angular.json in this folder", "name the folder or the proxy configuration: devproxy import angular PATH");
  const { options, builder } = existsSync(workspace) ? serving(parsed(readFileSync(workspace, "utf8"))) : { options: {}, builder: "" };
  const file = isWorkspace ? options.proxyConfig && resolve(dirname(workspace), options.proxyConfig) : named;
  const server = { port: Number(option(script(/\bng\s+s(?:erve)?\b/), "--port") ?? options.port) || 4200, host: typeof options.host === "string" ? options.host : "", https: options.ssl === true };
  const folder = packageFolder("@angular/core");
  const version = folder ? JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version : "";
  if (!file) return { version, file: "", server, kind: "vite", entries: [] };
  if (!existsSync(file)) fail(`there is no ${file}, which angular.json names as proxyConfig`);
  const proxy = (await configuration(file)) ?? {};
  const kind = builder.endsWith(":browser") || builder.endsWith(":webpack-browser") ? "webpack" : "vite";
  return { version, file, server, kind, entries: kind === "webpack" ? await webpackEntries(proxy) : await viteEntries(proxy) };
});
