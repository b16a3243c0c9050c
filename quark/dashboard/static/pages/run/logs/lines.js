// Very many rows of one height, of which only those in sight are there. Rows are fetched in portions
// as they come into sight.
import { useAgain } from "../../../core/data.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../../../core/dom.js";

const PORTION = 200;

/**
 * @param {{
 *   count: number, height: number, asked: string, label: string, follow: boolean,
 *   load: (from: number, limit: number) => Promise<any[]>,
 *   row: (one: any, index: number) => any,
 *   left: () => void,
 * }} props  `asked` changes when other rows are meant; `follow`: stay at the end; `left`: somebody
 *   scrolled away from it
 */
export function Lines({ count, height, asked, label, follow, load, row, left }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const known = useRef({ asked: "", count: 0, portions: /** @type {Map<number, any>} */ (new Map()) });
  const [view, setView] = useState({ top: 0, height: 600 });
  const [turn, redraw] = useState(0);
  const isOurs = useRef(false);
  if (known.current.asked !== asked) known.current = { asked, count, portions: new Map() };
  if (known.current.count !== count) {
    // The last portion was not full; all others stay as they are.
    known.current.portions.delete(Math.floor(Math.min(count, known.current.count) / PORTION));
    known.current.count = count;
  }
  const first = Math.max(0, Math.floor(view.top / height) - 20);
  const last = Math.min(count, Math.ceil((view.top + view.height) / height) + 20);
  useEffect(() => {
    const mine = known.current;
    for (let portion = Math.floor(first / PORTION); portion * PORTION < last; portion += 1) {
      if (mine.portions.has(portion)) continue;
      mine.portions.set(portion, null);
      load(portion * PORTION, PORTION).then(
        (rows) => {
          mine.portions.set(portion, rows);
          redraw((before) => before + 1);
        },
        () => mine.portions.delete(portion),
      );
    }
  }, [asked, first, last, count, turn]);
  useAgain(() => redraw((before) => before + 1)); // portions that failed are asked for again
  useLayoutEffect(() => {
    const place = /** @type {HTMLElement} */ (box.current);
    if (follow) {
      isOurs.current = true;
      place.scrollTop = place.scrollHeight;
    }
    setView({ top: place.scrollTop, height: place.clientHeight });
  }, [follow, count, asked]);
  useEffect(() => {
    const watcher = new ResizeObserver(() => box.current && setView({ top: box.current.scrollTop, height: box.current.clientHeight }));
    if (box.current) watcher.observe(box.current);
    return () => watcher.disconnect();
  }, []);
  const scrolled = (event) => {
    const place = event.currentTarget;
    setView({ top: place.scrollTop, height: place.clientHeight });
    const isAtEnd = place.scrollHeight - place.scrollTop - place.clientHeight < 2 * height;
    if (follow && !isOurs.current && !isAtEnd) left();
    isOurs.current = false;
  };
  const rows = [];
  for (let index = first; index < last; index += 1) rows.push(row(known.current.portions.get(Math.floor(index / PORTION))?.[index % PORTION], index));
  return html`<div class="lines" ref=${box} onScroll=${scrolled} tabindex="0" role="group" aria-label=${label}>
    <div class="lines-all" style=${{ height: `${count * height}px` }}><div class="lines-shown" style=${{ transform: `translateY(${first * height}px)` }}>${rows}</div></div>
  </div>`;
}
