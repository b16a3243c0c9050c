"""Runs the behaviours of one file against one of the two packages and writes down what was seen.

``python -m tests.compat.wandb.driver PACKAGE BEHAVIOURS OUTPUT``, in an empty folder.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

REAL, SHIM = "wandb", "quark.compat.wandb"

#: What an ``except`` clause may name. Of anything else only that it was raised is compared.
CATCHABLE = {
    *("TypeError", "ValueError", "AttributeError", "KeyError", "UsageError", "Error", "CommError"),
    *("ConfigError", "NotImplementedError"),
}


class Seen:
    """Collects what one behaviour showed, by label."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def __call__(self, label: str, look: Callable[[], Any]) -> Any:
        """Keep what ``look()`` gives, or what it raises."""
        assert label not in self.values, f"two observations are called {label!r}"
        try:
            value = look()
        except Exception as error:
            names = {kind.__name__ for kind in type(error).__mro__} & CATCHABLE
            self.values[label] = {"raised": sorted(names)}
            return None
        self.values[label] = shown(value)
        return value


def shown(value: Any) -> Any:
    """Return ``value`` in a form that two processes can compare: numbers by their value."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        number = float(value)
        return number if math.isfinite(number) else repr(number)
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): shown(item) for key, item in value.items()}
    if hasattr(value, "keys"):  # wandb's own dict-like objects
        return {str(key): shown(value[key]) for key in value.keys()}  # noqa: SIM118
    return f"<{type(value).__name__}>"


def without_own(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what W&B adds by itself."""
    return {key: item for key, item in shown(values).items() if not key.startswith("_")}


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested dicts under dotted keys."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def kept(package: str, run_id: str) -> dict[str, Any]:
    """Return what is kept of a run after its end."""
    if package == SHIM:
        run = import_module(SHIM).Api().run(run_id)
        rows = list(run.scan_history())
        config, summary, exit_code = run.config, run.summary, run.exit_code
    else:
        from tests.compat.wandb.offline_file import read_offline_run

        (path,) = Path("wandb").glob(f"*-{run_id}/run-{run_id}.wandb")
        offline = read_offline_run(path)
        rows = offline.history
        config, summary, exit_code = offline.config, offline.summary, offline.exit_code
    found = [{"_step": row["_step"], **flat(without_own(row))} for row in rows]
    return {
        "history": [row for row in found if len(row) > 1],
        "config": without_own(config),
        "summary": without_own(summary),
        "exit code": exit_code,
    }


def behaviours(module: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions of a file of behaviours."""
    for name, function in vars(import_module(module)).items():
        if name.startswith("behaviour_"):
            yield name.removeprefix("behaviour_"), function


def main(package: str, module: str, output: str) -> None:
    wandb = import_module(package)
    results: dict[str, dict[str, Any]] = {}
    run_ids = {}
    for name, behave in behaviours(module):
        seen = Seen()
        run = behave(wandb, seen)
        while wandb.run is not None:
            wandb.finish()
        results[name] = {"seen": seen.values}
        if run is not None:
            run_ids[name] = run.id
    wandb.teardown()  # only after this all of wandb's files are written
    for name, run_id in run_ids.items():
        results[name]["kept"] = kept(package, run_id)
    Path(output).write_text(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
