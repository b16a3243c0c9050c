"""``quark completion``: the script that lets a shell complete commands, options, runs."""

from __future__ import annotations

import click

#: What the script sets when it asks; its value says which shell asks, and for what.
_VARIABLE = "_QUARK_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options and values.

    bash 4.4 or newer, zsh or fish. Runs and projects are those of the store that the line names, or
    that is chosen.

    \b
    quark completion bash > ~/.local/share/bash-completion/completions/quark
    quark completion zsh > "${fpath[1]}/_quark"
    quark completion fish > ~/.config/fish/completions/quark.fish
    """
    from click.shell_completion import get_completion_class

    from quark.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None, shell
    script = kind(cli, {}, "quark", _VARIABLE)
    # Not ``source()``, which asks the bash of this machine how old it is: it may be for another.
    text = script.source_template % script.source_vars()
    # bash would take a name with blanks for several words.
    click.echo(text.replace("COMPREPLY+=($value)", 'COMPREPLY+=("$(printf %q "$value")")'))
