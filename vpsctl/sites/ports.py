"""Published ports: handed out in sequence from the configured range, bound to 127.0.0.1, and remembered."""

import socket
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.db.models import Port, Site
from vpsctl.errors import Conflict
from vpsctl.sites.compose.spec import Port as PortSpec
from vpsctl.sites.compose.spec import SiteSpec
from vpsctl.sites.containers import published_ports

Key = tuple[str, int, str]


def assign_ports(app: App, site_id: int, spec: SiteSpec) -> dict[tuple[str, int, str], int]:
    """(service, container port, protocol) to host port. A port the file names is taken as it is, others stay as they were.

    Raises Conflict when another site has the port, or when the range is used up.
    """
    wanted = [(name, port) for name, service in spec.services.items() for port in published_ports(spec, service)]
    keys = {(name, port.target, port.protocol) for name, port in wanted}
    assigned: dict[tuple[str, int, str], int] = {}
    with app.database.transaction() as session:
        for row in session.scalars(select(Port).where(Port.site_id == site_id)):
            if (row.service, row.container_port, row.protocol) not in keys:
                session.delete(row)
        session.flush()
        for name, port in wanted:
            _give_up(session, site_id, (name, port), assigned)
            assigned[name, port.target, port.protocol] = _assign(app, session, site_id, name, port)
    return assigned


def _give_up(session: Session, site_id: int, wanted: tuple[str, PortSpec], assigned: Mapping[Key, int]) -> None:
    """A port that the file now names for one service, and that another of the site had: that one gets its own later."""
    name, port = wanted
    for row in session.scalars(select(Port).where(Port.site_id == site_id, Port.host_port == port.published)):
        key = (row.service, row.container_port, row.protocol)
        if key != (name, port.target, port.protocol) and key not in assigned:
            session.delete(row)
            session.flush()


def _assign(app: App, session: Session, site_id: int, service: str, port: PortSpec) -> int:
    rows = list(session.scalars(select(Port)))
    mine = next(
        (
            row
            for row in rows
            if (row.site_id, row.service, row.container_port, row.protocol) == (site_id, service, port.target, port.protocol)
        ),
        None,
    )
    number = port.published or (mine.host_port if mine else _next_free(app, rows))
    holder = next((row for row in rows if row.host_port == number and row is not mine), None)
    if holder is not None:
        owner = session.get_one(Site, holder.site_id).name
        raise Conflict(
            f"port {number} belongs to the site {owner}", hint="name another port, or none: one is then handed out"
        )
    if mine is None:
        mine = Port(host_port=number, site_id=site_id, service=service, container_port=port.target, protocol=port.protocol)
        session.add(mine)
    mine.host_port = number
    session.flush()
    return number


def _next_free(app: App, rows: list[Port]) -> int:
    taken = {row.host_port for row in rows}
    taken |= {port.host_port for item in app.engine.summaries() for port in item.ports if port.host_port}
    for number in range(app.settings.port_first, app.settings.port_last + 1):
        if number not in taken and not _listens(number):
            return number
    raise Conflict(
        f"no port is left from {app.settings.port_first} to {app.settings.port_last}",
        hint="widen port_first and port_last in the settings",
    )


def _listens(number: int) -> bool:
    """Whether a program outside any container has the port: what is handed out is kept, so it must be free for good."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return True
    return False
