"""The database role that vpsctl works as; the schema's owner is needed for migrations only."""

ROLE = "vpsctl_app"
"""A name for the whole server: roles belong to no database. It reads and writes every table, but of `audit` it may only
add rows, and it cannot change the schema."""
MAY_BECOME = f"""coalesce(pg_has_role(current_user, to_regrole('{ROLE}')::oid,
 CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END), false)"""
"""Whether this login may work as the role; from Postgres 16 on not every member may."""
ENSURE_ROLE = f"""DO $$ BEGIN
 IF to_regrole('{ROLE}') IS NULL THEN
  BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END;
 END IF;
 IF NOT {MAY_BECOME} THEN GRANT {ROLE} TO CURRENT_USER; END IF;
END $$"""
"""Asks for rights only when something is missing: an administrator may have done it for a login that cannot."""
RIGHTS = "SELECT, INSERT, UPDATE, DELETE"
GRANT_RIGHTS = (
    f"DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO {ROLE}', current_schema());"
    f" EXECUTE format('GRANT {RIGHTS} ON ALL TABLES IN SCHEMA %I TO {ROLE}', current_schema());"
    f" EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT {RIGHTS} ON TABLES TO {ROLE}', current_schema());"
    f" EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT USAGE ON SEQUENCES TO {ROLE}', current_schema());"
    " END $$",
    f"REVOKE UPDATE, DELETE ON audit FROM {ROLE}",
    f"REVOKE INSERT, DELETE ON audit_head FROM {ROLE}",
    f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {ROLE}",
)
"""All but the schema itself and the audit rows: what no statement can undo, no mistake of ours can."""
MAY_REWRITE = "has_table_privilege({0}, 'audit', 'UPDATE') OR has_table_privilege({0}, 'audit', 'DELETE')"
"""Whether a role could change audit rows: a table that was dropped and made again has the default privileges."""
CANNOT_READ = """EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() AND tableowner = current_user
 AND NOT has_table_privilege({0}, format('%I.%I', schemaname, tablename)::regclass, 'SELECT'))"""
"""Whether a role lacks a table: default privileges are those of the login that made the schema, and a later table may be
another's."""
_OID = f"to_regrole('{ROLE}')::oid"
HAS_RIGHTS = f"""SELECT {MAY_BECOME} AND coalesce(has_table_privilege({_OID}, 'audit', 'INSERT')
 AND NOT ({MAY_REWRITE.format(_OID)}) AND NOT {CANNOT_READ.replace("{0}", _OID)}, false)"""
