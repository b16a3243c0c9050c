"""``config.yaml``, ``wandb-summary.json`` and ``wandb-metadata.json``: what W&B puts among a run's
files, and what scripts download to look at or to start from.

The run itself rests in the store; these are copies, written when it ends. A ``config.yaml`` that
the script has put there is left alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quark import jsonio
from quark.compat.wandb.run_metadata import run_metadata

CONFIG_FILE = "config.yaml"
SUMMARY_FILE = "wandb-summary.json"
METADATA_FILE = "wandb-metadata.json"
DESCRIBED = frozenset({CONFIG_FILE, SUMMARY_FILE, METADATA_FILE})

_MARK = "# Written by Quark when the run ended."
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
#: Plain keys that YAML would not take for texts.
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"})


def write_described_files(
    folder: Path, run_dir: Path, config: Mapping[str, Any], summary: Mapping[str, Any], began: str
) -> None:
    """Write the three files.

    Args:
        folder: The run's folder, where what is known of the machine is.
        run_dir: Where the files go.
        began: When the run was created.

    Raises:
        OSError: A file cannot be written.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    place = run_dir / CONFIG_FILE
    if not place.exists() or place.read_text(errors="replace").startswith(_MARK):
        place.write_text(config_text(config))
    (run_dir / SUMMARY_FILE).write_bytes(jsonio.dumps(dict(summary)))
    metadata = run_metadata(folder, began)
    if metadata is not None:
        (run_dir / METADATA_FILE).write_bytes(jsonio.dumps(metadata, indent=True) + b"\n")


def config_text(config: Mapping[str, Any]) -> str:
    """Return a config as W&B's YAML. Its values are on one line each.

    >>> print(config_text({"lr": 0.1, "layers": [64, 64]}))
    # Written by Quark when the run ended.
    lr:
        value: 0.1
    layers:
        value: [64, 64]
    <BLANKLINE>
    """
    lines = [_MARK]
    for key, value in config.items():
        plain = _PLAIN_KEY.fullmatch(key) and key.lower() not in _YAML_WORDS
        lines.append(f"{key if plain else _text(key)}:")
        lines.append(f"    value: {_value(value)}")
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Return a text in quotes, without characters that YAML does not allow."""
    quoted = jsonio.dumps(text).decode()
    return _NOT_YAML.sub(lambda found: f"\\u{ord(found.group()):04x}", quoted)


def _value(value: Any) -> str:
    """Return a plain value as YAML on one line: JSON, but for floats, which YAML 1.1 takes for
    texts if they have an exponent without a point or a sign."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(k)}: {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    if not isinstance(value, float):
        return jsonio.dumps(value).decode()
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    digits, mark, power = repr(value).partition("e")
    if not mark:
        return digits
    return (
        f"{digits if '.' in digits else digits + '.0'}e{power if power[0] in '+-' else '+' + power}"
    )
