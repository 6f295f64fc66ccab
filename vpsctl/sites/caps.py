"""What everything that runs may take at most, against what the machine has."""

from vpsctl.app import App
from vpsctl.docker_engine.types import Container
from vpsctl.sites import naming
from vpsctl.sites.adopt.record import label_all
from vpsctl.sites.capacity import Budget, Cap, Machine, budget


def read_budget(app: App) -> Budget:
    """The caps of all containers that run, by site, foundation service and stranger, against the machine."""
    info = app.engine.info()
    found = (app.engine.find_container(item.id) for item in app.engine.summaries() if item.state == "running")
    running = label_all(app.settings.home, (item for item in found if item is not None))
    caps = [cap_of(item, app.settings.instance) for item in running]
    return budget(caps, Machine(info.cpus, info.memory))


def cap_of(container: Container, instance: str) -> Cap:
    cpus = container.nano_cpus / 1e9 if container.nano_cpus else None
    labels = container.labels
    if labels.get(naming.INSTANCE) == instance:
        if naming.SITE in labels:
            return Cap("site", labels[naming.SITE], container.memory, cpus)
        if labels.get(naming.ROLE) == "foundation":
            return Cap("foundation", labels[naming.SERVICE], container.memory, cpus)
    return Cap("other", container.name, container.memory, cpus)
