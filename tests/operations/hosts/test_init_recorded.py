"""What init mended stands in the audit trail, also when its row could not be written at once."""

import docker

from tests.machine import initialised_machine
from vpsctl.app import Actor, App
from vpsctl.audit.list import Wanted, list_audit
from vpsctl.audit.verify import verify_audit
from vpsctl.credentials.set import set_credential
from vpsctl.hosts.init import init
from vpsctl.keys.rotate import rotate_key
from vpsctl.secret import Secret

PASSPHRASE = Secret("five words nobody would guess")


def test_cron_mends_without_the_passphrase_and_its_row_comes_later(
    docker_client: docker.DockerClient, database_url: str
) -> None:
    with initialised_machine(docker_client, postgres_url=Secret(database_url)) as app:
        with App(app.settings, Actor("anna", "cli"), ask=lambda prompt: PASSPHRASE) as asking:
            rotate_key(asking, to="passphrase")
        redis = f"{app.settings.instance}-redis"
        docker_client.containers.get(redis).remove(force=True)
        with App(app.settings, Actor("cron", "cli")) as unasked:
            assert init(unasked).changed
            assert not init(unasked).changed
            wanted = Wanted(actor="cron")
            assert not list_audit(unasked, wanted)
        with App(app.settings, Actor("anna", "cli"), ask=lambda prompt: PASSPHRASE) as asking:
            set_credential(asking, "ANY", Secret("value"))
            (row,) = list_audit(asking, wanted)
            assert (row.action, row.fields["changed"]) == ("host.init", [f"container {redis}"])
            assert not verify_audit(asking).problems
