"""Finding a site, its releases and what serves now."""

from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.db.models import Release, Site
from vpsctl.errors import Conflict, NotFound, Unavailable


def find_site(session: Session, name: str) -> Site | None:
    return session.scalar(select(Site).where(Site.name == name))


def get_site(session: Session, name: str) -> Site:
    """Raises NotFound."""
    site = find_site(session, name)
    if site is None:
        raise NotFound(f"no site named {name}", hint="vpsctl site list")
    return site


def check_deployed(app: App, name: str) -> None:
    """Why a site has no container, as far as Postgres can be asked. Raises NotFound, Conflict when it never had one."""
    with suppress(Unavailable), app.database.transaction() as session:
        if get_site(session, name).current_release_id is None:
            raise Conflict(f"{name} was never deployed", hint=f"vpsctl deploy {name}")


def current_release(session: Session, site: Site) -> Release | None:
    """The release that should serve: intent; the proxy's files say what does."""
    return session.get(Release, site.current_release_id) if site.current_release_id else None


def get_release(session: Session, site: Site, number: int) -> Release:
    """Raises NotFound."""
    release = session.scalar(select(Release).where(Release.site_id == site.id, Release.number == number))
    if release is None:
        raise NotFound(f"{site.name} has no release r{number}", hint=f"vpsctl release list {site.name}")
    return release


def release_number(text: str, site: str) -> int:
    """`r7` or `7` as 7; raises NotFound for anything else."""
    digits = text.removeprefix("r")
    if not (digits.isdecimal() and digits.isascii() and len(digits) < 10):
        raise NotFound(f"{site} has no release {text!r}", hint=f"vpsctl release list {site}")
    return int(digits)
