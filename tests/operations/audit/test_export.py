"""The trail as JSON lines: complete, in order, enough to check the chain elsewhere, and never in half a file."""

import hmac
import json
import stat
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.operations.audit.conftest import Surgery, Write
from vpsctl.app import App
from vpsctl.audit.export import Exported, export_audit, export_to_file
from vpsctl.audit.list import list_audit
from vpsctl.audit.verify import verify_audit
from vpsctl.encoding import to_plain
from vpsctl.errors import Conflict, Failed, NotFound
from vpsctl.inner_key import subkey
from vpsctl.vault.sealed import binding


def lines(app: App, **wanted: Any) -> list[dict[str, Any]]:
    written: list[str] = []
    export_audit(app, written.append, **wanted)
    assert all("\n" not in line for line in written)
    return [json.loads(line) for line in written]


def test_without_a_row_there_is_the_head_alone(app: App) -> None:
    (last,) = lines(app)
    digest = sha256(b"").hexdigest()
    assert last == {"head": {"earlier": 0, "earlier_digest": digest, "last": 0, "mac": digest, "seal": None}}


def test_every_row_is_there_oldest_first_and_the_chain_can_be_made_again(app: App, write: Write) -> None:
    write(3)
    write(1, target="site:été\n", fields={"a": {"b": [1, 2.5, None, "ü"]}}, run_id=7)
    *rows, last = lines(app)
    shown = list(reversed(to_plain(list_audit(app))))
    assert [{name: value for name, value in row.items() if name not in ("previous", "mac")} for row in rows] == shown
    with app.database.transaction() as session:
        key = subkey(app, session, "audit")
    before = last["head"]["earlier_digest"]
    for row in rows:  # as the docstring of vpsctl.audit.export says
        mac, previous = bytes.fromhex(row.pop("mac")), row.pop("previous")
        row["at"] = row["at"] if "." in row["at"] else row["at"].replace("+", ".000000+")
        document = json.dumps(row, sort_keys=True, separators=(",", ":"))
        assert previous == before
        assert mac == hmac.digest(key, binding("audit", document) + bytes.fromhex(previous), sha256)
        before = mac.hex()
    assert last["head"]["mac"] == before == verify_audit(app).head_mac
    assert last["head"]["last"] == 4


def test_since_a_time_it_is_a_whole_piece_of_the_chain(app: App, write: Write, surgery: Surgery) -> None:
    write(5)
    moment = list_audit(app)[2].at
    assert [row["id"] for row in lines(app, since=moment)[:-1]] == [3, 4, 5]
    surgery("UPDATE audit SET at = at - interval '1 day' WHERE id = 4")  # a clock that was set back
    assert [row["id"] for row in lines(app, since=moment)[:-1]] == [3, 4, 5]
    assert [*lines(app, since=moment + timedelta(days=1))[0]] == ["head"]


def test_a_file_is_new_whole_and_private(app: App, write: Write, tmp_path: Path) -> None:
    write(2)
    path = tmp_path / "audit.jsonl"
    assert export_to_file(app, path) == Exported(2, path, 2, verify_audit(app).head_mac)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [json.loads(line) for line in path.read_text().splitlines()] == lines(app)
    assert path.read_text().endswith("}\n")
    with pytest.raises(Conflict, match="is there already"):
        export_to_file(app, path)
    assert [item.name for item in tmp_path.iterdir()] == ["audit.jsonl"]


def test_what_stands_there_is_never_written_over_nor_followed(app: App, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Conflict):
        export_to_file(app, link)
    with pytest.raises(Conflict):
        export_to_file(app, tmp_path)
    with pytest.raises(NotFound, match="there is no directory"):
        export_to_file(app, tmp_path / "nosuch" / "audit.jsonl")
    with pytest.raises(Failed, match="cannot write .*: File name too long"):
        export_to_file(app, tmp_path / ("x" * 250))
    assert [item.name for item in tmp_path.iterdir()] == ["link"]


def test_a_file_that_appears_meanwhile_is_left_alone(
    app: App, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(1)
    path = tmp_path / "audit.jsonl"
    monkeypatch.setattr(Path, "exists", lambda self: False)
    path.write_text("theirs")
    with pytest.raises(Conflict):
        export_to_file(app, path)
    assert path.read_text() == "theirs"
    assert [item.name for item in tmp_path.iterdir()] == ["audit.jsonl"]


def test_what_somebody_put_into_a_row_is_exported_as_well_as_can_be(app: App, write: Write, surgery: Surgery) -> None:
    write(2)
    surgery("UPDATE audit SET at = 'infinity', fields = '{\"a\": 1e9999}', mac = NULL WHERE id = 1")
    first, second, _ = lines(app)
    assert (first["at"][:10], first["fields"][:8], first["mac"]) == ("9999-12-30", '{"a": 10', None)
    assert second["previous"]


def test_reading_leaves_no_row(app: App, write: Write, tmp_path: Path) -> None:
    write(1)
    lines(app)
    export_to_file(app, tmp_path / "audit.jsonl")
    verify_audit(app)
    assert len(list_audit(app)) == 1
