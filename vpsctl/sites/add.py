"""Registering a site: its source is fetched and its compose file read, so that a mistake shows now; nothing is started."""

import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.credentials.list import list_credentials
from vpsctl.db.models import Site
from vpsctl.errors import Conflict, Invalid
from vpsctl.projects.find import ensure_project
from vpsctl.secret import Secret
from vpsctl.sites.adopt.record import forget_adoption
from vpsctl.sites.compose.granted import credentials_named
from vpsctl.sites.compose.outline import outline
from vpsctl.sites.compose.read import read_site, variables_wanted
from vpsctl.sites.draft import Fetched, fetch, site_directory
from vpsctl.sites.lookup import find_site
from vpsctl.sites.snapshot import allowances, read_env_files
from vpsctl.sites.sources.checkout import Checkout
from vpsctl.sites.sources.compose_file import find_or_infer_compose
from vpsctl.sites.sources.inside import find_inside
from vpsctl.sites.sources.source import Source, to_document

SLUG = re.compile(r"[a-z][a-z0-9-]{0,29}")
RESERVED = ("abort", "resume", "ingress", "list", "undo")
"""Words that `vpsctl deploy` and `vpsctl restore` take themselves, and the network every web container is on."""


@dataclass(frozen=True)
class Added:
    site: str
    project: str
    source: str
    services: tuple[str, ...]
    domains: tuple[str, ...]
    missing_credentials: tuple[str, ...]
    """Named by the compose file and not in the vault yet."""
    inferred: str | None = None
    """The compose file that was written, where there was none."""


def add_site(
    app: App, source: Source, *, name: str | None = None, project: str | None = None, domains: Sequence[str] = ()
) -> Added:
    """Register the site that `source` holds, under its compose file's name or `name`.

    A directory without a compose file whose app is recognised gets one written, which `Added.inferred` tells.
    Raises Conflict when there is a site of that name; Invalid when the file is wrong, or `domains` came for nothing.
    """
    written = _write_inferred(source, name, domains) if source.kind == "directory" else None
    if domains and written is None:
        raise Invalid("the compose file names the domains itself", hint="change x-vpsctl.web.domains in compose.yaml")
    try:
        return _add_fetched(app, source, name=name, project=project, inferred=written.read_text() if written else None)
    except BaseException:
        if written is not None:
            written.unlink(missing_ok=True)  # so that the same command can be given again
        raise


def _add_fetched(app: App, source: Source, *, name: str | None, project: str | None, inferred: str | None) -> Added:
    # Its name stands in a file that is yet to be fetched, and another site's cache must not be touched meanwhile.
    cache = app.settings.home / "sources" / f"add-{secrets.token_hex(4)}"
    try:
        fetched = fetch(app, cache.name, source, ref=None, project=project, log=_quiet)
        added = register(app, fetched, name=name, project=project, inferred=inferred)
        if cache.is_dir():
            cache.replace(cache.with_name(added.site))
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    return added


def add_image(
    app: App, image: str, *, name: str | None, port: int | None, domains: Sequence[str], project: str | None
) -> Added:
    """Register a site that is one image. Its compose file is kept by vpsctl, under {home}/sites/NAME.

    Raises Invalid without a port where the image exposes none or several.
    """
    chosen = name or slug_from(image.rpartition("/")[2].partition("@")[0].partition(":")[0])
    check_name(chosen)
    found = app.engine.find_image(image)
    exposed = found.exposed_ports if found else ()
    if port is None and len(exposed) != 1:
        raise Invalid(f"which port {image} listens on is not known", hint=f"vpsctl site add --image {image} --port 8080")
    listens = exposed[0] if port is None else port
    web: dict[str, Any] = {"service": "web", "port": listens, "domains": list(domains) or [f"{chosen}.localhost"]}
    if not domains:
        web["tls"] = "off"
    document = {"name": chosen, "services": {"web": {"image": image}}, "x-vpsctl": {"web": web}}
    text = yaml.safe_dump(document, sort_keys=False)
    with app.database.transaction() as session:
        _check_free(session, chosen)
    directory = site_directory(app, chosen)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "compose.yaml").write_text(text)
    return register(app, fetched_in_place(directory, text), name=chosen, project=project, inferred=text)


def register(app: App, fetched: Fetched, *, name: str | None, project: str | None, inferred: str | None = None) -> Added:
    """The site's row, once its compose file reads. Values that are not there yet stand in for themselves."""
    shape = outline(fetched.compose)
    chosen = name or shape.name or slug_from(Path(fetched.source.location).name.removesuffix(".git"))
    check_name(chosen)
    check_readable(app, fetched, chosen)
    group = project or shape.project or "default"
    with app.database.transaction() as session:
        _check_free(session, chosen)
        project_id, made = ensure_project(session, group)
        session.add(Site(name=chosen, project_id=project_id, source=to_document(fetched.source), environment={}, scale={}))
        session.flush()
        # What an adoption or a removal that was killed has left under this name is none of this site's.
        forget_adoption(app.settings.home, chosen)
        fields = {"source": fetched.source.location, "project": group, "project_made": made}
        record(app, session, "site.add", f"site:{chosen}", fields)
    missing = _missing(app, fetched.compose)
    return Added(chosen, group, fetched.source.location, shape.services, shape.domains, missing, inferred)


def check_readable(app: App, fetched: Fetched, name: str) -> None:
    """Every mistake in the file shows now; credentials may still be set before the first deploy.

    A file that needs variables is read by `plan` and `deploy`, since they can only be set once the site is there.
    """
    stand_ins = {name: Secret("stand-in") for name in credentials_named(fetched.compose)}
    if any(not optional and name not in stand_ins for name, optional in variables_wanted(fetched.compose).items()):
        return
    files = read_env_files(fetched.compose, fetched.checkout.directory)
    read_site(fetched.compose, variables=stand_ins, files=files, allow=allowances(app.settings), site=name)


def _check_free(session: Session, name: str) -> None:
    if find_site(session, name) is not None:
        raise Conflict(f"there is a site named {name} already", hint=f"vpsctl deploy {name}, or add it with --name NAME")


def _write_inferred(source: Source, name: str | None, domains: Sequence[str]) -> Path | None:
    """Where the compose file was written that had to be made up; None where there is one."""
    directory = find_inside(Path(source.location), source.subdirectory or ".", what="the subdirectory")
    file = find_or_infer_compose(directory, name or slug_from(directory.name), domains=domains)
    if file.inferred is None:
        return None
    (directory / file.name).write_text(file.text)
    return directory / file.name


def _quiet(_: str) -> None:
    """`site add` shows its result, not its way there."""


def check_name(name: str) -> None:
    if not SLUG.fullmatch(name) or name in RESERVED:
        raise Invalid(
            f"{name!r} cannot be a site's name",
            hint="1 to 30 lower-case letters, digits and hyphens, a letter first: --name shop",
        )


def slug_from(text: str) -> str:
    """The nearest name a site may have."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:30].strip("-") or "site"


def _missing(app: App, compose: str) -> tuple[str, ...]:
    known = {item.name for item in list_credentials(app)}
    return tuple(name for name in credentials_named(compose) if name not in known)


def fetched_in_place(directory: Path, compose: str) -> Fetched:
    """A directory that vpsctl wrote itself, as a source."""
    source = Source("directory", str(directory))
    return Fetched(source, Checkout(directory, "directory"), compose)
