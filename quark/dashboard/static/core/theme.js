import { useEffect, useState } from "./dom.js";

/** Colours of series: told apart in both themes and by most colour-blind eyes. */
const PALETTE = {
  light: ["#4c5fd5", "#c2410c", "#0f766e", "#a21caf", "#a16207", "#0369a1", "#be123c", "#4d7c0f", "#6d28d9", "#475569"],
  dark: ["#8ea0ff", "#fb923c", "#2dd4bf", "#e879f9", "#facc15", "#38bdf8", "#fb7185", "#a3e635", "#a78bfa", "#94a3b8"],
};

const listeners = new Set();

/** @returns {"light" | "dark"} */
export function theme() {
  return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
}

export function toggleTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("quark.theme", next);
  } catch {
    // It holds for this page then.
  }
  for (const listener of listeners) listener(next);
}

/** The theme, for components that draw with colours of their own. */
export function useTheme() {
  const [current, setCurrent] = useState(theme());
  useEffect(() => {
    listeners.add(setCurrent);
    return () => listeners.delete(setCurrent);
  }, []);
  return current;
}

/** @param {number} index */
export function seriesColor(index) {
  const colors = PALETTE[theme()];
  return colors[index % colors.length];
}

/** The value of one of style.css's colours, such as `"--line"`. @param {string} name */
export function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
