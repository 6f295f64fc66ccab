"""Where the audit trail ended when it was last found whole, in a file: what sets a database back leaves it alone."""

import json
from datetime import datetime
from pathlib import Path

from vpsctl import private_file
from vpsctl.audit.chain import Known
from vpsctl.encoding import to_json
from vpsctl.errors import Invalid, NotFound


def anchor_path(home: Path) -> Path:
    return home / "audit-anchor"


def read_anchor(home: Path) -> Known | None:
    """None before the first clean verification. Raises Invalid for a file that others can read or that is damaged."""
    path = anchor_path(home)
    try:
        document = json.loads(private_file.read(path, "audit anchor"))
        return Known(int(document["last"]), bytes.fromhex(document["mac"]), datetime.fromisoformat(document["at"]))
    except NotFound:
        return None
    except (ValueError, KeyError, TypeError) as error:
        hint = f"remove {path} if you know why, then vpsctl audit verify"
        raise Invalid(f"the audit anchor at {path} is damaged", hint=hint) from error


def write_anchor(home: Path, known: Known) -> None:
    document = {"last": known.last, "mac": known.mac.hex(), "at": known.at}
    private_file.write(anchor_path(home), to_json(document).encode() + b"\n")
