// What the run wrote to its terminal: searched, filtered, followed.
import { html, useCallback, useState } from "../../core/dom.js";
import { get, segment } from "../../core/api.js";
import { useData } from "../../core/data.js";
import { number } from "../../core/format.js";
import { useQuery } from "../../core/router.js";
import { Empty, When } from "../../parts/states.js";
import { Patient } from "./charts/toolbar.js";
import { pieces, plain } from "./logs/ansi.js";
import { Lines } from "./logs/lines.js";

const LEVELS = ["debug", "info", "warning", "error", "critical"];
const STREAMS = { stdout: "stdout", stderr: "stderr", log: "logged" };
const HEIGHT = 20;

/** @param {{ runId: string, revision: any, overview: any }} props */
export default function Logs({ runId, revision, overview }) {
  const path = `/runs/${segment(runId)}/logs`;
  const [q, setQ] = useQuery("q", "");
  const [levels, setLevels] = useQuery("level", /** @type {string[]} */ ([]));
  const [streams, setStreams] = useQuery("stream", /** @type {string[]} */ ([]));
  const [follow, setFollow] = useState(overview.run.status === "running");
  const [chosen, choose] = useState(/** @type {any} */ (null));
  const filters = { q, level: levels, stream: streams };
  const asked = JSON.stringify(filters);
  const head = useData(path, { ...filters, limit: 1 }, { revision });
  const load = useCallback((from, limit) => get(path, { ...filters, from, limit }).then((answer) => answer.lines), [path, asked]);
  const row = (line, index) =>
    html`<button type="button" key=${line?.position ?? `?${index}`} class=${`line level-${line?.level ?? "info"} from-${line?.stream ?? "stdout"}${line && chosen?.position === line.position ? " chosen" : ""}`} onClick=${() => line && choose(line)}>
      <span class="when" title=${line ? `${STREAMS[line.stream] ?? line.stream}, ${line.level}` : undefined}>${line ? clock(line.time_us) : ""}</span><span class="what">${line ? styled(line.text, q) : ""}</span>
    </button>`;
  return html`<${When} data=${head} what="Reading the log">
    ${({ total, dropped, matching, levels: counts }) =>
      total
        ? html`<div class="tools">
              <${Patient} type="search" placeholder="Search the log" aria-label="Search the log" value=${q} set=${setQ} />
              <${Choices} label="Severity" all=${LEVELS.filter((one) => counts[one])} words=${(one) => `${one} ${number(counts[one])}`} chosen=${levels} choose=${setLevels} />
              <${Choices} label="Stream" all=${Object.keys(STREAMS)} words=${(one) => STREAMS[one]} chosen=${streams} choose=${setStreams} />
              <label><input type="checkbox" checked=${follow} onChange=${(event) => setFollow(event.target.checked)} /> follow</label>
              <span class="grow"></span><span class="quiet" role="status">${matching === total ? `${number(total)} lines` : `${number(matching)} of ${number(total)} lines`}${dropped ? `, the first ${number(dropped)} left out` : ""}</span>
            </div>
            ${matching
              ? html`<${Lines} count=${matching} height=${HEIGHT} asked=${asked} label="Lines of the log" follow=${follow} load=${load} row=${row} left=${() => setFollow(false)} />`
              : html`<${Empty} title="No line fits.">None of ${number(total)} has this text and severity.<//>`}
            ${chosen && html`<${Whole} line=${chosen} close=${() => choose(null)} />`}`
        : html`<${Empty} title="Nothing was written yet.">What the training prints comes here line by line, and what is logged with <code>add_log("…")</code>.<//>`}
  <//>`;
}

/** @param {{ label: string, all: string[], words: (one: string) => string, chosen: string[], choose: (next: string[]) => void }} props */
export function Choices({ label, all, words, chosen, choose }) {
  const toggle = (one) => choose(chosen.includes(one) ? chosen.filter((other) => other !== one) : [...chosen, one]);
  return html`<span class="choices" role="group" aria-label=${label}>${all.map((one) => html`<button type="button" key=${one} aria-pressed=${String(chosen.includes(one))} onClick=${() => toggle(one)}>${words(one)}</button>`)}</span>`;
}

/** One line in full. @param {{ line: any, close: () => void }} props */
function Whole({ line, close }) {
  return html`<section class="panel whole" aria-label="The chosen line">
    <div class="panel-head"><h3>${new Date(line.time_us / 1000).toLocaleString(undefined, { hour12: false })} · ${STREAMS[line.stream]} · ${line.level}</h3>
      <button type="button" onClick=${() => navigator.clipboard?.writeText(plain(line.text))}>Copy</button><button type="button" onClick=${close}>Close</button></div>
    <pre>${styled(line.text, "")}</pre>
  </section>`;
}

/** @param {number} timeUs */
function clock(timeUs) {
  return new Date(timeUs / 1000).toLocaleTimeString(undefined, { hour12: false });
}

/** A line with its colours, and with what was searched for marked. @param {string} text @param {string} search */
function styled(text, search) {
  return pieces(text).map((piece) => (piece.css ? html`<span class=${piece.css}>${marked(piece.text, search)}</span>` : marked(piece.text, search)));
}

/** @param {string} text @param {string} search */
function marked(text, search) {
  const wanted = search.toLowerCase();
  const small = text.toLowerCase();
  if (!wanted || small.length !== text.length) return text;
  const parts = [];
  let from = 0;
  for (let at = small.indexOf(wanted); at >= 0; at = small.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), html`<mark>${text.slice(at, at + wanted.length)}</mark>`);
    from = at + wanted.length;
  }
  return [...parts, text.slice(from)];
}
