"""From a sweep's command to the words that start a program."""

from __future__ import annotations

import pytest

from quark import jsonio
from quark.sweeps.command import argument_forms, asks_for, filled_command

VALUES = {"lr": 0.1, "fast": True, "slow": False, "o": {"n": None}}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            [],
            [
                "/usr/bin/env",
                "py",
                "train.py",
                "--lr=0.1",
                "--fast=True",
                "--slow=False",
                "--o={'n': None}",
            ],
        ),
        (["x", "${args_no_hyphens}"], ["x", "lr=0.1", "fast=True", "slow=False", "o={'n': None}"]),
        (["x", "${args_no_boolean_flags}"], ["x", "--lr=0.1", "--fast", "--o={'n': None}"]),
        (["${args_json_file}", 3], ["v.json", "3"]),
        (["a-${envvar:HOME_}-b", "${envvar:NONE}"], ["a-here-b", "NONE"]),
        (["${nothing}", "pre${args}", "${program}"], ["pre${args}", "train.py"]),
    ],
)
def test_macros_are_filled_in(command: list[object], words: list[str]) -> None:
    found = filled_command(
        command,
        VALUES,
        interpreter=["py"],
        program="train.py",
        variables={"HOME_": "here"},
        json_file="v.json",
    )

    assert found == words


def test_values_as_json_come_back() -> None:
    (text,) = argument_forms(VALUES)["args_json"]

    assert jsonio.loads(text) == VALUES
    assert asks_for((), "program")
    assert not asks_for(("python", "x.py"), "program")
