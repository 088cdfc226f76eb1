// Not a module: it runs before the first paint, so that the page does not flash in the other theme.
(() => {
  let wanted = null;
  try {
    wanted = localStorage.getItem("devproxy-theme");
  } catch {
    // storage is off: the system's theme it is
  }
  if (wanted === "light" || wanted === "dark") document.documentElement.dataset.theme = wanted;
})();
