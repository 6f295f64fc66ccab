"""Try a connection URL of ClickHouse.

Over its HTTP interface directly: clickhouse-connect reads the table of settings first, which old servers have in another
shape and which a user may not be let to read.
"""

from urllib.parse import SplitResult, quote, unquote, urlsplit

from vpsctl.credentials.probe.http import Unanswered, basic, get
from vpsctl.credentials.probe.outcome import Outcome, sentence

PORTS = {"clickhouse": ("http", 8123), "clickhouses": ("https", 8443)}
NATIVE = (9000, 9440)


def try_clickhouse(url: str, seconds: float) -> Outcome:
    """Runs SELECT version() in the database that the URL names."""
    parts = urlsplit(url)
    where = f"ClickHouse at {parts.hostname}"
    login = basic(unquote(parts.username or "default"), unquote(parts.password or ""))
    try:
        answer = get(_address(parts), {"Authorization": login}, seconds)
    except Unanswered as error:
        return Outcome(False, f"{where} {error}", error.reached)
    if answer.status == 200:
        return Outcome(True, f"{where} ({sentence(answer.text)}) answered SELECT version()")
    if answer.status in (401, 403) or answer.headers.get("x-clickhouse-exception-code") == "516":
        return Outcome(False, f"{where}: the user and password were refused")
    if parts.port in NATIVE or "clickhouse-client" in answer.text:
        return Outcome(
            False, f"{where}: port {parts.port} is for its native protocol; the URL needs the one for HTTP, 8123 or 8443"
        )
    return Outcome(False, f"{where} answered with status {answer.status}: {sentence(answer.text)}")


def _address(parts: SplitResult) -> str:
    scheme, port = PORTS[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    database = unquote(parts.path.strip("/"))
    chosen = f"&database={quote(database, safe='')}" if database else ""
    return f"{scheme}://{host}:{parts.port or port}/?query=SELECT%20version()&default_format=TabSeparated{chosen}"
