"""Alembic's entry: runs the migrations on the connection that `vpsctl.db.migrate` hands over, in its transaction."""

from alembic import context

from vpsctl.db.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
