"""Try a connection URL of Postgres."""

import re
from urllib.parse import urlsplit

from vpsctl.credentials.probe.outcome import Outcome, sentence, silent

ANSWERED = re.compile(r"failed: \w+:  ")
"""In libpq's message: what the server said, with its word for FATAL, which lc_messages chooses; else it is libpq's own."""


def try_postgres(url: str, seconds: float) -> Outcome:
    """Connects and runs SELECT 1."""
    import psycopg

    where = f"Postgres at {urlsplit(url).hostname or 'the socket'}"
    try:
        with psycopg.connect(url, connect_timeout=max(2, int(seconds)), autocommit=True) as connection:
            connection.execute("SELECT 1")
            version = connection.info.parameter_status("server_version") or "of a version it does not tell"
            asked = connection.pgconn.used_password
    except psycopg.errors.ConnectionTimeout:
        return silent(where, seconds)
    except psycopg.OperationalError as error:
        return Outcome(False, f"{where}: {_reason(error)}", bool(ANSWERED.search(str(error))))
    except psycopg.Error as error:
        # Of a URL that cannot be read the message quotes the piece, which may be one of the password.
        unread = isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None
        return Outcome(False, f"{where}: {'its client cannot read the URL' if unread else sentence(error)}")
    if urlsplit(url).password is not None and not asked:
        return Outcome(None, f"{where} ({version}) lets this user in without asking for the password, which proves nothing")
    return Outcome(True, f"{where} ({version}) answered SELECT 1")


def _reason(error: BaseException) -> str:
    """libpq's own words, without its repetition of the address."""
    text = sentence(error)
    for mark in ("FATAL: ", "failed: "):
        if mark in text:
            text = text.rpartition(mark)[2].strip()
    return text
