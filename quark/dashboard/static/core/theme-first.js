// Before anything is drawn, so that nobody sees the wrong theme flash by.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("quark.theme");
  } catch {
    // Storage may be closed to pages; the system's theme is used then.
  }
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
