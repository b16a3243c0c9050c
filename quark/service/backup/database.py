"""PostgreSQL's part of a backup, by PostgreSQL's own programs: one state of the whole database."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from quark.errors import SessionStoreError
from quark.settings import environment_snapshot

FILE_NAME = "postgresql.dump"

#: Where Debian keeps the programs of each version, the newest of which reads all older servers.
_DEBIAN = Path("/usr/lib/postgresql")


def dump_database(url: str, target: Path) -> None:
    """Write all of a database into ``target``, compressed, while others go on using it.

    Raises:
        SessionStoreError: It cannot be dumped, or ``pg_dump`` is not installed.
    """
    _run("pg_dump", url, ["--format=custom", "--no-owner", "--no-privileges", f"--file={target}"])


def restore_database(url: str, source: Path) -> None:
    """Bring a dump into an empty database, all or nothing.

    Raises:
        SessionStoreError: It cannot be restored, or ``pg_restore`` is not installed.
    """
    options = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    _run("pg_restore", url, [*options, str(source)])


def _run(program: str, url: str, options: list[str]) -> None:
    from psycopg.conninfo import make_conninfo  # only where there is a database

    from quark.storage.postgres.connection import parse_url

    parameters, _ = parse_url(url)
    password = parameters.pop("password", None)
    # All that the URL says holds here, too: how to encrypt, whom to trust, several hosts.
    command = [_found(program), "--no-password", f"--dbname={make_conninfo('', **parameters)}"]
    variables = environment_snapshot()
    if password:  # not in the arguments, which every user of the machine can see
        variables["PGPASSWORD"] = str(password)
    ended = subprocess.run(
        [*command, *options],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if ended.returncode:
        lines = ended.stderr.decode("utf-8", "replace").splitlines()
        said = [line for line in lines if line.strip() and not line[0].isspace()]  # no hints
        raise SessionStoreError(f"{program} failed: {said[-1] if said else ended.returncode}.")


def _found(program: str) -> str:
    newest = sorted(_DEBIAN.glob(f"*/bin/{program}"), key=lambda path: float(path.parts[4]))
    path = str(newest[-1]) if newest else shutil.which(program)
    if path is None:
        raise SessionStoreError(
            f"{program} is not installed; it comes with PostgreSQL's client programs "
            "(apt-get install postgresql-client)."
        )
    return path
