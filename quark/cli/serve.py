"""``quark serve``: the service, until it is told to stop."""

from __future__ import annotations

from pathlib import Path

import click

from quark._optional import require


@click.command("serve")
@click.option("--root", type=click.Path(path_type=Path), required=True, help="Where files lie.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8321, show_default=True, help="0 takes a free one.")
@click.option("--db", "db_url", help="postgresql://… for records and points.")
@click.option("--points", "points_url", help="clickhouse://… for points.")
@click.option("--blobs", "blobs_url", help="s3://… for payloads.")
def serve(
    root: Path,
    host: str,
    port: int,
    db_url: str | None,
    points_url: str | None,
    blobs_url: str | None,
) -> None:
    """Keep the runs of a team, behind HTTP."""
    uvicorn = require("uvicorn", purpose="quark serve")
    from quark.service.app import create_app
    from quark.service.config import ServiceConfig

    config = ServiceConfig(
        root=root, host=host, port=port, db_url=db_url, points_url=points_url, blobs_url=blobs_url
    )
    uvicorn.run(
        create_app(config),
        host=host,
        port=port,
        access_log=False,
        timeout_graceful_shutdown=int(config.shutdown_timeout_seconds),
    )
