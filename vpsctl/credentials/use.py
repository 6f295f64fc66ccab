"""Hand credentials to a command: the variables and files that it gets, on record before it gets them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter

from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.credentials.head import find_head
from vpsctl.credentials.kinds.fields import fields, variables
from vpsctl.credentials.name import audited_name
from vpsctl.credentials.read import Opened, open_credentials
from vpsctl.secret import Secret

AMAZON = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
    "region": "AWS_REGION",
}
"""The fields of S3 keys as every tool that speaks to S3 knows them."""
GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS"
FILES = ("service-account", "ssh-key")
"""Kinds that programs want as a file."""


@dataclass(frozen=True)
class Handed:
    """What a command gets of some credentials."""

    environment: Mapping[str, Secret]
    files: Mapping[str, Secret]
    """{variable that holds a path: what stands in that file}."""
    without: tuple[str, ...]
    """Variables that it must not inherit, since they belong to other keys."""


def use_credentials(app: App, names: Sequence[str], program: str, *, project: str | None = None) -> Handed:
    """What `program` gets of the credentials `names`, as `project` sees them; one audit row says so, committed by then.

    Raises NotFound naming every one that is missing; Failed when a stored row was altered.
    """
    found = open_credentials(app, list(dict.fromkeys(names)), project=project)
    opened = [found[name] for name in dict.fromkeys(names)]
    with app.database.transaction() as session:
        record_use(app, session, opened, {"program": program})
    return hand_over(opened)


def record_use(app: App, session: Session, opened: Sequence[Opened], fields: Mapping[str, str]) -> None:
    """One audit row for all of them, and when they were used last."""
    heads = [find_head(app, session, item.name, item.project) for item in opened]
    for head in sorted(heads, key=attrgetter("id")):  # one order, so that no two wait for each other
        head.last_used_at = datetime.now(UTC)
        session.flush()
    told = {"names": [item.name for item in opened], "versions": [item.version for item in opened], **fields}
    record(app, session, "credential.use", ", ".join(audited_name(item.name, item.project) for item in opened), told)


def hand_over(opened: Sequence[Opened]) -> Handed:
    """Pure. A credential's own name comes before a field's variable of that name."""
    environment: dict[str, Secret] = {}
    for item in opened:
        environment.update(variables(item.name, item.kind, item.value))
    environment.update((item.name, item.value) for item in opened)
    files = {f"{item.name}_FILE": item.value for item in opened if item.kind in FILES}
    google, amazon = ([item for item in opened if item.kind == kind] for kind in ("service-account", "s3"))
    without: tuple[str, ...] = ()
    if len(google) == 1:
        files[GOOGLE] = google[0].value
    if len(amazon) == 1:
        keys = fields("s3", amazon[0].value)
        environment.update((AMAZON[name], value) for name, value in keys.items())
        without = () if "session_token" in keys else (AMAZON["session_token"],)
    return Handed(environment, files, without)
