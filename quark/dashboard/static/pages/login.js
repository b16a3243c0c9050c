// Signing in to a service. The address stays as it is, so that whoever came by a link gets there.
import { html, useEffect, useRef, useState } from "../core/dom.js";
import { signIn } from "../core/session.js";

/** @param {{ why?: string }} props  `why`: what the server said, where it was more than "sign in" */
export default function Login({ why = "" }) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [state, setState] = useState({ busy: false, error: why });
  useEffect(() => {
    document.title = "Sign in · Quark";
    field.current?.focus();
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: "" });
    try {
      await signIn(field.current?.value.trim() ?? "");
    } catch (error) {
      setState({ busy: false, error: /** @type {Error} */ (error).message });
      field.current?.select();
    }
  };
  return html`<div class="login">
    <form class="panel" onSubmit=${submit} aria-labelledby="login-title">
      <img src="/ui/static/icon.svg" alt="" width="40" height="40" />
      <h1 id="login-title">Sign in to Quark</h1>
      <p class="quiet">A user key opens the runs of its workspace.</p>
      <label for="login-key">User key</label>
      <input id="login-key" ref=${field} type="password" name="key" required autocomplete="current-password" spellcheck="false" placeholder="qk_…"
        aria-describedby=${state.error ? "login-error" : "login-help"} aria-invalid=${String(Boolean(state.error))} />
      ${state.error && html`<p id="login-error" class="refusal" role="alert">${state.error}</p>`}
      ${isOpenLine() && html`<p class="warning">This connection is not encrypted: others on the network can read the key.</p>`}
      <button type="submit" class="primary" disabled=${state.busy}>${state.busy ? "Signing in…" : "Sign in"}</button>
      <p id="login-help" class="quiet">
        It is the key that trainings use as <code>QUARK_USER_KEY</code>. An administrator issues one with${" "}
        <code>quark admin key issue</code>. The browser does not keep it: it gets a pass that ends after 12 hours, or when you sign out.
      </p>
    </form>
  </div>`;
}

function isOpenLine() {
  return location.protocol === "http:" && !/^(localhost|127\.|\[::1\])/.test(location.hostname);
}
