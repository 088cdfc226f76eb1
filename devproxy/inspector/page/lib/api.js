/** Requests to the inspector's API (docs/inspector-api.md), with the key where there is one. */

import { theKey, useKey } from "./key.js";

/** An error that the API answered, or that no answer came (`code` is then "unreachable"). */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} what
   * @param {string} help
   */
  constructor(status, code, what, help) {
    super(what);
    this.status = status;
    this.code = code;
    this.help = help;
  }
}

/** @typedef {{[name: string]: string|number|boolean|null|undefined}} Query  what is null or undefined is left out */

/**
 * @param {string} path  relative to `api/`
 * @param {Query} [query]
 * @returns {string}
 */
export function address(path, query = {}) {
  const url = new URL(`api/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) url.searchParams.set(name, String(value === true ? 1 : value));
  }
  return url.href;
}

/**
 * Ask; a key of an earlier start of devproxy is dropped and the question put again without it.
 * @param {string} url
 * @param {RequestInit} [options]
 * @returns {Promise<Response>} one with a status of 2xx
 */
export async function ask(url, options = {}) {
  const key = theKey();
  const headers = new Headers(options.headers);
  if (key) headers.set("X-Devproxy-Key", key);
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, { ...options, headers, cache: "no-store" });
  } catch (problem) {
    if (problem instanceof DOMException && problem.name === "AbortError") throw problem;
    throw new ApiError(0, "unreachable", "devproxy does not answer.", "Is it still running?");
  }
  if (response.ok) return response;
  const problem = await errorOf(response);
  if (problem.code === "wrong-key" && key && key === theKey()) {
    useKey("");
    dispatchEvent(new CustomEvent("key-dropped"));
    return ask(url, options);
  }
  throw problem;
}

/** @param {Response} response */
async function errorOf(response) {
  try {
    const { error, what, help } = await response.json();
    return new ApiError(response.status, String(error), String(what), String(help ?? ""));
  } catch {
    return new ApiError(response.status, "unreachable", `devproxy answered ${response.status}.`, "");
  }
}

/**
 * @param {string} path
 * @param {Query} [query]
 * @returns {Promise<any>}
 */
export async function get(path, query) {
  return (await ask(address(path, query))).json();
}

/**
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function post(path, body = {}) {
  const headers = { "Content-Type": "application/json" };
  return (await ask(address(path), { method: "POST", headers, body: JSON.stringify(body) })).json();
}

/**
 * @param {string} path
 * @param {Query} [query]
 */
export async function text(path, query) {
  return (await ask(address(path, query))).text();
}
