/** Numbers as people read them. Pure. */

/**
 * `0 B`, `312 B`, `4.1 kB`, `12 MB`; a dash for what is not known.
 * @param {number|null|undefined} bytes
 */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  if (bytes < 1000) return `${bytes} B`;
  let value = bytes;
  for (const unit of ["kB", "MB", "GB"]) {
    value /= 1000;
    if (value < 999.5 || unit === "GB") return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${unit}`;
  }
  return "";
}

/**
 * `0.4 ms`, `12 ms`, `1.24 s`, `3 min 20 s`, `2 h 5 min`; a dash for what is not known.
 * @param {number|null|undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const ms = seconds * 1000;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/**
 * `14:03:22.418`, in this computer's time zone.
 * @param {number|null|undefined} at  seconds since the epoch
 */
export function clock(at) {
  if (at === null || at === undefined) return "–";
  const date = new Date(at * 1000);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const fraction = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${fraction}`;
}

/**
 * `14:03:22`; with the day where that is not today.
 * @param {number|null|undefined} at
 */
export function moment(at) {
  if (at === null || at === undefined) return "–";
  const date = new Date(at * 1000);
  const time = clock(at).slice(0, 8);
  if (date.toDateString() === new Date().toDateString()) return time;
  return `${date.toLocaleDateString(undefined, { day: "numeric", month: "short" })}, ${time}`;
}

/**
 * A number with its noun: `1 request`, `3 requests`.
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export function count(number, one, many) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : (many ?? `${one}s`)}`;
}

/** @type {number|null} */
let stoppedAt = null;

/** The current time in seconds since the epoch; while devproxy is away, the time at which it was last heard. */
export function now() {
  return stoppedAt ?? Date.now() / 1000;
}

/**
 * What was running when devproxy was last heard gets no older.
 * @param {boolean} isAway
 */
export function stopClock(isAway) {
  stoppedAt = isAway ? now() : null;
}

/**
 * A target's path and query: `["/api/items", "?x=1"]`.
 * @param {string} target
 * @returns {[string, string]}
 */
export function splitTarget(target) {
  const at = target.indexOf("?");
  return at < 0 ? [target, ""] : [target.slice(0, at), target.slice(at)];
}
