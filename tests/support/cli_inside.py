"""The ``quark`` command in this process: what it prints and ends with, in a tenth of the time."""

from __future__ import annotations

import contextlib
import io

from quark.cli.main import cli, run
from tests.support.cli import Done


def called(*words: object, stdin: str = "") -> Done:
    """Run ``quark`` with these words here; as :func:`tests.support.cli.run_cli`, without a
    terminal."""
    texts = tuple(map(str, words))
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    err = io.StringIO()
    given = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
    with _FromHere(given), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(cli, texts)
        out.flush()
    return Done(texts, code, out.buffer.getvalue().decode(), err.getvalue())


class _FromHere(contextlib._RedirectStream[io.TextIOWrapper]):  # as redirect_stdout is
    _stream = "stdin"
