/**
 * The lines of the list, worked out from the rows: filtered, repeats folded into one, each with the stretch of time that
 * its bar is drawn on. Pure, and quick: ten thousand rows are gone through again for each change.
 */

import { splitTarget } from "../lib/format.js";

/** @typedef {import("../types.js").Row} Row */
/**
 * @typedef {object} Burst  rows that came close together, as of one load of a page: they share a time axis
 * @property {number} start  when it began, in seconds since the epoch
 * @property {number} length  how long the axis is, in seconds
 */
/**
 * @typedef {object} Entry  a line of the list
 * @property {Row} row  the newest of those folded into it
 * @property {Row[]} members  all of them, the oldest first
 * @property {Burst} burst
 * @property {boolean} isFirst  of its burst
 * @property {boolean} isChild  one of a fold that is open
 * @property {boolean} isOpen
 */
/** @typedef {"started_at"|"method"|"target"|"status"|"type"|"route"|"response_bytes"|"duration"} SortKey */
/** @typedef {{key: SortKey, isDown: boolean}} Sort */

/** Where nothing began for so long, a new burst begins. */
const QUIET_S = 1.5;
const SLOW_S = 1;
const SHORTEST_S = 0.05;
const LONGEST_S = 12;
/** A repeat joins a fold that began at most so many lines ago: what happened long ago is not changed any more. */
const REACH = 16;

/**
 * @param {Row[]} rows  by time
 * @param {object} options
 * @param {(row: Row) => boolean} options.matches
 * @param {boolean} options.fold
 * @param {Set<number>} options.open  ids of the first rows of folds whose members are shown
 * @param {Sort} options.sort
 * @param {number} options.now  in seconds since the epoch
 * @returns {Entry[]}
 */
export function entriesOf(rows, { matches, fold, open, sort, now }) {
  /** @type {Entry[]} */
  const entries = [];
  /** @type {Map<string, {entry: Entry, at: number}>} */
  const folds = new Map();
  /** @type {Burst} */
  let burst = { start: 0, length: SHORTEST_S };
  let last = -Infinity;
  for (const row of rows) {
    if (!matches(row)) continue;
    let isFirst = false;
    if (row.started_at - last > QUIET_S || (row.kind === "document" && row.started_at - last > 0.2)) {
      burst = { start: row.started_at, length: SHORTEST_S };
      isFirst = entries.length > 0;
    }
    last = row.started_at;
    const end = row.started_at - burst.start + lasted(row, now);
    if (end > burst.length) burst.length = Math.min(end, LONGEST_S);
    const key = fold && mayFold(row) ? keyOf(row) : null;
    const known = key === null ? undefined : folds.get(key);
    if (known && entries.length - known.at <= REACH) {
      known.entry.members.push(row);
      known.entry.row = row;
      continue;
    }
    const entry = { row, members: [row], burst, isFirst, isChild: false, isOpen: false };
    entries.push(entry);
    if (key !== null) folds.set(key, { entry, at: entries.length });
  }
  const sorted = sort.key === "started_at" && !sort.isDown ? entries : entries.sort(comparison(sort));
  return open.size ? unfolded(sorted, open) : sorted;
}

/**
 * How much of the time axis a row needs. What stays open for hours needs none: it would leave no room for the others.
 * @param {Row} row
 * @param {number} now
 */
function lasted(row, now) {
  if (row.tunnel || row.state === "streaming") return row.times.first_byte_s ?? 0;
  return row.times.ended_s ?? Math.max(0, now - row.started_at);
}

/** Whatever was slow or waited for its server has a line of its own; a poll may last. @param {Row} row */
function mayFold(row) {
  if (row.state !== "done" || row.tunnel || row.times.held_s !== null || row.replay_of !== null) return false;
  return row.kind === "poll" || (row.times.ended_s ?? 0) < SLOW_S;
}

/** @type {WeakMap<Row, string>} */
const keys = new WeakMap();

/**
 * What repeats have in common: everything but the query, the sizes and the times.
 * @param {Row} row
 */
function keyOf(row) {
  let key = keys.get(row);
  if (key === undefined) {
    const path = splitTarget(row.target)[0];
    key = [row.method, path, row.status, row.kind, row.route, row.server, row.problem, row.error, row.session].join(
      "\n",
    );
    keys.set(row, key);
  }
  return key;
}

/**
 * @param {Entry[]} entries
 * @param {Set<number>} open
 */
function unfolded(entries, open) {
  /** @type {Entry[]} */
  const all = [];
  for (const entry of entries) {
    all.push(entry);
    if (entry.members.length < 2 || !open.has(/** @type {Row} */ (entry.members[0]).id)) continue;
    entry.isOpen = true;
    for (const row of entry.members) {
      all.push({ row, members: [row], burst: entry.burst, isFirst: false, isChild: true, isOpen: false });
    }
  }
  return all;
}

/**
 * @param {Sort} sort
 * @returns {(a: Entry, b: Entry) => number}
 */
function comparison({ key, isDown }) {
  const sign = isDown ? -1 : 1;
  return (a, b) => {
    const left = valueOf(a.row, key);
    const right = valueOf(b.row, key);
    if (left === right) return a.row.id - b.row.id;
    if (left === null) return 1;
    if (right === null) return -1;
    return left < right ? -sign : sign;
  };
}

/**
 * @param {Row} row
 * @param {SortKey} key
 * @returns {string|number|null}
 */
function valueOf(row, key) {
  return key === "duration" ? row.times.ended_s : row[key];
}
