"""Writes docs/cli.md from the commands themselves: ``python -m quark.cli.document``."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from quark.cli.output import SCHEMA

PATH = Path(__file__).resolve().parent.parent.parent / "docs" / "cli.md"

_HEAD = """\
# The command line

Written by `python -m quark.cli.document` from the commands themselves; a test compares.

Everything works on the embedded store, a folder, and against a service alike. Which one is meant:
options first, then the environment, then `config.toml` (see [settings](settings.md)). A `RUN` is a
run's id, its name, or the beginning of either where that is one run's alone; `latest` is the newest
run, `PROJECT/latest` that of a project.

| exit code | meaning |
|---|---|
| 0 | It worked. |
| 1 | It did not: wrong usage, a service that cannot be reached, or a check that found something. |
| 2 | The user key is missing, is not accepted, or may not do this. |
| 130 | Ctrl-C ended it. |

What a command answers goes to stdout; questions, hints, progress and errors go to stderr. With
`--json` the answer is one JSON document, or a line of JSON for each thing where there is no end to
them. Below, `a: string` says that a property is there and what it is, `|` that it may be either.
Without a terminal, or with `NO_COLOR`, there are no colours. Completion: `quark completion`.
"""


class Described(NamedTuple):
    """A command as the document shows it."""

    path: str  # "quark run list"
    command: click.Command
    usage: str
    schema: Mapping[str, Any] | None

    @property
    def is_group(self) -> bool:
        """Whether it has commands below it."""
        return isinstance(self.command, click.Group)

    @property
    def is_callable(self) -> bool:
        """Whether it does something by itself, as every command does and few groups do."""
        return not self.is_group or type(self.command).invoke is not click.Group.invoke

    @property
    def brief(self) -> str:
        """What it does, in one sentence."""
        return self.command.get_short_help_str(200)

    @property
    def has_json(self) -> bool:
        """Whether it can print JSON."""
        return any("--json" in option.opts for option in self.command.params)


def commands(
    command: click.Command | None = None, context: click.Context | None = None
) -> Iterator[Described]:
    """Yield every command below one, the groups among them, in their order."""
    if command is None:
        from quark.cli.main import cli

        command, context = cli, click.Context(cli, info_name="quark")
    assert context is not None
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        if below is None or below.hidden:
            continue
        within = click.Context(below, parent=context, info_name=name)
        usage = below.get_usage(within).removeprefix("Usage: ")
        schema = getattr(below.callback, SCHEMA, None)
        yield Described(within.command_path, below, usage, schema)
        yield from commands(below, within)


def text() -> str:
    """Return the document."""
    found = list(commands())
    table = ["| command | what it does | `--json` |", "|---|---|---|"]
    for one in found:
        if one.is_callable:
            link = f"[`{one.path}`](#{one.path.replace(' ', '-')})"
            table.append(f"| {link} | {_cell(one.brief)} | {'yes' if one.has_json else ''} |")
    parts = [_HEAD, "\n".join(table), *(_section(one) for one in found if one.is_callable)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def paragraphs(command: click.Command) -> tuple[list[str], list[str]]:
    """Return the paragraphs of a command's help, and the lines of its examples."""
    prose, examples = [], []
    for part in inspect.cleandoc(command.help or "").split("\n\n"):
        if part.startswith("\b\n"):
            examples += part.splitlines()[1:]
        elif part:
            prose.append(" ".join(part.split()))
    return prose, examples


def _section(one: Described) -> str:
    prose, examples = paragraphs(one.command)
    lines = [f"## {one.path}", "", *"\n\n".join(map(_escaped, prose)).splitlines(), ""]
    lines += ["```bash", *examples, "```", ""] if examples else []
    lines += [f"Usage: `{' '.join(one.usage.split())}`", ""]
    options = [param for param in one.command.params if isinstance(param, click.Option)]
    options = [option for option in options if not option.hidden and "--json" not in option.opts]
    if options:
        lines += ["| option | what it does |", "|---|---|"]
        lines += [f"| {_names(option)} | {_cell(_about(option))} |" for option in options]
        lines.append("")
    if one.schema is not None:
        lines += [_json(one.schema), ""]
    return "\n".join(lines)


def _names(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    if option.is_flag or option.count:
        return names
    context = click.Context(click.Command("quark"))
    value = option.make_metavar(ctx=context).replace("|", "\\|")
    return f"{names} `{value}`"


def _about(option: click.Option) -> str:
    said = option.help or ""
    if option.show_default and option.default not in (None, False):
        said += f" Default: `{option.default}`."
    if option.multiple and "Repeatable" not in said:
        said += " Repeatable."
    if option.required:
        said += " Required."
    return said.strip()


def _json(schema: Mapping[str, Any]) -> str:
    about = f" {schema['description']}" if "description" in schema else ""
    if schema.get("$comment") == "lines":
        return f"`--json`, a line each: `{summary(schema)}`.{about}"
    return f"`--json`: `{summary(schema)}`.{about}"


def summary(schema: Mapping[str, Any]) -> str:
    """Return a JSON Schema in a line.

    >>> from quark.cli.output import list_of, object_of
    >>> summary(list_of(object_of(id="string", score="number|null")))
    '[{id: string, score: number|null}]'
    """
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(summary(one) for one in schema[word])
    if "enum" in schema:
        return "|".join(f'"{one}"' for one in schema["enum"])
    if "const" in schema:
        return f'"{schema["const"]}"'
    kinds = schema.get("type", "any")
    if kinds == "array" and schema.get("items"):
        return f"[{summary(schema['items'])}]"
    if kinds == "object" and schema.get("properties"):
        needed = schema.get("required", ())
        shown = (
            f"{name}{'' if name in needed else '?'}: {summary(one)}"
            for name, one in schema["properties"].items()
        )
        return "{" + ", ".join(shown) + "}"
    return kinds if isinstance(kinds, str) else "|".join(kinds)


def _cell(said: str) -> str:
    return _escaped(" ".join(said.split())).replace("|", "\\|")


def _escaped(said: str) -> str:
    """Return text that Markdown shows as it is."""
    parts = said.split("`")
    parts[::2] = [re.sub(r"([<>*_])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
    sys.stderr.write(f"{PATH}\n")  # stdout may be the file itself
