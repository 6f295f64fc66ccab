"""Try a credential where it is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from vpsctl.app import App
from vpsctl.credentials.kinds.details import check_details
from vpsctl.credentials.probe.probe import probe
from vpsctl.credentials.read import open_credential
from vpsctl.credentials.use import record_use

NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Proof:
    name: str
    project: str | None
    """None: of the whole machine."""
    version: int
    ok: bool | None
    """None where nothing could be proved: `told` says why, and what is missing."""
    told: str
    """One sentence, without any part of the value."""
    seconds: float
    reached: bool
    """False: no answer came, which tells nothing of the value."""


def prove_credential(app: App, name: str, *, project: str | None = None, details: Mapping[str, str] = NOTHING) -> Proof:
    """Connect with the newest version, to where its own details say or, over them, `details`.

    An audit row "credential.use" is committed before. Raises NotFound; Invalid for a detail that its kind has no use for
    and for one that is missing; Unavailable without the program that connects; Failed when the stored row was altered.
    """
    opened = open_credential(app, name, project=project)
    wanted = {**opened.details, **details}
    check_details(opened.kind, wanted)
    with app.database.transaction() as session:
        record_use(app, session, [opened], {"program": "vpsctl cred test", **_place(details)})
    probed = probe(opened.kind, opened.value, wanted)
    return Proof(name, opened.project, opened.version, probed.ok, probed.told, probed.seconds, probed.reached)


def _place(details: Mapping[str, str]) -> dict[str, str]:
    """The host that was asked for on the command line: where a value went is worth knowing later."""
    addresses = [details[name] for name in ("url", "endpoint") if name in details]
    return {"host": urlsplit(addresses[0]).hostname or ""} if addresses else {}
