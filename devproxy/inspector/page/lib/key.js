/** The key in the link of devproxy's banner: taken out of the address, kept for this tab. */

const NAME = "devproxy-key";
let key = "";

/** Take the key from the address (`#key=…`) or from an earlier load in this tab. */
export function takeKey() {
  const found = /^#key=([^&]+)/.exec(location.hash);
  if (found?.[1]) {
    useKey(decodeURIComponent(found[1]));
    history.replaceState(null, "", location.pathname + location.search);
    return;
  }
  try {
    key = sessionStorage.getItem(NAME) ?? "";
  } catch {
    key = "";
  }
}

/** @param {string} value  empty: forget it */
export function useKey(value) {
  key = value;
  try {
    if (value) sessionStorage.setItem(NAME, value);
    else sessionStorage.removeItem(NAME);
  } catch {
    // storage is off: the key lasts as long as this document
  }
}

/** @returns {string} empty for none */
export function theKey() {
  return key;
}

/**
 * The key in what a person pastes: the whole link, its fragment, or the key alone.
 * @param {string} text
 */
export function keyIn(text) {
  return (/#key=([^&\s]+)/.exec(text)?.[1] ?? text).trim();
}
