"""``quark init``: where runs are kept from now on, written down once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from quark.cli.output import Output, object_of, with_output
from quark.errors import SettingsError

_SCHEMA = object_of(
    target="string",
    config_path="string",
    storage_dir="string|null",
    url="string|null",
    workspace="string|null",
    user="string|null",
    next="array",
)


@click.command("init")
@click.option("--storage-dir", metavar="DIR", help="Keep runs in this folder, on this machine.")
@click.option("--url", metavar="URL", help="Let this service keep runs.")
@click.option("--workspace", metavar="NAME", help="The workspace; the key's own if left out.")
@click.option("--key-stdin", is_flag=True, help="Read the service's user key from stdin.")
@click.option("--target", "name", metavar="NAME", help="What to call this place.")
@with_output(_SCHEMA)
def init(
    storage_dir: str | None,
    url: str | None,
    workspace: str | None,
    key_stdin: bool,
    name: str | None,
    out: Output,
) -> None:
    """Say once where runs are kept: in a folder, or by a service.

    Writes a target into config.toml, which scripts and this command read alike, and chooses it.
    Asks for what is not given. A target of the name that says something else is left alone.

    \b
    quark init
    quark init --storage-dir ~/runs
    quark init --url https://quark.example.com --key-stdin < key.txt
    """
    if storage_dir is not None and url is not None:
        raise click.UsageError("--storage-dir and --url name two places; leave one of them out.")
    if storage_dir is None and url is None:
        storage_dir, url = _asked_place()
    if url is None:
        assert storage_dir is not None
        _init_folder(storage_dir, workspace, name, out)
    else:
        _init_service(url, workspace, name, key_stdin=key_stdin, out=out)


def _asked_place() -> tuple[str | None, str | None]:
    """Return a folder, or a URL."""
    if not sys.stdin.isatty():
        raise click.UsageError(
            "There is no terminal to ask on; say where runs are to be kept with --storage-dir DIR "
            "or --url URL."
        )
    click.echo("Where shall runs be kept?", err=True)
    click.echo("  1  in a folder on this machine: no server, no network", err=True)
    click.echo("  2  by a Quark service, for a team", err=True)
    choice = click.prompt("1 or 2", type=click.Choice(["1", "2"]), default="1", err=True)
    if choice == "1":
        here = str(Path.cwd())
        return click.prompt("The folder that is to hold .quark", default=here, err=True), None
    return None, click.prompt("The service's URL, such as https://quark.example.com", err=True)


def _init_folder(storage_dir: str, workspace: str | None, name: str | None, out: Output) -> None:
    folder = Path(storage_dir).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be made: {error.strerror}. Name a folder that you may write to."
        ) from error
    values = {"storage_dir": str(folder), "workspace": workspace}
    said = _write(name or "local", values)
    _tell(
        out,
        {**said, "storage_dir": str(folder), "url": None, "workspace": workspace, "user": None},
        f"Runs are kept in {folder / '.quark'} from now on.",
        [
            "python train.py   # with `import quark.compat.wandb as wandb`",
            "quark run list",
            "quark ui",
        ],
    )


def _init_service(
    url: str, workspace: str | None, name: str | None, *, key_stdin: bool, out: Output
) -> None:
    from quark.cli.signing_in import asked_key, name_of_service, whose_key
    from quark.persistence.service_url import parse_service_url

    place = parse_service_url(url)
    key = None
    user: str | None = None
    if key_stdin or sys.stdin.isatty():
        key = asked_key(from_stdin=key_stdin)
        identity = whose_key(url, key)
        user = identity["user"]
        belongs = f", workspace {workspace or identity['workspace']}, as {user}"
    else:
        belongs = ""
    values = {"persistence_url": url, "user_key": key, "workspace": workspace}
    said = _write(name or name_of_service(url), values)
    if not (place.is_encrypted or place.is_local):
        out.note(f"{place.base} is spoken to unencrypted: others on the way can read the key.")
    steps = ["quark doctor", "quark run train.py", "quark run list"]
    _tell(
        out,
        {**said, "storage_dir": None, "url": url, "workspace": workspace, "user": user},
        f"Runs are kept by {place.base} from now on{belongs}.",
        steps if key else [f"quark auth login --target {said['target']}", *steps],
    )


def _write(name: str, values: dict[str, str | None]) -> dict[str, Any]:
    from quark.cli import config_file

    there = config_file.targets().get(name)
    changed = there is not None and any(
        there.get(key) != value for key, value in values.items() if key != "user_key"
    )
    if changed:
        raise SettingsError(
            f"There is a target {name!r} already, which is another place. Call this one something "
            f"else with --target NAME, or remove that one with `quark target rm {name}`."
        )
    kept = {key: value for key, value in values.items() if value is not None}
    path = config_file.set_target(name, kept, choose=True)
    return {"target": name, "config_path": str(path)}


def _tell(out: Output, said: dict[str, Any], sentence: str, steps: list[str]) -> None:
    if out.as_json:
        out.answer({**said, "next": steps})
        return
    out.text(f"{sentence}\nTarget {said['target']} in {said['config_path']}.\n\nNext:")
    out.text("\n".join(f"  {step}" for step in steps))
    _warn_of_environment(out)


def _warn_of_environment(out: Output) -> None:
    from quark.settings import environment

    names = ("QUARK_PERSISTENCE_URL", "QUARK_STORAGE_DIR", "QUARK_TARGET", "QUARK_USER_KEY")
    found = sorted(name for name, value in environment(names).items() if name in names and value)
    if found:
        out.note(f"{', '.join(found)} in the environment is stronger than config.toml.")
