"""A release: the immutable snapshot of a site, from its source to what is applied, today or at a rollback."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vpsctl.app import App
from vpsctl.credentials.kinds.fields import variables
from vpsctl.credentials.read import open_credentials
from vpsctl.db.models import Project, Release, Site
from vpsctl.errors import Invalid
from vpsctl.secret import Secret
from vpsctl.settings import Settings
from vpsctl.sites.compose.read import env_files, read_site
from vpsctl.sites.compose.spec import Allowances, SiteSpec
from vpsctl.sites.effective import EVERYWHERE, with_environment, with_scale
from vpsctl.vault.bindings import release_files
from vpsctl.vault.sealed import pack, unpack


@dataclass(frozen=True)
class Draft:
    """What a release is made of, before its images are known."""

    site: str
    project: str
    compose: str
    """The compose file's text as written, not interpolated."""
    source: Mapping[str, Any]
    """Where it came from: kind, location, revision, directory."""
    directory: Path | None
    files: Mapping[str, str]
    """env_file contents, by the path the compose file names."""
    environment: Mapping[str, Mapping[str, str]]
    scale: Mapping[str, int]
    credentials: Mapping[str, int]
    """Name to version."""
    image: str | None = None
    """`--image`: instead of the web service's own."""


@dataclass(frozen=True)
class Resolved:
    """A draft with its values filled in: what is really wanted."""

    draft: Draft
    spec: SiteSpec
    secrets: tuple[Secret, ...]
    """Every secret that takes part, to be scrubbed from logs."""


def allowances(settings: Settings) -> Allowances:
    return Allowances(**dict.fromkeys(settings.allow, True))


def read_env_files(text: str, directory: Path | None) -> dict[str, str]:
    """The contents of each env_file that the compose text names; whether one may be missing is the reader's to say."""
    contents = {}
    for name in env_files(text):
        path = (directory or Path()) / name
        if directory is None or not path.resolve().is_relative_to(directory.resolve()):
            raise Invalid(f"env_file {name} lies outside the site's directory", hint="move it beside compose.yaml")
        if path.is_file():
            try:
                contents[name] = path.read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise Invalid(
                    f"cannot read the env_file {name}: {type(error).__name__}", hint="make it readable UTF-8 text"
                ) from error
    return contents


def resolve(app: App, draft: Draft) -> Resolved:
    """Interpolate, grant and scale. Raises Invalid or NotFound naming the variable or credential that is missing."""
    everywhere = draft.environment.get(EVERYWHERE, {})
    opened = open_credentials(app, list(draft.credentials), project=draft.project, versions=draft.credentials)
    granted = {name: variables(name, item.kind, item.value) for name, item in opened.items()}
    secrets = {name: value for group in granted.values() for name, value in group.items()}
    spec = read_site(
        draft.compose,
        variables={**everywhere, **secrets},
        files=draft.files,
        allow=allowances(app.settings),
        site=draft.site,
    )
    spec = with_scale(with_environment(spec, draft.environment, granted), draft.scale)
    if draft.image:
        spec = _with_image(spec, draft.image)
    files = tuple(
        value for service in spec.services.values() for value in service.environment.values() if isinstance(value, Secret)
    )
    return Resolved(draft, spec, (*secrets.values(), *files))


def _with_image(spec: SiteSpec, image: str) -> SiteSpec:
    if spec.intent.web is None:
        raise Invalid(f"{spec.name} has no web service for --image to replace", hint="set x-vpsctl.web in compose.yaml")
    name = spec.intent.web.service
    web = replace(spec.services[name], image=image, build=None)
    return replace(spec, services={**spec.services, name: web})


def project_of(app: App, site: Site) -> str:
    with app.database.transaction() as session:
        return session.get_one(Project, site.project_id).slug


def draft_of(app: App, site: Site, release: Release) -> Draft:
    """The draft that `release` was made from: rollback, resume and scale apply it again."""
    source = dict(release.source)
    return Draft(
        site=site.name,
        project=project_of(app, site),
        compose=release.compose,
        source=source,
        directory=Path(source["directory"]) if source.get("directory") else None,
        files=open_files(app, site, release),
        environment=release.environment,
        scale=site.scale,
        credentials=release.credentials,
        image=source.get("image"),
    )


def seal_files(app: App, site: Site, number: int, files: Mapping[str, str]) -> bytes | None:
    """env_file contents as kept with the release: encrypted, since they hold passwords."""
    if not files:
        return None
    return pack(app.vault.encrypt(json.dumps(dict(files)).encode(), binding=release_files(site.id, number)))


def open_files(app: App, site: Site, release: Release) -> dict[str, str]:
    if release.files is None:
        return {}
    bound = release_files(site.id, release.number)
    contents: dict[str, str] = json.loads(app.vault.decrypt(unpack(release.files), binding=bound))
    return contents
