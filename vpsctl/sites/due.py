"""Why a site needs a deploy: what changed since the release that serves. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from vpsctl.credentials.usage import StaleCredential
from vpsctl.db.models import Release, Site

NOT_YET = "not deployed yet"
NOTHING: Sequence[StaleCredential] = ()


def due(site: Site, release: Release | None, stale: Sequence[StaleCredential] = NOTHING) -> tuple[str, ...]:
    """One phrase for each reason, such as "DB_PASSWORD 3→4"; none: a deploy would change nothing of this.

    `release`: the current one; `stale`: the site's part of `stale_credentials`.
    """
    if release is None:
        return (NOT_YET,)
    changed = _changed(site.environment, release.environment)
    return tuple(_credential(item) for item in stale) + tuple(f"variable {name}" for name in changed)


def _credential(item: StaleCredential) -> str:
    if item.newest is None:
        return f"{item.name} {item.pinned} was removed"
    return f"{item.name} {item.pinned}→{item.newest}"


def _changed(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """Names, with the service's before those that only one service has."""
    names = {
        f"{service}.{name}" if service else name
        for service in wanted.keys() | live.keys()
        for name in wanted.get(service, {}).keys() | live.get(service, {}).keys()
        if wanted.get(service, {}).get(name) != live.get(service, {}).get(name)
    }
    return sorted(names)
