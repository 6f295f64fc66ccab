"""Postgres goes away while the master key is rotated: a sentence, values that open, and the next call goes on."""

import pytest

from tests.postgres import break_connections
from vpsctl.app import App
from vpsctl.audit.verify import verify_audit
from vpsctl.credentials.read import read_credentials
from vpsctl.credentials.set import set_credential
from vpsctl.errors import Unavailable
from vpsctl.keys.rotate import rotate_key
from vpsctl.keys.status import key_status
from vpsctl.secret import Secret


@pytest.mark.parametrize("moment", ["is staged", "is registered", "is in force", "2 values"])
def test_cut_off(app: App, postgres_server: str, database_url: str, moment: str) -> None:
    for name in ("ONE", "TWO"):
        set_credential(app, name, Secret(name.lower()))

    def report(line: str) -> None:
        if moment in line:
            break_connections(postgres_server, database_url)

    with pytest.raises(Unavailable) as caught:
        rotate_key(app, report=report)
    assert caught.value.hint == "vpsctl doctor"
    for _ in range(2):
        with App(app.settings, app.actor) as later:
            opened = read_credentials(later, ["ONE", "TWO"])
            assert {name: value.reveal() for name, (value, _) in opened.items()} == {"ONE": "one", "TWO": "two"}
            assert key_status(later).problem is None
            assert not verify_audit(later).problems
            if key_status(later).staged or any(key.state == "retiring" for key in key_status(later).keys):
                assert rotate_key(later).resumed
    assert [key.state for key in key_status(app).keys] == ["active", "retired"]
    assert not (app.settings.home / "master.key.next").exists()
