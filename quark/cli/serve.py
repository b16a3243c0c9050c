"""``quark serve``: the service, until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from quark._optional import require
from quark.errors import SettingsError
from quark.service.config import ServiceConfig
from quark.service.config_sources import OPTIONS, Option, load_config


def _parameters() -> list[click.Parameter]:
    parameters: list[click.Parameter] = [
        click.Option(
            ["--config", "config_file"],
            type=click.Path(path_type=Path, dir_okay=False),
            help="A TOML file with any of these, by name with '_' for '-'.",
        )
    ]
    for option in OPTIONS:
        parameters.append(_parameter(option))
        if option.is_url:
            parameters.append(
                click.Option(
                    [f"{option.flag}-file"],
                    type=click.Path(path_type=Path, dir_okay=False),
                    help=f"A file that holds what {option.flag} would say.",
                )
            )
    return parameters


def _parameter(option: Option) -> click.Option:
    kind = option.type.removesuffix(" | None")
    shown = f" [default: {option.default}]" if option.default not in (None, (), False) else ""
    doc = (option.doc or f"{option.name.replace('_', ' ').capitalize()}.") + shown
    if kind == "bool":
        flags = f"{option.flag}/--no-{option.flag.removeprefix('--')}"
        return click.Option([flags, option.name], default=None, help=doc)
    if kind == "tuple[str, ...]":
        return click.Option([option.flag, option.name], multiple=True, help=f"{doc} Repeatable.")
    types: dict[str, Any] = {"int": int, "float": float, "Path": click.Path(path_type=Path)}
    return click.Option([option.flag, option.name], type=types.get(kind, str), help=doc)


def _serve(config_file: Path | None, **flags: Any) -> int:
    config = load_config(flags, config_file)
    _check_privacy(config)
    require("uvicorn", purpose="quark serve")
    require("fastapi", purpose="quark serve")
    from quark.service import serving
    from quark.service.root_folder import prepare_root

    prepare_root(config)
    with serving.bind(config) as listener:
        _tell(config, serving.address_of(config, listener))
        return serving.run(config, listener, serving.notify_ready)


def _check_privacy(config: ServiceConfig) -> None:
    if not config.is_private and not config.allow_plain_http:
        raise SettingsError(
            f"Without TLS, everybody on the way to {config.host} can read user keys, so quark "
            "serve listens on this machine alone (--host 127.0.0.1). Give --tls-cert and "
            "--tls-key; or let a proxy speak TLS and name it with --behind-proxy ADDRESS; or, in "
            "a network where you trust everybody, add --allow-plain-http."
        )


def _tell(config: ServiceConfig, address: str) -> None:
    from quark.service.identity.engine import Identity
    from quark.service.stores import Stores

    stores = Stores(config)
    try:
        admins = Identity(stores.control).directory.service_admins()
    finally:
        stores.close()
    elsewhere = [
        f"{what} in {url.partition('://')[0]}"
        for what, url in (
            ("records", config.db_url),
            ("points", config.points_url),
            ("payloads", config.blobs_url),
        )
        if url is not None
    ]
    click.echo(f"Quark listens on {address}")
    click.echo(f"  data: {config.root.absolute()}{''.join(f', {each}' for each in elsewhere)}")
    if not config.is_private:
        click.echo("  no TLS: user keys can be read on the way (--allow-plain-http)")
    elif config.tls_cert is None and not config.behind_proxy and config.uds is None:
        click.echo("  this machine only, as there is no TLS; see --tls-cert and --behind-proxy")
    if admins:
        click.echo(f"  administrators: {', '.join(admins)}")
    else:
        db = " --db …" if config.db_url else ""
        click.echo("  nobody can use it yet; make the first administrator and key with:")
        click.echo(f"    quark admin bootstrap --root {config.root}{db}")


serve = click.Command(
    "serve",
    callback=_serve,
    params=_parameters(),
    help="Keep the runs of a team, behind HTTP.\n\nEach option can also be given as "
    "QUARK_SERVE_NAME in the environment or in a file (--config); options come first.",
)
