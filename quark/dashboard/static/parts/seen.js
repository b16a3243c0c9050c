// What is out of sight is not fetched.
import { useEffect, useRef, useState } from "../core/dom.js";

/** Whether a place has come into sight, and the ref for that place. @returns {[boolean, { current: any }]} */
export function useSeen() {
  const place = useRef(/** @type {any} */ (null));
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const watcher = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        setSeen(true);
        watcher.disconnect();
      },
      { rootMargin: "250px" },
    );
    watcher.observe(place.current);
    return () => watcher.disconnect();
  }, []);
  return [seen, place];
}
