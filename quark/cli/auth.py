"""``quark auth``: the user key that a service knows you by, kept in ``config.toml``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from quark.cli.output import Output, object_of, with_output
from quark.cli.signing_in import IDENTITY, asked_key, identity_pairs, name_of_service, whose_key
from quark.cli.target import with_settings
from quark.errors import SettingsError

if TYPE_CHECKING:
    from quark.settings import Settings

_LOGIN = object_of(target="string", config_path="string", url="string", **IDENTITY["properties"])
_LOGOUT = object_of(target="string|null", config_path="string", revoked="boolean")
_WHOAMI = {
    **object_of(kind="string", place="string", target="string|null", user="string"),
    "description": "With kind 'service' also what `auth login` says of the key.",
}


@click.group("auth")
def auth() -> None:
    """Log in to a service, and out again.

    \b
    quark auth login
    quark auth whoami
    """


@auth.command("login")
@click.option("--url", metavar="URL", help="The service; that of the target if left out.")
@click.option("--target", "name", metavar="NAME", help="The target that gets the key.")
@click.option("--key-stdin", is_flag=True, help="Read the key from stdin.")
@with_output(_LOGIN)
def login(url: str | None, name: str | None, key_stdin: bool, out: Output) -> None:
    """Keep a user key, once the service has accepted it.

    An administrator of the workspace issues keys. A key that the service refuses is not kept
    (exit code 2). The file that holds it is readable by you alone.

    \b
    quark auth login --url https://quark.example.com
    quark auth login --target team --key-stdin < key.txt
    """
    from quark.cli import config_file

    name, url = _place_to_log_in(name, url)
    key = asked_key(from_stdin=key_stdin)
    identity = whose_key(url, key)
    values = {"persistence_url": url, "user_key": key}
    choose = config_file.chosen_target() is None or name not in config_file.targets()
    path = config_file.set_target(name, values, choose=choose)
    if out.as_json:
        out.answer({"target": name, "config_path": str(path), "url": url, **identity})
        return
    out.text(f"Logged in to {url}, target {name}; the key is in {path}.")
    out.pairs(identity_pairs(identity))
    chosen = config_file.chosen_target()
    if chosen != name:
        out.note(f"Runs still go to the target {chosen}; `quark target use {name}` changes that.")
    _warn_of_stronger_key(out)


@auth.command("whoami")
@with_settings
@with_output(_WHOAMI)
def whoami(settings: Settings, out: Output) -> None:
    """Say who you are where runs are kept, and what you may do there.

    A key that the service refuses ends with exit code 2.

    \b
    quark auth whoami
    quark auth whoami --target team --json
    """
    from quark.persistence.open import embedded_storage_dir, is_service_url

    if not is_service_url(settings.persistence_url):
        from quark.cli.local_user import machine_user

        place = str(embedded_storage_dir(settings))
        said = {"kind": "folder", "place": place, "target": settings.target, "user": machine_user()}
        if out.as_json:
            out.answer(said)
        else:
            out.text(
                f"Runs are kept in {place}, where nobody logs in: who may write to the folder may "
                "do everything."
            )
        return
    url = str(settings.persistence_url)
    timeout_seconds = settings.persistence_timeout_seconds
    identity = whose_key(url, settings.user_key, timeout_seconds=timeout_seconds)
    if out.as_json:
        out.answer({"kind": "service", "place": url, "target": settings.target, **identity})
        return
    target = [("target", settings.target)] if settings.target else []
    out.pairs([("service", url), *target, *identity_pairs(identity)])


@auth.command("logout")
@click.option("--target", "name", metavar="NAME", help="The target that loses its key.")
@click.option("--revoke", is_flag=True, help="Let the service refuse the key everywhere, too.")
@with_output(_LOGOUT)
def logout(name: str | None, revoke: bool, out: Output) -> None:
    """Remove a user key from config.toml.

    The key itself goes on to be good, on other machines too, unless --revoke.

    \b
    quark auth logout
    quark auth logout --target team --revoke
    """
    from quark.cli import config_file

    name = name or config_file.chosen_target()
    if name is None:
        raise SettingsError(
            "No target is chosen; say with --target NAME which key is to go. `quark target ls` "
            "shows them."
        )
    target = config_file.check_target(name)
    key = target.get("user_key")
    if key is None:
        raise SettingsError(f"There is no user key in the target {name!r}; nobody is logged in.")
    if revoke:
        _revoke(target["persistence_url"], key)
    path = config_file.set_target(name, {"user_key": None}, choose=False)
    if out.as_json:
        out.answer({"target": name, "config_path": str(path), "revoked": revoke})
        return
    rest = "and is refused everywhere" if revoke else "and would still be accepted (see --revoke)"
    out.text(f"Logged out of {target.get('persistence_url')}: the key is gone from {path}, {rest}.")
    _warn_of_stronger_key(out)


def _place_to_log_in(name: str | None, url: str | None) -> tuple[str, str]:
    """Return the target and the URL that are meant."""
    from quark.cli import config_file
    from quark.persistence.open import is_service_url
    from quark.settings import Settings

    targets = config_file.targets()
    if url is None:
        known = targets.get(name or config_file.chosen_target() or "", {}).get("persistence_url")
        url = known if name or known else Settings.load().persistence_url
    if not is_service_url(url):
        where = f"The target {name!r} names" if name else "Nothing here names"
        raise SettingsError(
            f"{where} no service to log in to; give its address: "
            "quark auth login --url https://quark.example.com."
        )
    assert url is not None
    if name is None:
        same = [
            one
            for one, table in targets.items()
            if _base(table.get("persistence_url")) == _base(url)
        ]
        chosen = config_file.chosen_target()
        name = chosen if chosen in same else next(iter(same), None) or _free_name(url, targets)
    else:
        there = targets.get(name, {}).get("persistence_url", url)
        if name in targets and "persistence_url" not in targets[name]:
            raise SettingsError(
                f"The target {name!r} is a folder, where nobody logs in; name another target."
            )
        if _base(there) != _base(url):
            raise SettingsError(
                f"The target {name!r} is {there}, and --url is {url}; leave one of them out, or "
                "name another target."
            )
    return name, targets.get(name, {}).get("persistence_url", url)


def _free_name(url: str, taken: dict[str, dict[str, str]]) -> str:
    name = name_of_service(url)
    numbers = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(one for one in (name, *numbers) if one not in taken)


def _base(url: str | None) -> str | None:
    return None if url is None else url.partition("?")[0].rstrip("/")


def _revoke(url: str, key: str) -> None:
    from quark.persistence.service_client import ServiceClient

    identity = whose_key(url, key)
    client = ServiceClient(url, key, workspace=identity["workspace"])
    try:
        client.request("DELETE", client.path("user_keys", identity["key_id"]))
    finally:
        client.close()


def _warn_of_stronger_key(out: Output) -> None:
    from quark.settings import environment

    if environment(("QUARK_USER_KEY",)).get("QUARK_USER_KEY"):
        out.note("QUARK_USER_KEY in the environment is stronger than config.toml.")
