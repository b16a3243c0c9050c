"""docs/cli.md says what the commands are; and each command keeps the rules of all."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import click
import jsonschema  # type: ignore[import-untyped]
import pytest

from quark.cli import document
from quark.cli.document import Described, commands, paragraphs
from quark.cli.lazy import LazyGroup
from quark.cli.main import cli

EVERY = list(commands())
COMMANDS = [one for one in EVERY if not one.is_group]

#: What has no answer that a program could read: it runs, serves or shows something.
WITHOUT_JSON = {
    "quark agent",
    "quark completion",
    "quark serve",
}


def test_the_document_is_as_the_commands_are() -> None:
    assert document.PATH.read_text("utf-8") == document.text(), (
        "docs/cli.md is out of date: python -m quark.cli.document"
    )


@pytest.mark.parametrize("one", COMMANDS, ids=lambda one: one.path)
def test_each_command_has_examples_that_it_takes(one: Described) -> None:
    _, examples = paragraphs(one.command)
    own = [line for line in examples if line.startswith(f"{one.path} ") or line == one.path]

    assert any(one.path in line for line in examples), (
        f"{one.path} has no example in its help: a paragraph after \\b"
    )
    assert all(len(line) <= 92 for line in examples)
    known = {name for param in one.command.params for name in (*param.opts, *param.secondary_opts)}
    for line in own:
        words = shlex.split(re.split(r" [|<>] | > | < ", line)[0], comments=True)
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert flags <= known, f"{one.path} does not know {flags - known}"


def test_each_command_that_answers_can_answer_in_json_of_a_stated_schema() -> None:
    for one in COMMANDS:
        if one.path in WITHOUT_JSON:
            assert not one.has_json, one.path
            continue
        assert one.has_json, f"{one.path} has no --json"
        assert one.schema is not None, f"{one.path} states no schema"
        jsonschema.Draft202012Validator.check_schema(json.loads(json.dumps(one.schema)))


def test_briefs_are_the_beginning_of_what_the_commands_say_themselves() -> None:
    context = click.Context(cli, info_name="quark")
    for path, group in groups(cli, context):
        for entry in group.entries.values():
            said = entry.load().get_short_help_str(200)
            assert said.startswith(entry.brief.rstrip(".")), f"{path} {entry.name}: {said!r}"
            assert entry.brief.endswith("."), entry.brief
            assert entry.name not in ("help", "version"), entry.name


def groups(group: click.Group, context: click.Context) -> list[tuple[str, LazyGroup]]:
    """Return the groups that know their commands by entries."""
    found = [(context.command_path, group)] if isinstance(group, LazyGroup) else []
    for name in group.list_commands(context):
        below = group.get_command(context, name)
        if isinstance(below, click.Group):
            found += groups(below, click.Context(below, parent=context, info_name=name))
    return found


def test_help_imports_no_command_and_nothing_heavy(python: str) -> None:
    code = (
        "import sys; sys.argv = ['quark', '--help']\n"
        "from quark.cli.main import cli, run\nrun(cli)\n"
        "heavy = {'numpy', 'torch', 'httpx', 'rich', 'fastapi', 'sqlite3', 'quark.cli.doctor'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )

    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "[]"
    assert all(f"  {one.path.split()[1]} " in done.stdout for one in EVERY)
