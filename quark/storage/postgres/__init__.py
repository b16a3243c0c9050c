"""The store in a PostgreSQL database, for a service that several processes share.

The points are the same packed blobs as in files (docs/formats.md). Only a service opens this; it
needs the extra ``service``. A :class:`PostgresEngine` owns the connections of a process, and
stores of any number of namespaces are made on it for nothing.
"""

from quark._optional import require

for _module in ("psycopg", "sqlalchemy"):
    require(_module, purpose="The PostgreSQL store")

from quark.storage.postgres.engine import (  # noqa: E402
    PostgresConfig as PostgresConfig,
    PostgresEngine as PostgresEngine,
)
from quark.storage.postgres.store import PostgresStore as PostgresStore  # noqa: E402
