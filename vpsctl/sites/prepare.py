"""The site's own ground: its networks and its volumes, made when missing, never removed here."""

from vpsctl.errors import Conflict, NotFound
from vpsctl.sites import naming
from vpsctl.sites.networks import ensure_site_network
from vpsctl.sites.work import Work


def prepare(work: Work) -> None:
    used = {key for service in work.spec.services.values() for key in (service.networks or {"default": ()})}
    for key in sorted(used):
        network = work.spec.networks.get(key)
        ensure_site_network(work.app, work.site, key=key, internal=network.internal if network else False)
    for key, volume in work.spec.volumes.items():
        if volume.external:
            _check_external(work, volume.external)
        else:
            _ensure_volume(work, work.names.volume(key))


def _check_external(work: Work, name: str) -> None:
    if work.app.engine.find_volume(name) is None:
        raise NotFound(f"the external volume {name} does not exist", hint="docker volume ls, or drop `external: true`")


def _ensure_volume(work: Work, name: str) -> None:
    """A volume that is missing although a release served before may mean lost data: it never appears empty in silence."""
    found = work.app.engine.find_volume(name)
    if found is None:
        if work.previous is not None:
            work.run.log(f"the volume {name} is new and starts empty")
        work.app.engine.create_volume(name, labels=work.names.labels())
    elif found.labels.get(naming.INSTANCE) != work.names.instance:
        raise Conflict(
            f"the volume {name} exists and was not made by this vpsctl",
            hint=f"declare it `external: true` with `name: {name}` to use it as it is",
        )
