"""The tables in PostgreSQL, described in docs/formats.md, and how a database comes to have them.

Everything lies in the schema ``quark``. What belongs to a run hangs on ``run.number``, which is
never given twice: so what a process remembers of a number is either still true, or the number is
gone. Children have no foreign keys, as each append would pay for them; a run is deleted table by
table instead.

Released migrations never change. A later one may replace a function, but must leave it callable
as before: processes of the version before it go on until they are restarted.
"""

from __future__ import annotations

from quark.errors import SchemaMigrationError, SessionStoreError
from quark.storage.postgres.connection import DeadlineConnection
from quark.storage.postgres.functions import APPEND_1, OPEN_RUN_1

#: Any number that no other program is likely to lock in the same database.
_MIGRATION_LOCK = 0x517561726B
#: How long a migration may take, and other processes wait for it.
_MIGRATION_SECONDS = 600

# EXTERNAL: packed blobs are not worth a second compression. What is emptied often is cleaned often.
_TABLES_1 = """
CREATE TABLE quark.namespace (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    document_revision bigint NOT NULL DEFAULT 0
);
CREATE TABLE quark.document (
    namespace_id bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (namespace_id, kind, name)
);
CREATE INDEX document_by_revision ON quark.document (namespace_id, kind, revision);
CREATE TABLE quark.run (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace_id bigint NOT NULL REFERENCES quark.namespace,
    run_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    workspace text COLLATE "C" NOT NULL,
    project_id text COLLATE "C" NOT NULL,
    project_name text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    run_group text COLLATE "C",
    tags text[] COLLATE "C" NOT NULL,
    creation_time_us bigint NOT NULL,
    created_at text COLLATE "C" NOT NULL,
    updated_at text COLLATE "C" NOT NULL,
    timestamp text NOT NULL,
    body text NOT NULL,
    UNIQUE (namespace_id, run_id)
);
CREATE INDEX run_by_creation ON quark.run (namespace_id, creation_time_us, run_id);
CREATE INDEX run_by_project ON quark.run (namespace_id, project_name, workspace);
CREATE TABLE quark.run_state (
    run bigint PRIMARY KEY,
    last_position bigint NOT NULL DEFAULT 0,
    last_segment bigint NOT NULL DEFAULT 0,
    last_axis bigint NOT NULL DEFAULT 0,
    last_chunk bigint NOT NULL DEFAULT 0,
    pending_segments bigint NOT NULL DEFAULT 0,
    pending_points bigint NOT NULL DEFAULT 0,
    merge_generation bigint NOT NULL DEFAULT 0,
    merge_claimed_until_us bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE quark.writer (
    run bigint NOT NULL,
    id bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (run, id),
    UNIQUE (run, name)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE quark.record (
    run bigint NOT NULL,
    position bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    writer_id bigint NOT NULL,
    seq bigint NOT NULL,
    ordinal bigint NOT NULL,
    step bigint,
    epoch bigint,
    time_us bigint NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (run, position)
);
CREATE INDEX record_by_kind ON quark.record (run, kind, position);
CREATE INDEX record_by_step ON quark.record (run, kind, step) WHERE step IS NOT NULL;
CREATE TABLE quark.metric_key (
    run bigint NOT NULL,
    id bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    PRIMARY KEY (run, id),
    UNIQUE (run, name)
);
CREATE TABLE quark.segment (
    run bigint NOT NULL,
    id bigint NOT NULL,
    point_count bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 50000);
CREATE TABLE quark.axis (
    run bigint NOT NULL,
    id bigint NOT NULL,
    use_count bigint NOT NULL,
    step_min bigint,
    step_max bigint,
    epoch_min bigint,
    epoch_max bigint,
    time_min_us bigint NOT NULL,
    time_max_us bigint NOT NULL,
    last_step bigint,
    last_epoch bigint,
    last_time_us bigint NOT NULL,
    is_ordered boolean NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run, id)
);
CREATE TABLE quark.chunk (
    run bigint NOT NULL,
    id bigint NOT NULL,
    key_id bigint NOT NULL,
    axis_id bigint NOT NULL,
    point_count bigint NOT NULL,
    nonfinite_count bigint NOT NULL,
    minimum double precision,
    maximum double precision,
    total double precision,
    last double precision,
    is_tail boolean NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run, id)
);
CREATE INDEX chunk_by_key ON quark.chunk (run, key_id, id);
CREATE INDEX chunk_tail ON quark.chunk (run, key_id) WHERE is_tail;
CREATE TABLE quark.damaged (
    run bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run, id)
);
ALTER TABLE quark.segment ALTER body SET STORAGE EXTERNAL;
ALTER TABLE quark.axis ALTER body SET STORAGE EXTERNAL;
ALTER TABLE quark.chunk ALTER body SET STORAGE EXTERNAL;
ALTER TABLE quark.damaged ALTER body SET STORAGE EXTERNAL;
"""

#: Statements from one version to the next.
MIGRATIONS: tuple[tuple[str, ...], ...] = ((_TABLES_1, OPEN_RUN_1, APPEND_1),)

#: What hangs on a run's number, in the order in which it is removed.
RUN_TABLES = (
    *("segment", "chunk", "axis", "damaged", "metric_key", "record", "writer"),
    *("run_state", "run"),
)


def migrate(connection: DeadlineConnection, target: str) -> None:
    """Bring the database to the current schema; several processes may do so at once.

    Raises:
        SchemaMigrationError: It was written by a newer Quark.
        SessionStoreError: It cannot hold what Quark writes.
        psycopg.Error: The server failed, or does not allow it.
    """
    if _version(connection, target) == len(MIGRATIONS):
        return
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise SessionStoreError(
            f"{target} has the encoding {encoding}; Quark needs a database with UTF8: "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
        )
    with connection.transaction(), connection.patience(_MIGRATION_SECONDS):
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
        # Asked again behind the lock: another process may have been faster.
        for statements in MIGRATIONS[_version(connection, target) :]:
            connection.execute("CREATE SCHEMA IF NOT EXISTS quark")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS quark.meta (name text PRIMARY KEY, value text NOT NULL)"
            )
            for statement in statements:
                connection.execute(statement)
        connection.execute(
            "INSERT INTO quark.meta (name, value) VALUES ('format', 'quark'), ('version', %s) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (str(len(MIGRATIONS)),),
        )


def _version(connection: DeadlineConnection, target: str) -> int:
    # Not to_regclass(): inside a transaction that may not have heard of what others committed.
    there = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = 'quark' AND tablename = 'meta'"
    if connection.execute(there).fetchone() is None:
        return 0
    row = connection.execute("SELECT value FROM quark.meta WHERE name = 'version'").fetchone()
    version = 0 if row is None else int(str(row[0]))
    if version > len(MIGRATIONS):
        raise SchemaMigrationError(
            f"{target} has schema version {version}, but this Quark knows versions up to "
            f"{len(MIGRATIONS)}; install a newer Quark to open it."
        )
    return version
