"""Who may do what: roles, permissions, token scopes, and the one function that answers; what nothing allows is denied.

Rights apply to the doors that authenticate people: the API, tokens, webhooks. Root on the machine itself, who uses the
command line, may do everything: they hold the master key and the database anyway.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

ROLES = ("viewer", "operator", "admin")
"""Each may do what those before it may."""


@dataclass(frozen=True)
class Rule:
    """What a permission asks for."""

    role: str
    """The least role."""
    words: str
    """What it allows, after "may"."""
    machine_wide: bool = False
    """Only by a role on the whole machine: no project holds what it is about."""


PERMISSIONS: Mapping[str, Rule] = {
    "read": Rule("viewer", "see what there is and its state, never a secret value"),
    "logs": Rule("viewer", "read logs"),
    "deploy": Rule("operator", "deploy and roll back sites"),
    "operate": Rule("operator", "start, stop, restart and scale sites, and set maintenance pages"),
    "backup": Rule("operator", "make and check backups"),
    "pipeline": Rule("operator", "run pipelines"),
    "credential.use": Rule("operator", "have credentials used, without seeing them"),
    "restore": Rule("admin", "restore backups over what is there"),
    "exec": Rule("admin", "run commands in containers, whose environment holds credentials"),
    "site.write": Rule("admin", "add, change and remove sites"),
    "project.write": Rule("admin", "change projects"),
    "credential.write": Rule("admin", "set, rotate and remove credentials"),
    "credential.reveal": Rule("admin", "see the values of credentials"),
    "audit.read": Rule("admin", "read the audit trail", machine_wide=True),
    "user.write": Rule("admin", "add users, and change roles, tokens and second factors", machine_wide=True),
    "key.write": Rule("admin", "rotate the master key", machine_wide=True),
    "host.write": Rule("admin", "change the machine itself", machine_wide=True),
}

SCOPES: Mapping[str, frozenset[str]] = {
    "read": frozenset({"read"}),
    "logs": frozenset({"read", "logs"}),
    "deploy": frozenset({"read", "logs", "deploy"}),
    "operate": frozenset({"read", "logs", "operate"}),
    "backup": frozenset({"read", "backup"}),
    "pipeline": frozenset({"read", "logs", "pipeline"}),
    "restore": frozenset({"read", "restore"}),
    "exec": frozenset({"read", "exec"}),
    "site.write": frozenset({"read", "site.write"}),
    "project.write": frozenset({"read", "project.write"}),
    **{
        name: frozenset({name})
        for name in ("credential.use", "credential.write", "credential.reveal", "audit.read", "user.write", "key.write")
    },
    "host.write": frozenset({"read", "host.write"}),
}
"""What a token can be made for: a scope's name is the permission that it is about, and reading where that needs it."""


@dataclass(frozen=True)
class Access:
    """Somebody who was authenticated, as they are now: a role that was lowered since lowers what their tokens may."""

    user: str
    role: str | None
    """On the whole machine."""
    grants: Mapping[str, str] = field(default_factory=dict)
    """{project's slug: role}."""
    scopes: frozenset[str] | None = None
    """A token's limit; None: no token."""
    project: str | None = None
    """A token's limit; None: wherever its user may."""
    token: str | None = None
    """The token's public id: part of an audit row's origin."""


def may(access: Access, permission: str, project: str | None = None) -> bool:
    """Whether `access` holds `permission` in `project`, or on the whole machine where that is None.

    False for a permission, role or scope that nobody knows.
    """
    rule = PERMISSIONS.get(permission)
    if rule is None or not _in_scope(access, permission):
        return False
    if rule.machine_wide or project is None:
        return access.project is None and _rank(access.role) >= _rank(rule.role)
    if access.project not in (None, project):
        return False
    return max(_rank(access.role), _rank(access.grants.get(project))) >= _rank(rule.role)


def may_anywhere(access: Access, permission: str) -> bool:
    """Whether there is a place, the machine or a project, where `access` holds `permission`."""
    places = [None, *access.grants, *([access.project] if access.project else [])]
    return any(may(access, permission, place) for place in places)


def beyond(access: Access, scope: str) -> tuple[str, ...]:
    """The permissions of `scope` that `access` holds nowhere, by name: a token for it would promise too much.

    Raises KeyError for what is no scope.
    """
    return tuple(sorted(permission for permission in SCOPES[scope] if not may_anywhere(access, permission)))


def in_words(access: Access, project: str | None = None) -> tuple[str, ...]:
    """What `access` may do in `project`, or on the whole machine, as a reader takes it."""
    return tuple(rule.words for permission, rule in PERMISSIONS.items() if may(access, permission, project))


def _in_scope(access: Access, permission: str) -> bool:
    return access.scopes is None or any(permission in SCOPES.get(scope, ()) for scope in access.scopes)


def _rank(role: str | None) -> int:
    """From 1; 0 for none, and for one that nobody knows. Every rule names a role, so 0 is never enough."""
    return ROLES.index(role) + 1 if role in ROLES else 0
