// The head of a run: what it is called, how it does, and what can be done with it now.
import { html, useState } from "../../core/dom.js";
import { post, segment } from "../../core/api.js";
import { useData } from "../../core/data.js";
import { ago, duration, moment } from "../../core/format.js";
import { Link, go } from "../../core/router.js";
import { Health, Status, Tags } from "../../parts/chips.js";
import { Confirm, Dialog } from "../../parts/dialog.js";

/** @param {{ overview: any, reload: () => void, me: any }} props */
export function Head({ overview, reload, me }) {
  const { run, health, alerts } = overview;
  const end = run.ended_at ? Date.parse(run.ended_at) : Date.now();
  const found = Object.values(alerts).reduce((sum, many) => sum + many, 0);
  const base = `/runs/${segment(run.id)}`;
  return html`<div class="head">
    <div class="head-words">
      <h1>${run.name || run.id}</h1>
      <p class="quiet">
        <${Link} to=${`/runs?project=${segment(run.project_name)}`}>${run.project_name}<//>${" · "}<span class="mono">${run.id}</span>${" · "}<span title=${moment(run.created_at)}>begun ${ago(run.created_at)}</span>${" · "}${duration((end - Date.parse(run.created_at)) / 1000)}
      </p>
    </div>
    <span class="grow"></span>
    <div class="tools head-tools">
      <${Tags} tags=${run.tags} />
      ${health && html`<${Link} to=${`${base}/diagnosis`} class="plain" aria-label=${`Health ${Math.round(health.score)} of 100`}>health <${Health} score=${health.score} /><//>`}
      ${found > 0 && html`<${Link} to=${`${base}/diagnosis`} class="plain">${found} ${found === 1 ? "finding" : "findings"}<//>`}
      <${Status} status=${run.status} />
      ${me?.may_write && html`<${Acts} run=${run} reload=${reload} />`}
    </div>
  </div>`;
}

const ASKED = {
  stop: { word: "Stop", title: "End this training?", text: "The training is asked to end at its next step. It ends as if it had been interrupted; what it logged stays.", danger: true },
  resume: { word: "Resume", title: "Let this run go on?", text: "A run that ended early is made ready to be trained on, and you are told what to type; of one that was asked to stop, that is taken back." },
  finish: { word: "End the run", title: "Say that this run has ended?", text: "No process trains it any more. It is marked as interrupted." },
};

/** @param {{ run: any, reload: () => void }} props */
function Acts({ run, reload }) {
  const path = `/runs/${segment(run.id)}/actions`;
  const data = useData(path, {}, { revision: run.updated_at, everySeconds: run.status === "running" ? 10 : 0 });
  const [asking, ask] = useState("");
  const [done, setDone] = useState(/** @type {any} */ (null));
  const possible = (data.value?.actions ?? []).filter((name) => name in ASKED);
  const act = async () => {
    const body = { action: asking, ...(asking === "finish" ? { status: "interrupted" } : {}) };
    setDone(await post(path, body));
    data.reload();
    reload();
  };
  const about = ASKED[asking];
  return html`${data.value?.stop && html`<span class="chip warn" title=${data.value.stop.reason ?? ""}>asked to stop</span>`}
    ${possible.map((name) => html`<button type="button" key=${name} class=${ASKED[name].danger ? "danger" : ""} onClick=${() => ask(name)}>${ASKED[name].word}</button>`)}
    ${about && html`<${Confirm} title=${about.title} action=${about.word} danger=${!!about.danger} act=${act} close=${() => ask("")}><p>${about.text}</p><//>`}
    ${done && html`<${Dialog} title="Done" close=${() => setDone(null)}>
      <p>${done.message}</p>${done.command && html`<p>Where it was trained, type:</p><pre class="command">${done.command}</pre>`}
      <div class="tools end"><button type="button" class="primary" onClick=${() => setDone(null)}>Close</button></div>
    <//>`}`;
}

/**
 * What is done seldom: archive, delete.
 * @param {{ run: any, me: any, reload: () => void }} props
 */
export function Rare({ run, me, reload }) {
  const path = `/runs/${segment(run.id)}/actions`;
  const data = useData(me?.may_write ? path : null, {}, { revision: run.updated_at });
  const [asking, ask] = useState(false);
  const [error, setError] = useState("");
  const names = data.value?.actions ?? [];
  const archive = names.includes("unarchive") ? "unarchive" : "archive";
  if (!names.length) return null;
  const act = (action) =>
    post(path, { action }).then(
      () => (data.reload(), reload()),
      (fault) => setError(fault.message),
    );
  const remove = async () => {
    await post(path, { action: "delete" });
    go("/runs");
  };
  return html`<div class="tools">
    <button type="button" onClick=${() => act(archive)}>${archive === "archive" ? "Archive" : "Take out of the archive"}</button>
    <button type="button" class="danger" disabled=${!names.includes("delete")} title=${names.includes("delete") ? "" : "It is being trained; stop it first."} onClick=${() => ask(true)}>Delete…</button>
    ${error && html`<span class="bad" role="alert">${error}</span>`}
    ${asking && html`<${Confirm} title="Delete this run?" action="Delete for ever" danger=${true} act=${remove} close=${() => ask(false)}><p>Everything that ${run.name || run.id} logged is removed, its files and records too. There is no way back.</p><//>`}
  </div>`;
}
