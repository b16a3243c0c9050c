// A table of any length: only the rows in sight are in the page. The rows may be here (`rows`) or
// come as they are scrolled to (`count`, `rowAt`, `onRange`). One place for the keys: the table has
// the focus, and an active row moves through it.
import { Component, html, classes, useEffect, useLayoutEffect, useRef, useState } from "../core/dom.js";

const OVERSCAN = 8;
let tables = 0;

/**
 * @typedef {object} Column
 * @property {string} id
 * @property {any} title
 * @property {(row: any, index: number) => any} show  what stands in the cell: text, or what `html` makes
 * @property {number} [width]  pixels
 * @property {boolean} [numeric]
 * @property {boolean} [sortable]
 * @property {string} [tip]  a longer title
 * @property {(row: any) => string | undefined} [hint]  a tooltip of the cell
 */

/**
 * @typedef {object} TableProps
 * @property {string} label  what the table is of, for who cannot see it
 * @property {Column[]} columns  the first stays in sight
 * @property {any[]} [rows]
 * @property {number} [count]
 * @property {(index: number) => any} [rowAt]  null or undefined: not here yet
 * @property {(first: number, last: number) => void} [onRange]  which rows are in sight now
 * @property {(row: any, index: number) => string} [idOf]
 * @property {{ id: string, descending: boolean } | null} [sort]
 * @property {(id: string, descending: boolean) => void} [onSort]
 * @property {(row: any, index: number) => void} [onOpen]  Enter, or a double click
 * @property {(row: any) => boolean} [isPicked]
 * @property {(index: number, how: "one" | "range") => void} [onPick]  boxes are shown if given
 * @property {boolean | "some"} [allPicked]
 * @property {() => void} [onPickAll]
 * @property {(row: any) => string | null | undefined} [classOf]
 * @property {(row: any) => boolean | undefined} [expandedOf]  of rows that can be opened
 * @property {number} [rowHeight]
 * @property {string} [height]  of the whole, as CSS says it; the default fills the window
 * @property {any} [top]  another value scrolls to the first row
 * @property {any} [fresh]  rows are drawn again if they or the columns are other objects, or this is
 */

/** @param {TableProps} props */
export function Table({
  label,
  columns,
  rows,
  count = rows?.length ?? 0,
  rowAt = (index) => rows?.[index],
  onRange,
  idOf = (row, index) => String(row?.id ?? index),
  sort = null,
  onSort,
  onOpen,
  isPicked = () => false,
  onPick,
  allPicked = false,
  onPickAll,
  classOf,
  expandedOf,
  rowHeight = 34,
  height,
  top,
  fresh,
}) {
  const [name] = useState(() => `table${++tables}`);
  const acts = useRef(/** @type {any} */ ({}));
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [sight, setSight] = useState(() => ({ first: 0, last: Math.ceil(innerHeight / rowHeight) }));
  const [active, setActive] = useState(-1);
  const first = Math.max(0, Math.min(sight.first, count - 1) - OVERSCAN);
  const last = Math.min(count, sight.last + OVERSCAN);

  const look = () => {
    const place = box.current;
    if (!place) return;
    const from = Math.floor(place.scrollTop / rowHeight);
    const to = Math.ceil((place.scrollTop + place.clientHeight) / rowHeight);
    setSight((before) => (before.first === from && before.last === to ? before : { first: from, last: to }));
  };
  useLayoutEffect(look, [count, rowHeight, height]);
  useEffect(() => {
    const watcher = new ResizeObserver(look);
    if (box.current) watcher.observe(box.current);
    return () => watcher.disconnect();
  }, [rowHeight]);
  useEffect(() => onRange?.(first, last), [first, last, onRange]);
  useEffect(() => {
    if (box.current) box.current.scrollTop = 0;
    setActive(-1);
  }, [top]);

  const reveal = (index) => {
    const place = box.current;
    if (!place) return;
    const head = place.querySelector("thead")?.getBoundingClientRect().height ?? 0;
    const above = index * rowHeight;
    if (above < place.scrollTop) place.scrollTop = above;
    else if (above + rowHeight + head > place.scrollTop + place.clientHeight)
      place.scrollTop = above + rowHeight + head - place.clientHeight;
  };
  const move = (index, extend) => {
    const next = Math.max(0, Math.min(count - 1, index));
    if (extend && onPick) {
      if (active >= 0 && !isPicked(rowAt(active))) onPick(active, "one");
      onPick(next, "range");
    }
    setActive(next);
    reveal(next);
  };
  const press = (event) => {
    if (event.target.closest("input, select, textarea")) return;
    const onButton = event.target.closest("button, a");
    const page = Math.max(1, sight.last - sight.first - 2);
    const steps = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: count - 1 };
    if (event.key in steps && !event.ctrlKey && !event.metaKey && !event.altKey && count) {
      event.preventDefault();
      move(steps[event.key], event.shiftKey);
    } else if (onButton) {
      return;
    } else if (event.key === "Enter" && active >= 0 && onOpen && rowAt(active)) {
      event.preventDefault();
      onOpen(rowAt(active), active);
    } else if (event.key === " " && active >= 0 && onPick) {
      event.preventDefault();
      onPick(active, event.shiftKey ? "range" : "one");
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey) && onPickAll) {
      event.preventDefault();
      onPickAll();
    }
  };

  acts.current = { setActive, onPick, onOpen };
  const shown = [];
  for (let index = first; index < last; index += 1) shown.push(index);
  const width = columns.reduce((sum, column) => sum + (column.width ?? 140), onPick ? 34 : 0);
  return html`<div class="tablebox" ref=${box} onScroll=${look} style=${height ? { maxHeight: height } : undefined}>
    <table
      class="table virtual"
      role=${expandedOf ? "treegrid" : "grid"}
      tabindex="0"
      aria-label=${label}
      aria-rowcount=${count + 1}
      aria-multiselectable=${onPick ? "true" : undefined}
      aria-activedescendant=${active >= first && active < last ? `${name}-${active}` : undefined}
      onKeyDown=${press}
      style=${{ minWidth: `${width}px` }}
    >
      <colgroup>
        ${onPick && html`<col style=${{ width: "34px" }} />`}
        ${columns.map((column) => html`<col key=${column.id} style=${{ width: `${column.width ?? 140}px` }} />`)}
        <col />
      </colgroup>
      <thead><tr aria-rowindex="1">
        ${onPick &&
        html`<th class="pick" scope="col"><input type="checkbox" aria-label="Select all" checked=${allPicked === true}
          ref=${(input) => input && (input.indeterminate = allPicked === "some")} onChange=${() => onPickAll?.()} /></th>`}
        ${columns.map((column, place) => html`<${Head} key=${column.id} column=${column} pinned=${place === 0} sort=${sort} onSort=${onSort} />`)}
        <td class="rest"></td>
      </tr></thead>
      <tbody>
        ${first > 0 && html`<tr key="above" aria-hidden="true"><td class="hollow" style=${{ height: `${first * rowHeight}px` }}></td></tr>`}
        ${shown.map((index) => {
          const row = rowAt(index) ?? null;
          return html`<${Line} key=${row ? idOf(row, index) : `at${index}`} row=${row} index=${index} name=${name} columns=${columns} acts=${acts} fresh=${fresh}
            rowHeight=${rowHeight} isActive=${index === active} picked=${row ? isPicked(row) : false} canPick=${Boolean(onPick)}
            css=${row ? classOf?.(row) : null} expanded=${row ? expandedOf?.(row) : undefined} />`;
        })}
        ${last < count && html`<tr key="below" aria-hidden="true"><td class="hollow" style=${{ height: `${(count - last) * rowHeight}px` }}></td></tr>`}
      </tbody>
    </table>
  </div>`;
}

/** One row. Drawn again only if something of it is another: most of what happens touches few rows. */
class Line extends Component {
  shouldComponentUpdate(next) {
    return Object.keys(next).some((name) => next[name] !== this.props[name]);
  }

  render() {
    const { row, index, name, columns, acts, rowHeight, isActive, picked, canPick, css, expanded } = this.props;
    const pick = (event) => acts.current.onPick(index, event.shiftKey ? "range" : "one");
    return html`<tr
      id=${`${name}-${index}`}
      aria-rowindex=${index + 2}
      aria-selected=${canPick ? String(Boolean(picked)) : undefined}
      aria-expanded=${expanded === undefined ? undefined : String(expanded)}
      class=${classes(isActive && "active", picked && "picked", css)}
      style=${{ height: `${rowHeight}px` }}
      onClick=${(event) => {
        acts.current.setActive(index);
        if (event.shiftKey && canPick) {
          event.preventDefault();
          pick(event);
        }
      }}
      onMouseDown=${(event) => event.shiftKey && canPick && event.preventDefault()}
      onDblClick=${() => row && acts.current.onOpen?.(row, index)}
    >
      ${canPick &&
      html`<td class="pick"><input type="checkbox" tabindex="-1" aria-label=${`Select row ${index + 1}`} checked=${Boolean(picked)} disabled=${!row}
        onClick=${(event) => {
          event.stopPropagation();
          acts.current.setActive(index);
          pick(event);
        }} /></td>`}
      ${columns.map(
        (column, place) => html`<td key=${column.id} class=${classes(column.numeric && "numeric", place === 0 && "pinned")} title=${row ? column.hint?.(row) : undefined}>
          ${row ? column.show(row, index) : html`<span class="coming"></span>`}
        </td>`,
      )}
      <td class="rest"></td>
    </tr>`;
  }
}

function Head({ column, pinned, sort, onSort }) {
  const mine = sort?.id === column.id;
  const order = mine ? (sort.descending ? "descending" : "ascending") : undefined;
  const css = classes(column.numeric && "numeric", pinned && "pinned");
  if (!onSort || column.sortable === false) {
    return html`<th scope="col" class=${css} title=${column.tip}><span class="title">${column.title}</span></th>`;
  }
  return html`<th scope="col" class=${css} aria-sort=${order} title=${column.tip}>
    <button type="button" class="sorter" onClick=${() => onSort(column.id, mine ? !sort.descending : Boolean(column.numeric))}>
      <span class="title">${column.title}</span>${mine && html`<span class="arrow" aria-hidden="true">${sort.descending ? "▼" : "▲"}</span>`}
    </button>
  </th>`;
}

/**
 * Rows by a column, for tables whose rows are all here. What is missing comes last.
 * @param {any[]} rows @param {(row: any) => any} valueOf @param {boolean} descending
 */
export function sorted(rows, valueOf, descending) {
  const sign = descending ? -1 : 1;
  const missing = (value) => value === null || value === undefined || Number.isNaN(value);
  return rows
    .map((row, place) => ({ row, place, value: valueOf(row) }))
    .sort((a, b) => {
      if (missing(a.value) || missing(b.value)) return Number(missing(a.value)) - Number(missing(b.value)) || a.place - b.place;
      const both = typeof a.value === "number" && typeof b.value === "number";
      const order = both ? a.value - b.value : String(a.value).localeCompare(String(b.value), "en", { numeric: true });
      return order * sign || a.place - b.place;
    })
    .map((one) => one.row);
}
