"""The site's own ground: its networks and its volumes, made when missing, never removed here."""

from vpsctl.errors import Conflict, Invalid, NotFound
from vpsctl.sites import naming
from vpsctl.sites.compose.roles import update_order
from vpsctl.sites.maintenance import restore_page
from vpsctl.sites.networks import ensure_site_network
from vpsctl.sites.observe import is_up
from vpsctl.sites.rivals import written
from vpsctl.sites.work import Work


def prepare(work: Work) -> None:
    _check_binds(work)
    used = {key for service in work.spec.services.values() for key in (service.networks or {"default": ()})}
    for key in sorted(used):
        network = work.spec.networks.get(key)
        ensure_site_network(work.app, work.site, key=key, internal=network.internal if network else False)
    for key, volume in work.spec.volumes.items():
        if volume.external:
            _check_external(work, volume.external)
        else:
            _ensure_volume(work, work.names.volume(key))
    _check_alone(work)
    restore_page(work.app, work.site)


def _check_external(work: Work, name: str) -> None:
    """An external volume may be anyone's but another site's or the foundation's: naming it must not open their data."""
    found = work.app.engine.find_volume(name)
    if found is None:
        raise NotFound(f"the external volume {name} does not exist", hint="docker volume ls, or drop `external: true`")
    if naming.INSTANCE in found.labels and found.labels.get(naming.SITE) != work.site:
        owner = found.labels.get(naming.SITE) or "vpsctl itself"
        raise Invalid(f"the external volume {name} belongs to {owner}", hint="name a volume of your own in compose.yaml")


def _ensure_volume(work: Work, name: str) -> None:
    """A volume that is missing although a release served before may mean lost data: it never appears empty in silence."""
    found = work.app.engine.find_volume(name)
    if found is None:
        if work.previous is not None:
            work.run.log(f"the volume {name} is new and starts empty")
        work.app.engine.create_volume(name, labels=work.names.labels())
    elif (found.labels.get(naming.INSTANCE), found.labels.get(naming.SITE)) != (work.names.instance, work.site):
        raise Conflict(
            f"the volume {name} exists and was not made for this site",
            hint=f"declare it `external: true` with `name: {name}` to use it as it is, or give the volume another key",
        )


def _check_binds(work: Work) -> None:
    """The reader saw the paths as written; a symbolic link may lead out of the site's directory all the same."""
    directory = work.resolved.draft.directory
    if directory is None or "outside_binds" in work.app.settings.allow:
        return
    for service in work.spec.services.values():
        for mount in service.volumes:
            if (
                mount.kind == "bind"
                and mount.source
                and not (directory / mount.source).resolve().is_relative_to(directory.resolve())
            ):
                raise Invalid(
                    f"services.{service.name}: {mount.source} leads out of the site's directory",
                    hint='copy it there, or set allow = ["outside_binds"] in the settings',
                )


def _check_alone(work: Work) -> None:
    """A service that only one container may be of must not share its data with a container of someone else.

    Raises Conflict naming that container: two servers over one data directory ruin it.
    """
    alone = [service for service in work.spec.services.values() if update_order(work.spec, service) == "recreate"]
    ours = {item.id for item in work.observe().containers} if alone else set()
    for service in alone:
        sources = written(mount for item in work.wanted[service.name] for mount in item.mounts)
        for other in work.app.engine.containers() if sources else ():
            shared = sources & written(other.mounts)
            if shared and is_up(other) and other.id not in ours:
                raise Conflict(
                    f"{other.name} runs over {sorted(shared)[0]}, the data of services.{service.name}",
                    hint=f"docker stop {other.name}, or give the service a volume of its own",
                )
