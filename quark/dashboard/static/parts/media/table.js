// A logged table. The server searches, filters and sorts; rows come as they are scrolled to.
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../../core/dom.js";
import { get } from "../../core/api.js";
import { number } from "../../core/format.js";
import { Dialog } from "../dialog.js";
import { Empty, Failure, Loading } from "../states.js";
import { Table } from "../table.js";
import { Items, Save } from "./items.js";
import { Picture } from "./picture.js";

const PAGE = 100;

/** @param {{ from: import("./files.js").Shelf, item: any, name: string }} props */
export function MediaTable({ from, item, name }) {
  const [search, setSearch] = useState("");
  const [filters, setFilters] = useState(/** @type {Record<number, string>} */ ({}));
  const [sort, setSort] = useState(/** @type {{ id: string, descending: boolean } | null} */ (null));
  const [opened, open] = useState(/** @type {any} */ (null));
  const asked = useMemo(
    () => ({
      ...from.query,
      path: item.paths,
      key: item.key,
      step: item.step,
      search,
      filter: Object.entries(filters)
        .filter(([, what]) => what.trim())
        .map(([place, what]) => `${place}:${what}`),
      sort: sort ? Number(sort.id) : null,
      descending: sort?.descending ? "1" : null,
    }),
    [JSON.stringify(from.query), (item.paths ?? []).join("\n"), item.key, item.step, search, JSON.stringify(filters), sort],
  );
  const rows = useRows(from.tables, asked);
  const head = rows.head;
  const columns = useMemo(
    () =>
      (head?.columns ?? []).map((title, place) => ({
        id: String(place),
        title,
        tip: title,
        numeric: head.numeric[place],
        width: head.numeric[place] ? 110 : 170,
        show: (row) => html`<${Cell} from=${from} cell=${row.cells[place]} name=${`${title} of row ${row.place}`} />`,
        hint: (row) => (typeof row.cells[place] === "string" ? row.cells[place].slice(0, 600) : undefined),
      })),
    [head?.columns?.join("\n"), head?.numeric?.join()],
  );
  const tall = rows.hasPictures;
  const filtered = search !== "" || asked.filter.length > 0;
  if (rows.error && !head) return html`<${Failure} error=${rows.error} retry=${rows.retry} />`;
  if (!head) return html`<${Loading} what="Reading the table" />`;
  return html`<div class="media-table">
    <div class="tools">
      <input type="search" aria-label=${`Search in ${name}`} placeholder="Any cell" value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} />
      <details class="filters"><summary>Filters${asked.filter.length ? ` (${asked.filter.length})` : ""}</summary>
        <div class="filter-list">${head.columns.map(
          (title, place) => html`<label key=${place}><span class="mono">${title}</span>
            <input placeholder=${head.numeric[place] ? "> 0.5" : "text, = text, != text"} value=${filters[place] ?? ""} onInput=${(event) => setFilters({ ...filters, [place]: event.currentTarget.value })} /></label>`,
        )}
          ${asked.filter.length > 0 && html`<button type="button" onClick=${() => setFilters({})}>Forget them</button>`}
        </div>
      </details>
      <span class="quiet" role="status">${filtered ? `${number(head.matched)} of ${number(head.total)} rows` : `${number(head.total)} rows`}</span>
      ${item.said && html`<span class="quiet">${item.said}</span>`}
      <span class="grow"></span>
      ${item.path && html`<${Save} from=${from} item=${item} />`}
    </div>
    ${head.notice && html`<p class="notice">${head.notice}</p>`}
    ${rows.error && html`<p class="bad" role="alert">${rows.error.message}</p>`}
    ${head.columns.length === 0
      ? html`<${Empty} title="This table has no columns." />`
      : head.matched === 0
        ? html`<${Empty} title=${filtered ? "No row fits." : "This table has no rows."} />`
        : html`<${Table} label=${name} columns=${columns} count=${head.matched} rowAt=${rows.at} onRange=${rows.need} idOf=${(row) => String(row.index)} sort=${sort} onSort=${(id, descending) => setSort({ id, descending })}
            onOpen=${(row) => open(row)} rowHeight=${tall ? 74 : 34} height="30rem" top=${JSON.stringify(asked)} />`}
    ${opened &&
    html`<${Dialog} title=${`${name}, row ${opened.place}`} wide=${true} close=${() => open(null)}>
      <dl class="pairs">${head.columns.map((title, place) => [html`<dt key=${`t${place}`}>${title}</dt>`, html`<dd key=${`d${place}`}><${Whole} from=${from} cell=${opened.cells[place]} name=${title} /></dd>`])}</dl>
    <//>`}
  </div>`;
}

function Cell({ from, cell, name }) {
  if (cell === null || cell === undefined) return html`<span class="quiet">–</span>`;
  if (typeof cell === "number") return number(cell, 6);
  if (typeof cell === "boolean") return String(cell);
  if (typeof cell === "string") return cell;
  const item = cell.media;
  if (item.kind === "image" && !item.missing && !item.reference) return html`<div class="cell-picture"><${Picture} from=${from} item=${item} name=${name} /></div>`;
  return html`<span class="chip">${item.kind}</span> ${item.caption ?? item.value ?? ""}`;
}

/** A cell with all of what it holds. */
function Whole({ from, cell, name }) {
  if (cell !== null && typeof cell === "object" && cell.media) return html`<${Items} from=${from} items=${[cell.media]} name=${name} />`;
  if (typeof cell === "string") return html`<span class="whole">${cell}</span>`;
  return html`<${Cell} from=${from} cell=${cell} name=${name} />`;
}

/**
 * Rows by the window, a hundred at a time; what was here stays until its successor is.
 * @param {string} path @param {Record<string, any>} asked
 */
function useRows(path, asked) {
  const name = JSON.stringify([path, asked]);
  const [head, setHead] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const [, redraw] = useState(0);
  const [turn, again] = useState(0);
  const pages = useRef({ name: "", known: new Map(), coming: new Set() });
  const fetchPage = useCallback(
    async (page) => {
      const mine = pages.current;
      if (mine.known.has(page) || mine.coming.has(page)) return;
      mine.coming.add(page);
      try {
        const found = await get(path, { ...asked, offset: page * PAGE, limit: PAGE });
        if (pages.current !== mine) return;
        mine.known.set(page, found.rows.map((cells, index) => ({ cells, index: found.offset + index, place: found.places[index] })));
        setHead(found);
        setError(null);
      } catch (fault) {
        if (pages.current === mine) setError(/** @type {Error} */ (fault));
      } finally {
        mine.coming.delete(page);
        redraw((before) => before + 1);
      }
    },
    [name],
  );
  useEffect(() => {
    pages.current = { name, known: new Map(), coming: new Set() };
    const timer = setTimeout(() => fetchPage(0), head ? 150 : 0);
    return () => clearTimeout(timer);
  }, [name, turn]);
  const need = useCallback(
    (first, last) => {
      for (let page = Math.floor(first / PAGE); page <= Math.floor(Math.max(first, last - 1) / PAGE); page += 1) if (pages.current.name === name) fetchPage(page);
    },
    [name],
  );
  const at = (index) => pages.current.known.get(Math.floor(index / PAGE))?.[index % PAGE] ?? null;
  const first = pages.current.known.get(0) ?? [];
  const hasPictures = first.some((row) => row.cells.some((cell) => cell?.media?.kind === "image"));
  return { head, error, at, need, hasPictures, retry: () => again((before) => before + 1) };
}
