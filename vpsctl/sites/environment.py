"""The variables of a site that are not secret: used in `${…}`, and given to its services."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.errors import Invalid, NotFound
from vpsctl.sites.effective import EVERYWHERE
from vpsctl.sites.lookup import current_release, get_site

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True)
class Variable:
    name: str
    value: str
    service: str | None
    """None: the web service, and every `${…}` of the compose file."""
    deployed: bool
    """Whether the release that serves has it so; a change waits for the next deploy."""


def list_variables(app: App, site: str) -> tuple[Variable, ...]:
    """By service, then name. Raises NotFound."""
    with app.database.transaction() as session:
        row = get_site(session, site)
        release = current_release(session, row)
        live: Mapping[str, Mapping[str, str]] = release.environment if release else {}
        return tuple(
            Variable(name, value, service or None, live.get(service, {}).get(name) == value)
            for service, values in sorted(row.environment.items())
            for name, value in sorted(values.items())
        )


def set_variables(app: App, site: str, values: Mapping[str, str], *, service: str | None = None) -> tuple[Variable, ...]:
    """Raises Invalid for a name that no shell would take."""
    for name, value in values.items():
        if not NAME.fullmatch(name):
            raise Invalid(f"{name!r} is not the name of a variable", hint="letters, digits and underscores: VERSION=2")
        if "\0" in value:
            raise Invalid(f"the value of {name} holds a NUL byte", hint="no environment can carry one")
    _change(app, site, service, {**values}, "env.set")
    return list_variables(app, site)


def unset_variables(app: App, site: str, names: Sequence[str], *, service: str | None = None) -> tuple[Variable, ...]:
    """Raises NotFound for a name that is not set."""
    _change(app, site, service, dict.fromkeys(names), "env.unset")
    return list_variables(app, site)


def _change(app: App, site: str, service: str | None, values: Mapping[str, str | None], action: str) -> None:
    key = service or EVERYWHERE
    with app.database.transaction() as session:
        row = get_site(session, site)
        present = dict(row.environment.get(key, {}))
        for name, value in values.items():
            if value is None and name not in present:
                raise NotFound(f"{site} has no variable {name}", hint=f"vpsctl env list {site}")
            if value is None:
                del present[name]
            else:
                present[name] = value
        row.environment = {
            **{other: kept for other, kept in row.environment.items() if other != key},
            **({key: present} if present else {}),
        }
        fields = {"names": sorted(values), "service": service}
        record(app, session, action, f"site:{site}", fields)
