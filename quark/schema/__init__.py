"""What a record must look like, checked at the two doors where records come in."""

from quark.schema.dump import dump_record
from quark.schema.migrate import migrate_store
from quark.schema.validate import validate_record
from quark.schema.version import CURRENT_SCHEMA_VERSION

__all__ = ["CURRENT_SCHEMA_VERSION", "dump_record", "migrate_store", "validate_record"]
