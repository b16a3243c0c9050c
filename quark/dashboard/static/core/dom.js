// The one place that names the vendored library. Text given to `html` becomes text, never markup;
// nothing here sets innerHTML, and a test looks that nothing else does.
export {
  html,
  h,
  render,
  Component,
  createContext,
  useCallback,
  useContext,
  useEffect,
  useErrorBoundary,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
} from "../vendor/preact.js";

/**
 * Join the class names that apply.
 * @param {...(string | false | null | undefined)} names
 */
export function classes(...names) {
  return names.filter(Boolean).join(" ");
}
