"""What everything that runs may take at most, against what the machine has."""

from vpsctl.app import App
from vpsctl.docker_engine.types import Container, ContainerSummary
from vpsctl.sites import naming
from vpsctl.sites.adopt.record import label_all
from vpsctl.sites.capacity import Budget, Cap, Machine, budget


def read_budget(app: App) -> Budget:
    """The caps of all containers that run, by site, foundation service and stranger, against the machine."""
    return _budget(app, [_inspected(app, item) for item in _running(app)])


def labelled_budget(app: App) -> Budget:
    """As `read_budget`, at no request for each site: the caps its containers were made with stand in their labels.

    `docker update` may have changed one since, which only `read_budget` sees.
    """
    return _budget(app, [made_with(item, app.settings.instance) or _inspected(app, item) for item in _running(app)])


def _budget(app: App, caps: list[Cap | None]) -> Budget:
    machine = app.engine.machine()
    return budget((cap for cap in caps if cap is not None), Machine(machine.cpus, machine.memory))


def _running(app: App) -> list[ContainerSummary]:
    """Without the containers of backups: they are gone in a moment, and a deploy must not be refused for them."""
    lasting = (item for item in app.engine.summaries() if item.labels.get(naming.ROLE) != naming.BACKUP_ROLE)
    return label_all(app.settings.home, (item for item in lasting if item.state == "running"))


def _inspected(app: App, item: ContainerSummary) -> Cap | None:
    """None when it vanished meanwhile."""
    found = app.engine.find_container(item.id)
    return None if found is None else cap_of(found, item, app.settings.instance)


def cap_of(container: Container, item: ContainerSummary, instance: str) -> Cap:
    """`item` has the labels of what was adopted, which the container itself does not."""
    cpus = container.nano_cpus / 1e9 if container.nano_cpus else None
    if item.labels.get(naming.INSTANCE) == instance:
        if naming.SITE in item.labels:
            return Cap("site", item.labels[naming.SITE], container.memory, cpus)
        if item.labels.get(naming.ROLE) == "foundation":
            return Cap("foundation", item.labels[naming.SERVICE], container.memory, cpus)
    return Cap("other", item.name, container.memory, cpus)


def made_with(item: ContainerSummary, instance: str) -> Cap | None:
    """The cap in a site container's labels; None where they do not tell it."""
    labels = item.labels
    if labels.get(naming.INSTANCE) != instance or not {naming.SITE, naming.MEMORY, naming.CPUS} <= labels.keys():
        return None
    return Cap("site", labels[naming.SITE], int(labels[naming.MEMORY]), float(labels[naming.CPUS]))
