"""Every command of the catalogue in its shortest form that succeeds, in an order in which each can."""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyotp
import pyrage  # type: ignore[import-untyped]
from docker.models.containers import Container

from vpsctl.app import App

READS = {
    "doctor": "",
    "status": "",
    "budget": "",
    "site new": "fresh --into {scratch}/fresh",  # an operator's own files: there is no site yet
    "site list": "",
    "site show": "shop",
    "project list": "",
    "project show": "acme",
    "plan": "shop",
    "release list": "shop",
    "env list": "shop",
    "cred list": "",
    "cred show": "MADE",
    "cred versions": "MADE",
    "cred usage": "MADE",
    "cred expiring": "",
    "key status": "",
    "key providers": "",
    "recovery-kit show": "{scratch}/kit.age --identity {scratch}/key.txt",
    "logs": "shop",
    "container list": "",
    "container show": "{stranger}",
    "container logs": "{stranger}",
    "container stats": "{stranger}",
    "container top": "{stranger}",
    "proxy show": "",
    "run list": "",
    "run show": "1",
    "user list": "",
    "user show": "anna",
    "token list": "",
    "token check": "",
    "audit list": "",
    "audit show": "1",
    "audit verify": "",
    "audit export": "",
}
"""Commands that change nothing, with the rest of their line."""

WRITES = {
    "init",
    "site add",
    "site move",
    "site adopt",
    "site remove",
    "site maintenance",
    "project add",
    "project update",
    "project archive",
    "project remove",
    "deploy",
    "rollback",
    "env set",
    "env unset",
    "cred add",
    "cred set",
    "cred reveal",
    "cred use",
    "cred test",
    "cred rotate",
    "cred rollback",
    "cred destroy",
    "cred remove",
    "cred import",
    "cred export",
    "key rotate",
    "key remove",
    "key restore",
    "recovery-kit create",
    "exec",
    "start",
    "stop",
    "restart",
    "scale",
    "container start",
    "container stop",
    "container restart",
    "proxy sync",
    "user add",
    "user role",
    "user disable",
    "user enable",
    "user mfa enroll",
    "user mfa confirm",
    "user mfa reset",
    "token create",
    "token revoke",
    "login-link",
}
"""Commands that change something, or let a value out. What each writes is told by a step of `walk`."""

CANARY = f"canary-{secrets.token_hex(8)}"


@dataclass(frozen=True)
class Step:
    """One command line, and the one audit row that it must leave; no `action`: none."""

    command: str
    rest: str
    action: str = ""
    target: str = ""
    run: bool = False
    """The row names a run: the newest one."""
    stdin: str = ""
    keep: str = ""
    """Under which name what it prints is kept for later lines: {name}."""
    before: Callable[[], object] = lambda: None
    alone: bool = False
    """It becomes another program: it needs a process of its own."""


@dataclass
class World:
    """What the lines speak of."""

    app: App
    scratch: Path
    directory: Path
    stranger: Container
    legacy: Container
    said: dict[str, str]

    def fill(self, text: str) -> str:
        names = {"scratch": self.scratch, "directory": self.directory, "stranger": self.stranger.name}
        return text.format(**names, legacy=self.legacy.name, **self.said)

    def lose_upstreams(self) -> None:
        """As a wiped state directory leaves it."""
        self.app.proxy.forget("shop")


def walk(world: World) -> Iterator[Step]:
    yield from _credentials(world)
    yield from _sites(world)
    yield from _containers(world)
    yield from _users(world)
    yield from _keys(world)
    for command, rest in READS.items():
        yield Step(command, rest, stdin=world.said["token"] if command == "token check" else "")
    yield from _ends()


def _credentials(world: World) -> Iterator[Step]:
    yield Step("project add", "acme", "project.add", "project:acme")
    yield Step("project update", "acme --tag brand", "project.update", "project:acme")
    stored = "credential:acme/CANARY"
    yield Step("cred add", "CANARY --project acme --from-stdin", "credential.set", stored, stdin=CANARY)
    yield Step("cred set", "CANARY --project acme --from-stdin", "credential.set", stored, stdin=f"{CANARY}2")
    yield Step("cred set", "MADE --generate", "credential.set", "credential:MADE")
    yield Step("cred rotate", "MADE", "credential.rotate", "credential:MADE")
    yield Step("cred rollback", "MADE --to 1", "credential.rollback", "credential:MADE")
    yield Step("cred destroy", "MADE --version 2 --confirm MADE", "credential.destroy", "credential:MADE")
    yield Step("cred reveal", "CANARY --project acme --stdout --reason trying", "credential.reveal", stored)
    yield Step("cred use", "CANARY --project acme -- true", "credential.use", stored, alone=True)
    yield Step("cred test", "CANARY --project acme", "credential.use", stored)
    (world.scratch / "import.env").write_text(f"IMPORTED={CANARY}\n")
    yield Step("cred import", "{scratch}/import.env --project acme", "credential.import", "project:acme")
    world.said["recipient"] = _identity(world.scratch / "key.txt")
    out = "--to {scratch}/out.age --recipient {recipient} --reason trying"
    yield Step("cred export", out, "credential.export", "credentials")


def _sites(world: World) -> Iterator[Step]:
    shop = "site:shop"
    yield Step("site add", "{directory} --name shop --project acme", "site.add", shop)
    yield Step("deploy", "shop", "site.deploy", shop, run=True)
    yield Step("site maintenance", "on shop", "site.maintenance", shop)
    yield Step("site maintenance", "off shop", "site.maintenance", shop)
    yield Step("env set", "shop VERSION=2", "env.set", shop)
    yield Step("deploy", "shop", "site.deploy", shop, run=True)
    yield Step("env unset", "shop VERSION", "env.unset", shop)
    yield Step("exec", f"shop -- echo --password={CANARY}", "site.exec", shop)
    yield Step("scale", "shop app=2", "site.scale", shop, run=True)
    yield Step("restart", "shop", "site.restart", shop, run=True)
    yield Step("stop", "shop", "site.stop", shop, run=True)
    yield Step("start", "shop", "site.start", shop, run=True)
    yield Step("rollback", "shop", "site.rollback", shop, run=True)
    yield Step("site move", "shop {directory}", "site.move", shop)
    yield Step("proxy sync", "", "proxy.sync", "proxy:caddy", before=world.lose_upstreams)
    yield Step("proxy sync", "")
    yield Step("site adopt", "{legacy} --name legacy", "site.adopt", "site:legacy", run=True)


def _containers(world: World) -> Iterator[Step]:
    for verb in ("stop", "start", "restart"):
        yield Step(f"container {verb}", "{stranger}", f"container.{verb}", f"container:{world.stranger.name}")


def _users(world: World) -> Iterator[Step]:
    anna = "user:anna"
    yield Step("user add", "anna --role viewer", "user.add", anna)
    yield Step("user role", "anna operator", "user.role", anna)
    yield Step("user disable", "anna", "user.disable", anna)
    yield Step("user enable", "anna", "user.enable", anna)
    yield Step("user mfa enroll", "anna --stdout --json", "user.mfa-enroll", anna, keep="enrolment")
    seed = json.loads(world.said["enrolment"])["data"]["seed"]
    world.said["code"] = pyotp.TOTP(seed).now()
    yield Step("user mfa confirm", "anna --code {code} --stdout", "user.mfa-confirm", anna)
    yield Step("user mfa reset", "anna --yes", "user.mfa-reset", anna)
    create = "--user anna --name ci --scope read --stdout --json"
    yield Step("token create", create, "token.create", "token:*", keep="created")
    world.said |= json.loads(world.said.pop("created"))["data"]
    yield Step("token create", create, "token.create", "token:*", keep="other")
    world.said["revoked"] = json.loads(world.said.pop("other"))["data"]["id"]
    yield Step("token revoke", "{revoked}", "token.revoke", f"token:{world.said['revoked']}")
    yield Step("login-link", "anna --stdout --url https://panel.example.com", "login-link.create", anna)


def _keys(world: World) -> Iterator[Step]:
    old = world.app.vault.key_id
    kit = "--to {scratch}/kit.age --recipient {recipient}"
    yield Step("recovery-kit create", kit, "recovery-kit.create", f"key:{old}")
    yield Step("key rotate", "", "key.rotate", "key:*")
    yield Step("key remove", f"{old} --yes --force", "key.remove", f"key:{old}")
    new = world.app.vault.key_id
    yield Step("recovery-kit create", kit.replace("kit", "new"), "recovery-kit.create", f"key:{new}")
    restore = "--kit {scratch}/new.age --identity {scratch}/key.txt"
    lost = world.app.settings.home / "master.key"
    yield Step("key restore", restore, "key.restore", f"key:{new}", before=lost.unlink)
    yield Step("key restore", restore)


def _ends() -> Iterator[Step]:
    yield Step("cred remove", "MADE --yes", "credential.remove", "credential:MADE")
    yield Step("site remove", "shop --yes", "site.remove", "site:shop", run=True)
    yield Step("project add", "unused", "project.add", "project:unused")
    yield Step("project archive", "unused", "project.archive", "project:unused")
    yield Step("project remove", "unused --yes", "project.remove", "project:unused")


def _identity(path: Path) -> str:
    """A new age key there; its public half."""
    identity = pyrage.x25519.Identity.generate()
    path.write_text(str(identity))
    return str(identity.to_public())
