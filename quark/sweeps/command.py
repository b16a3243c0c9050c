"""The command of a sweep: the words that start one trial's program, with W&B's macros filled in.

A macro stands for itself, a whole word of the list, and becomes any number of words; only
``${envvar:NAME}`` may be a part of one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from quark import jsonio

#: What a sweep without a command is started by.
DEFAULT_COMMAND = ("${env}", "${interpreter}", "${program}", "${args}")

_VARIABLE = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")
_MACRO = re.compile(r"\$\{([a-z_]+)\}")
_PRINTER = ("/usr/bin/env",)


def argument_forms(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the values of a trial in each form that a command can ask for.

    >>> argument_forms({"lr": 0.1, "fast": True})["args_no_boolean_flags"]
    ['--lr=0.1', '--fast']
    """
    pairs = [(name, f"{name}={value}") for name, value in values.items()]
    switches = [
        flag
        for name, value in values.items()
        for flag in (
            ([f"--{name}"] if value else []) if isinstance(value, bool) else [f"--{name}={value}"]
        )
    ]
    return {
        "args": [f"--{pair}" for _, pair in pairs],
        "args_no_hyphens": [pair for _, pair in pairs],
        "args_no_boolean_flags": switches,
        "args_no_equals": [
            word for name, value in values.items() for word in (f"--{name}", str(value))
        ],
        "args_append_hydra": [f"+{pair}" for _, pair in pairs],
        "args_override_hydra": [f"++{pair}" for _, pair in pairs],
        "args_json": [jsonio.dumps(dict(values)).decode()],
    }


def filled_command(
    command: Sequence[Any],
    values: Mapping[str, Any],
    *,
    interpreter: Sequence[str],
    program: str | None,
    variables: Mapping[str, str],
    json_file: str,
) -> list[str]:
    """Return the words that start a trial. A macro that is not known becomes nothing.

    Args:
        command: What the sweep's configuration says; empty for :data:`DEFAULT_COMMAND`.
        variables: The environment, for ``${envvar:NAME}``; a name that is not there stays itself.
        json_file: Where the values are written, for ``${args_json_file}``.
    """
    macros = {
        **argument_forms(values),
        "env": list(_PRINTER),
        "interpreter": list(interpreter),
        "program": [program] if program else [],
        "args_json_file": [json_file],
    }
    words: list[str] = []
    for given in command or DEFAULT_COMMAND:
        word = _VARIABLE.sub(lambda found: variables.get(found[1], found[1]), str(given))
        macro = _MACRO.fullmatch(word)
        words += [word] if macro is None else macros.get(macro[1], [])
    return words


def asks_for(command: Sequence[Any], macro: str) -> bool:
    """Say whether a command has a macro."""
    return f"${{{macro}}}" in (command or DEFAULT_COMMAND)
