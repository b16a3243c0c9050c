"""``quark serve``: the service, until it is told to stop."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import click

from quark._optional import require
from quark.errors import SettingsError
from quark.service.config import ServiceConfig
from quark.service.config_sources import OPTIONS, Option, load_config

#: More than this is a slip of the finger, and would take all of the machine's memory.
_MOST_WORKERS = 256


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
    doc = option.doc + shown
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
    _check_workers(config)
    _check_certificate(config)
    require("uvicorn", purpose="quark serve")
    require("fastapi", purpose="quark serve")
    from quark.service import serving
    from quark.service.root_folder import is_new, prepare_root, remember_engines

    begins = is_new(config)
    prepare_root(config)
    with serving.bind(config) as listener:
        if begins:
            _say_it_is_new(config)
        _tell(config, serving.address_of(config, listener))
        remember_engines(config)
        return serving.run(config, listener, serving.notify_ready)


def _check_privacy(config: ServiceConfig) -> None:
    if not config.is_private and not config.allow_plain_http:
        raise SettingsError(
            f"Without TLS, everybody on the way to {config.host} can read user keys, so quark "
            "serve listens on this machine alone (--host 127.0.0.1). Give --tls-cert and "
            "--tls-key; or let a proxy speak TLS and name it with --behind-proxy ADDRESS; or, in "
            "a network where you trust everybody, add --allow-plain-http."
        )


def _check_workers(config: ServiceConfig) -> None:
    if config.workers > _MOST_WORKERS:
        raise SettingsError(
            f"workers is {config.workers}, but must be at most {_MOST_WORKERS}; about one for each "
            "core is enough."
        )


def _check_certificate(config: ServiceConfig) -> None:
    """See that TLS can be spoken, before workers start that could only die."""
    if config.tls_cert is None or config.tls_key is None:
        return
    for name, path in (("tls_cert", config.tls_cert), ("tls_key", config.tls_key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{name} {path} cannot be read: {error.strerror}.") from error
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Without a password OpenSSL would ask on the terminal for that of an encrypted key.
        context.load_cert_chain(config.tls_cert, config.tls_key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise SettingsError(
            f"tls_cert {config.tls_cert} and tls_key {config.tls_key} cannot be used: {error}. "
            "They must be a certificate chain and its own private key, both PEM, the key without a "
            "password."
        ) from error


def _say_it_is_new(config: ServiceConfig) -> None:
    """Say that clients of a service that was there before will not find their runs."""
    from quark.service.logs import JsonLog
    from quark.service.root_folder import engine_of

    root = str(config.root.absolute())
    JsonLog().line("new root", level="warning", root=root, db=engine_of(config.db_url))
    click.echo(f"Quark begins a new store: no service was on {root} before.")
    click.echo(
        "  if there should be one, stop this, and look whether the path is right and its disk"
    )
    click.echo("  is mounted; with --no-new-root a service does not start then")


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
    "QUARK_SERVE_NAME in the environment or in a file (--config); options come first.\n\n"
    "\b\nquark serve --root /srv/quark\n"
    "quark serve --root /srv/quark --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem",
)
