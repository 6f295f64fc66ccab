"""A new release's draft: the site's source as it is now, under the variables and credentials as they are now."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from vpsctl.app import App
from vpsctl.credentials.read import read_credentials
from vpsctl.db.models import Site
from vpsctl.errors import Invalid
from vpsctl.secret import Secret
from vpsctl.sites.compose.granted import credentials_named
from vpsctl.sites.snapshot import Draft, project_of, read_env_files
from vpsctl.sites.sources.checkout import Checkout, checkout
from vpsctl.sites.sources.compose_file import read_compose
from vpsctl.sites.sources.source import Source, from_document, transport


@dataclass(frozen=True)
class Fetched:
    """A source's files on this machine."""

    source: Source
    checkout: Checkout
    compose: str


def fetch(
    app: App, site: str, source: Source, *, ref: str | None, project: str | None, log: Callable[[str], None]
) -> Fetched:
    """Make the source's files present and read the compose file, with the credential that `project` has for it.

    Raises as `checkout` does, and NotFound without a compose file.
    """
    token, key = _access(app, source, project)
    place = checkout(source, app.settings.home / "sources" / site, ref=ref, token=token, deploy_key=key)
    if place.commit:
        log(
            f"{place.commit[:12]} {place.subject}".rstrip()
            + (" (with changes that are not committed)" if place.dirty else "")
        )
    for note in place.notes:
        log(f"note: {note}")
    file = read_compose(place.directory)
    for name in file.ignored:
        log(f"note: {name} is not read, since {file.name} stands beside it")
    return Fetched(source, place, file.text)


def make_draft(
    app: App, site: Site, *, ref: str | None, image: str | None, log: Callable[[str], None] = lambda _: None
) -> Draft:
    """Everything of the next release but its images."""
    project = project_of(app, site)
    fetched = fetch(app, site.name, from_document(site.source), ref=ref, project=project, log=log)
    return draft_from(app, site, fetched, project=project, image=image)


def with_files(app: App, site: Site, draft: Draft) -> Draft:
    """`draft` with its source's files on this machine: the export of an old release may have been cleared away."""
    commit = draft.source.get("commit")
    if draft.directory is None or draft.directory.is_dir() or not commit:
        return draft
    fetched = fetch(app, site.name, from_document(site.source), ref=commit, project=draft.project, log=lambda _: None)
    return replace(draft, directory=fetched.checkout.directory)


def draft_from(app: App, site: Site, fetched: Fetched, *, project: str, image: str | None = None) -> Draft:
    place = fetched.checkout
    names = credentials_named(fetched.compose)
    found = read_credentials(app, names, project=project)
    return Draft(
        site=site.name,
        project=project,
        compose=fetched.compose,
        source={
            **site.source,
            "revision": place.revision,
            "commit": place.commit,
            "subject": place.subject,
            "dirty": place.dirty,
            "directory": str(place.directory),
        },
        directory=place.directory,
        files=read_env_files(fetched.compose, place.directory),
        environment=site.environment,
        scale=site.scale,
        credentials={name: version for name, (_, version) in found.items()},
        image=image,
    )


def _access(app: App, source: Source, project: str | None) -> tuple[Secret | None, Secret | None]:
    """The token (https) or the deploy key (ssh) that the source names."""
    if source.credential is None:
        return None, None
    secret, _ = read_credentials(app, [source.credential], project=project)[source.credential]
    kind = transport(source.location)
    if kind == "ssh":
        return None, secret
    if kind in ("https", "http"):
        return secret, None
    raise Invalid(f"{source.location} needs no credential", hint="add the site again without --credential")


def site_directory(app: App, site: str) -> Path:
    """Where vpsctl keeps the compose file of a site that has no source of its own (adopted, or made from an image)."""
    return app.settings.home / "sites" / site
