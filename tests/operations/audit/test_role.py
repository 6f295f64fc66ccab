"""The role that vpsctl works as can add to the trail and read it, and do nothing else to it."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.operations.audit.conftest import Surgery, Write
from vpsctl.app import App
from vpsctl.audit.verify import verify_audit
from vpsctl.db.role import ROLE

INSUFFICIENT_PRIVILEGE = "42501"
FORBIDDEN = (
    "UPDATE audit SET actor = 'mallory'",
    "UPDATE audit SET actor = actor WHERE false",
    "DELETE FROM audit",
    "DELETE FROM audit WHERE false",
    "TRUNCATE audit",
    "MERGE INTO audit USING (SELECT 1 AS n) AS one ON id = n WHEN MATCHED THEN UPDATE SET actor = 'mallory'",
    "INSERT INTO audit SELECT * FROM audit ON CONFLICT (id) DO UPDATE SET actor = 'mallory'",
    "SELECT * FROM audit FOR UPDATE",
    "DROP TABLE audit",
    "ALTER TABLE audit ADD COLUMN more text",
    "ALTER TABLE audit RENAME TO gone",
    "ALTER TABLE audit DROP CONSTRAINT pk_audit",
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "ALTER TABLE audit OWNER TO CURRENT_USER",
    "ALTER TABLE audit SET UNLOGGED",
    "CREATE RULE quiet AS ON INSERT TO audit DO INSTEAD NOTHING",
    "CREATE TRIGGER loud BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE INDEX more ON audit (actor)",
    "CREATE POLICY none ON audit USING (false)",
    "SET session_replication_role = replica",
    "INSERT INTO audit_head SELECT 2, earlier, earlier_digest, last, mac, seal FROM audit_head",
    "DELETE FROM audit_head",
    "TRUNCATE audit_head",
    "DROP TABLE audit_head",
    "ALTER TABLE audit_head ADD COLUMN more text",
    "CREATE TABLE more (n int)",
    "UPDATE alembic_version SET version_num = '0001'",
    "COPY audit TO PROGRAM 'true'",
    f"ALTER ROLE {ROLE} SUPERUSER",
)


@pytest.fixture
def rows(write: Write) -> None:
    write(3)


@pytest.mark.usefixtures("rows")
def test_it_can_change_nothing(app: App) -> None:
    done = [statement for statement in FORBIDDEN if not refused(app, statement)]
    assert done == []
    assert len(verify_audit(app).problems) == 0


@pytest.mark.usefixtures("rows")
def test_a_right_that_it_gives_itself_is_none(app: App) -> None:
    with app.database.transaction() as session:
        session.execute(text("GRANT ALL ON audit, audit_head TO CURRENT_USER"))  # which Postgres only warns about
    assert [statement for statement in FORBIDDEN if not refused(app, statement)] == []


def refused(app: App, statement: str) -> bool:
    """For want of a right, and for no other reason; whatever was done is undone."""
    with app.database.transaction() as session:
        try:
            session.execute(text(statement))
        except DBAPIError as error:
            return getattr(error.orig, "sqlstate", None) == INSUFFICIENT_PRIVILEGE
        finally:
            session.rollback()
    return False


@pytest.mark.usefixtures("rows")
def test_it_is_that_role_also_where_the_login_is_a_superuser(app: App, surgery: Surgery) -> None:
    with app.database.transaction() as session:
        assert session.execute(text("SELECT current_user, session_user")).one() == (ROLE, "postgres")
    surgery("UPDATE audit SET actor = actor")  # the login itself may: it is the role that holds us back


@pytest.mark.usefixtures("rows")
def test_it_can_add_rows_and_move_the_end_on(app: App, write: Write) -> None:
    write(1)
    with app.database.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM audit")) == 4
        assert session.scalar(text("SELECT last FROM audit_head")) == 4
