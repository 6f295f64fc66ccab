"""A database of the first version, and what it held, brought to this one: values open, and rows are vouched for."""

import hmac
import json
import os
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select, text

from tests.conftest import docker_host
from tests.postgres import execute
from vpsctl import private_file
from vpsctl.app import Actor, App
from vpsctl.audit.verify import verify_audit
from vpsctl.credentials.head import seal_earlier
from vpsctl.credentials.read import read_credentials
from vpsctl.credentials.set import set_credential
from vpsctl.db.migrate import migrate
from vpsctl.db.models import Release, Site
from vpsctl.db.session import Database
from vpsctl.errors import Failed
from vpsctl.keys.rotate import rotate_key
from vpsctl.secret import Secret
from vpsctl.settings import Settings
from vpsctl.sites.snapshot import open_files
from vpsctl.vault.key import KeyFile, derive, key_id

FILES = {"app.env": "FOO=sealed-bar\n"}
ROWS = """
INSERT INTO projects (slug, name, created_at) VALUES ('default', 'default', now()), ('acme', 'acme', now());
INSERT INTO credentials (name, project_id, last_version, created_at, removed_at)
 VALUES ('TOKEN', NULL, 2, now(), NULL), ('TOKEN', 2, 3, now(), NULL), ('GONE', NULL, 1, now(), now());
INSERT INTO runs (kind, subject, state, actor, door, host, pid, born, detail, started_at)
 VALUES ('deploy', 'site:shop', 'done', 'root', 'cli', 'vm', 1, 1, '{}', now());
INSERT INTO sites (name, project_id, source, environment, scale, created_at) VALUES ('shop', 1, '{}', '{}', '{}', now());
INSERT INTO audit (at, actor, door, action, target, fields, run_id)
 VALUES (now(), 'root', 'cli', 'site.add', 'site:shop', '{"source": "x"}', NULL),
 (now(), 'root', 'cli', 'site.deploy', 'site:shop', '{"release": 1}', 1);
"""
VALUES = {(1, 1): "older", (1, 2): "everywhere", (2, 3): "of acme"}


@pytest.fixture
def upgraded(empty_database_url: str, home: Path, instance: str) -> Iterator[App]:
    """The schema is this version's; what must follow (`seal_earlier`) has not run yet."""
    master = KeyFile(home / "master.key").read()
    with closing(Database(empty_database_url, owner=True)) as owner:
        migrate(owner, "0001")
        with owner.transaction() as session:
            session.execute(text(ROWS))
            for (credential, version), value in VALUES.items():
                bound = ("credential_versions", credential, version, "TOKEN", "" if credential == 1 else 2)
                values = as_first_written(master, value, *bound) | {"credential": credential, "version": version}
                session.execute(text(VERSION), values)
            sealed = as_first_written(master, json.dumps(FILES), "release-files", 1, 1)
            packed = b"vpsctl\x01" + b"".join(sealed[part] for part in ("id", "key_nonce", "wrapped_key", "nonce", "data"))
            session.execute(text(RELEASE), {"files": packed})
        migrate(owner)
    url = Secret(empty_database_url)
    settings = Settings(home=home, instance=instance, postgres_url=url, docker_host=docker_host())
    with App(settings, Actor("test", "cli")) as app:
        yield app


VERSION = """INSERT INTO credential_versions (credential_id, version, key_id, key_nonce, wrapped_key, nonce, ciphertext,
 created_by, created_at) VALUES (:credential, :version, convert_from(:id, 'UTF8'), :key_nonce, :wrapped_key, :nonce, :data,
 'root', now())"""
RELEASE = """INSERT INTO releases (site_id, number, source, compose, files, images, environment, scale, credentials,
 created_at, run_id) VALUES (1, 1, '{}', '', :files, '{}', '{}', '{}', '{"TOKEN": 1}', now(), 1)"""


def as_first_written(master: bytes, value: str, *bound: str | int) -> dict[str, Any]:
    """The format of the first version, written down here once more: whatever changes in the vault, these must open."""

    def binding(*parts: str | int) -> bytes:
        return b"".join(len(str(part).encode()).to_bytes(4, "big") + str(part).encode() for part in parts)

    name = hmac.digest(derive(master, "key-id"), b"vpsctl", sha256).hex()[:16]
    data_key, key_nonce, nonce = os.urandom(32), os.urandom(12), os.urandom(12)
    bound_key, bound_data = (binding("vpsctl/vault/v1", what, name) + binding(*bound) for what in ("key", "data"))
    return {
        "id": name.encode(),
        "key_nonce": key_nonce,
        "wrapped_key": AESGCM(derive(master, "wrap")).encrypt(key_nonce, data_key, bound_key),
        "nonce": nonce,
        "data": AESGCM(data_key).encrypt(nonce, value.encode(), bound_data),
    }


def opened(app: App) -> dict[str, Any]:
    with app.database.transaction() as session:
        site, release = session.scalars(select(Site)).one(), session.scalars(select(Release)).one()
    return {
        "everywhere": read_credentials(app, ["TOKEN"])["TOKEN"],
        "acme": read_credentials(app, ["TOKEN"], project="acme")["TOKEN"],
        "pinned": read_credentials(app, ["TOKEN"], versions=release.credentials)["TOKEN"],
        "files": open_files(app, site, release),
    }


def test_what_the_first_version_stored_opens_before_and_after_a_rotation(upgraded: App) -> None:
    assert seal_earlier(upgraded) == 3
    expected = {
        "everywhere": (Secret("everywhere"), 2),
        "acme": (Secret("of acme"), 3),
        "pinned": (Secret("older"), 1),
        "files": FILES,
    }
    assert opened(upgraded) == expected
    before = upgraded.fingerprint("x")
    assert rotate_key(upgraded).values == 5  # three versions, one release, the inner key
    assert opened(upgraded) == expected
    assert upgraded.fingerprint("x") == before
    assert seal_earlier(upgraded) == 0


def test_nothing_is_written_until_the_upgrade_has_ended(upgraded: App) -> None:
    for _ in range(2):
        with pytest.raises(Failed) as caught:
            set_credential(upgraded, "NEW", Secret("value"))
        assert caught.value.hint == "vpsctl init"
    seal_earlier(upgraded)
    assert set_credential(upgraded, "NEW", Secret("value")).version == 1


def test_another_master_key_than_theirs_ends_the_upgrade_before_anything_is_signed(upgraded: App, home: Path) -> None:
    theirs = key_id(KeyFile(home / "master.key").read())
    private_file.write(home / "master.key", os.urandom(32))
    with App(upgraded.settings, upgraded.actor) as other, pytest.raises(Failed, match=f"with master key {theirs}"):
        seal_earlier(other)


def test_the_trail_of_the_first_version_is_vouched_for(upgraded: App, empty_database_url: str) -> None:
    assert not verify_audit(upgraded).problems
    seal_earlier(upgraded)
    set_credential(upgraded, "NEW", Secret("value"))
    found = verify_audit(upgraded)
    assert (found.rows, found.first, found.problems) == (3, 3, ())
    for change in ("UPDATE audit SET actor = 'eve' WHERE id = 2", "DELETE FROM audit WHERE id = 1"):
        execute(empty_database_url, change)
        (problem,) = verify_audit(upgraded).problems
        assert (problem.row, problem.kind, problem.through) == (1, "changed", 2)
        assert "older than the chain" in problem.told
