/** Which rows a person wants to see. Pure. */

/** @typedef {import("../types.js").Row} Row */
/**
 * @typedef {object} Filter
 * @property {string} text  words that all have to occur; one with `-` in front must not
 * @property {string} status  "", "2" to "5" for a class, "live" for what is not over
 * @property {string} route  a label, or "" for any
 * @property {string} upstream
 * @property {string} kind  "", or one of the groups of KINDS
 * @property {boolean} onlyProblems
 * @property {boolean} hidePolls
 */

/** @type {Filter} */
export const EVERYTHING = {
  text: "",
  status: "",
  route: "",
  upstream: "",
  kind: "",
  onlyProblems: false,
  hidePolls: false,
};

/** What the buttons above the list mean. @type {{[group: string]: string[]}} */
export const KINDS = {
  fetch: ["fetch", "preflight", "eventsource", "poll"],
  document: ["document"],
  asset: ["script", "style", "image", "font", "media"],
  socket: ["websocket", "tunnel"],
};

/**
 * Compile a filter: what it returns is called for thousands of rows in a frame.
 * @param {Filter} filter
 * @returns {(row: Row) => boolean}
 */
export function compile(filter) {
  const words = filter.text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word && word !== "-");
  const wanted = words.filter((word) => !word.startsWith("-"));
  const unwanted = words.filter((word) => word.startsWith("-")).map((word) => word.slice(1));
  const kinds = KINDS[filter.kind];
  return (row) => {
    if (filter.onlyProblems && row.problem === null && row.marks.length === 0) return false;
    if (filter.hidePolls && row.kind === "poll" && row.problem === null) return false;
    if (filter.status === "live" ? row.state === "done" : filter.status && String(row.status)[0] !== filter.status) {
      return false;
    }
    if (filter.route && row.route !== filter.route) return false;
    if (filter.upstream && row.upstream !== filter.upstream) return false;
    if (kinds && !kinds.includes(row.kind)) return false;
    if (words.length === 0) return true;
    const text = textOf(row);
    return wanted.every((word) => text.includes(word)) && !unwanted.some((word) => text.includes(word));
  };
}

/** @type {WeakMap<Row, string>} rows never change: a newer one is another object */
const texts = new WeakMap();

/** @param {Row} row */
function textOf(row) {
  let text = texts.get(row);
  if (text === undefined) {
    text = [
      row.method,
      row.status,
      `${row.host}${row.target}`,
      row.type,
      row.kind,
      row.route,
      row.upstream,
      row.server,
      row.error,
      row.outcome,
      row.problem,
      row.origin,
      row.session,
      ...row.marks,
    ]
      .join("\n")
      .toLowerCase();
    texts.set(row, text);
  }
  return text;
}
