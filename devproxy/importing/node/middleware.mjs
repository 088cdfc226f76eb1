// Entries of http-proxy-middleware as JSON: what they say, and what their rewriting does.
import { literal, plain, probes } from "./common.mjs";

/** The rewriting of `options`, as http-proxy-middleware does it: the first expression that is found is replaced. */
export function rewriter(options) {
  const rewrite = options?.pathRewrite;
  if (typeof rewrite === "function") return rewrite;
  if (!rewrite || typeof rewrite !== "object" || Object.keys(rewrite).length === 0) return null;
  const rules = Object.entries(rewrite).map(([pattern, value]) => [new RegExp(pattern), value]);
  return (path) => {
    const found = rules.find(([pattern]) => pattern.test(path));
    return found ? path.replace(found[0], found[1]) : path;
  };
}

/** One entry. `mount`: where Express has it; `strips`: whether it sees paths without that. */
export async function entry(filter, options, { mount = "", strips = false, methods = [] } = {}) {
  const rewrite = rewriter(options);
  const written = plain(filter ?? null);
  const first = Array.isArray(written) ? written.find((text) => typeof text === "string" && !text.startsWith("!")) : written;
  const beginning = typeof first === "string" && first !== "/" ? literal(first.replace(/\/\*\*?$/, "")) : "";
  const base = mount.replace(/\/+$/, "");
  const isMounted = base !== "" && strips;
  const seen = (path) => (isMounted ? path.slice(base.length).replace(/^(?!\/)/, "/") : path);
  const followed = isMounted || rewrite ? (path, request) => (rewrite ?? ((same) => same))(seen(path), request) : null;
  const prefix = isMounted ? base + beginning : beginning || base;
  return {
    filter: written,
    mount,
    strips,
    methods,
    options: plain(options ?? {}),
    probes: followed ? await probes(followed, prefix) : null,
    upgrades: rewrite ? await probes(rewrite, prefix) : null,
  };
}
