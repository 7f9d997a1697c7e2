"""Alembic's entry: runs on the connection that `amnl_tune.database.schema.upgrade` hands over."""

from alembic import context

from amnl_tune.database.models import Base
from amnl_tune.database.tables import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    include_name=lambda name, kind, _: kind != "table" or (name or "").startswith("amnl_"),
)
context.run_migrations()
