"""The database role that vpsctl works as; the schema's owner is needed for migrations only."""

ROLE = "vpsctl_app"
"""A name for the whole server: roles belong to no database. It reads and writes every table, but of `audit` it may only
add rows, and it cannot change the schema."""
