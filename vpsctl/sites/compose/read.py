"""A compose file's text to a SiteSpec, and what must be known before it can be read: its env files and variables."""

import difflib
from collections.abc import Mapping
from dataclasses import replace

from vpsctl.secret import Secret
from vpsctl.sites.compose.checks import check_site, place
from vpsctl.sites.compose.declared import read_networks, read_volumes
from vpsctl.sites.compose.environment import read_env_files, unvalued
from vpsctl.sites.compose.field import Field, Scope, shown
from vpsctl.sites.compose.intent import grant_names, read_enabled, read_intent
from vpsctl.sites.compose.names import SITE
from vpsctl.sites.compose.service import read_profiles, read_service
from vpsctl.sites.compose.spec import Allowances, Service, SiteSpec
from vpsctl.sites.compose.yaml_lines import parse_yaml, scalars
from vpsctl.variables.interpolate import parse_template, wanted

INTENT = "x-vpsctl"
_KEYS = ("name", "services", "volumes", "networks")
_ADVICE = {
    "version": "remove the line: the Compose Specification has no versions any more",
    "secrets": "name credentials under x-vpsctl.secrets, and use them as ${NAME} in environment",
    "configs": "bind the file in the service instead: volumes: [./app.conf:/etc/app.conf:ro]",
    "include": "write the services into this file",
    "x_vpsctl": "did you mean x-vpsctl?",
}


def read_site(
    text: str,
    *,
    variables: Mapping[str, str | Secret],
    files: Mapping[str, str] | None = None,
    allow: Allowances | None = None,
    name: str = "compose.yaml",
    site: str | None = None,
) -> SiteSpec:
    """What the compose file `name` says, with `variables` and the contents of its env files filled in.

    `files` is keyed by the paths that `env_files` gives. A service whose profiles are all off is left out unread, so that
    what is only meant for a laptop may use all of Compose. `site` is the site's name where it is known already, whatever the
    file says; without either it is Invalid. Raises Invalid for the first thing that is wrong, unknown,
    unsupported or not allowed, naming the key and the line; no message holds the value of a Secret.
    """
    root = _open(text, Scope(name, variables, files or {}, allow or Allowances(), site or ""))
    if not root.scope.site:
        raise root.invalid("the site has no name", "add the line name: with one")
    entries = root.entries()
    services = {key: read_service(key, field) for key, field in _active(root).items()}
    spec = SiteSpec(
        name=root.scope.site,
        services=_end_once(services, root),
        volumes=read_volumes(entries["volumes"]) if "volumes" in entries else {},
        networks=read_networks(entries["networks"]) if "networks" in entries else {},
        intent=read_intent(entries.get(INTENT), root, services),
    )
    check_site(spec, root)
    return spec


def env_files(text: str, *, name: str = "compose.yaml") -> tuple[str, ...]:
    """The env_file paths of the services that run, relative to the site's directory and inside it, each once."""
    listed = [field.entries().get("env_file") for field in _active(_open(text, Scope(name))).values()]
    return tuple(dict.fromkeys(item.path for field in listed if field for item in read_env_files(field)))


def variables_wanted(text: str, *, name: str = "compose.yaml") -> dict[str, bool]:
    """Every variable the file takes a value from, and whether it may be missing (it has a default everywhere).

    That is each ${NAME}, each name without a value in `environment` and `build.args`, and each credential under
    `x-vpsctl.secrets`; not what env files refer to.
    """
    root = _open(text, Scope(name))
    active = list(_active(root).values())
    entries = root.entries()
    found = [(grant, False) for grant in root.scope.credentials]
    for field in active:
        pairs = (place(field, "environment"), place(field, "build", "args"))
        found += [(key, False) for item in pairs if item.path.endswith((".environment", ".args")) for key in unvalued(item)]
    for field in (*active, *(entries[key] for key in ("volumes", "networks", INTENT) if key in entries)):
        for scalar in scalars(field.node):
            found += wanted(parse_template(scalar.text, f"{name}, line {scalar.line}"))
    names: dict[str, bool] = {}
    for variable, optional in found:
        names[variable] = names.get(variable, True) and optional
    return names


def _open(text: str, scope: Scope) -> Field:
    """The root, with its own keys checked, and the site's name and credentials in the scope."""
    tree = parse_yaml(text, scope.name)
    root = Field(tree, "", tree.line, scope)
    keys = root.keys(_KEYS, _ADVICE)
    for key, field in root.entries().items():
        if key != INTENT and difflib.get_close_matches(key.lower(), [INTENT], 1, 0.8):
            raise field.invalid(f"{shown(key)} looks like {INTENT} misspelt", f"write {INTENT}")
    if "services" not in keys:
        raise root.invalid("there are no services", "add services: with one service at least")
    site = keys["name"].literal() if "name" in keys else ""
    if "name" in keys and not SITE.fullmatch(site):
        raise keys["name"].invalid(
            f"{shown(site)} is not a site's name", "use lower-case letters, digits and -, at most 30, a letter first"
        )
    secrets = place(root, INTENT, "secrets")
    granted = grant_names(secrets) if secrets.path == f"{INTENT}.secrets" else ()
    return Field(tree, "", tree.line, replace(scope, site=scope.site or site, credentials=frozenset(granted)))


def _active(root: Field) -> dict[str, Field]:
    """The services that run: those without profiles, and those with one that `x-vpsctl.profiles` turns on."""
    services = place(root, "services")
    named = place(root, INTENT, "profiles")
    enabled = set(read_enabled(named)) if named.path == f"{INTENT}.profiles" else set()
    active = {}
    for key, field in services.entries().items():
        if key.startswith("x-"):
            continue
        profiles = field.entries().get("profiles")
        if profiles is None or enabled.intersection(read_profiles(profiles)):
            active[key] = field
    if not active:
        raise services.invalid("there is no service to run", "add one, or turn a profile on: x-vpsctl: {profiles: […]}")
    return active


def _end_once(services: Mapping[str, Service], root: Field) -> dict[str, Service]:
    """A service that others wait for to complete is not restarted when it has; saying otherwise is refused."""
    awaited = {
        name
        for service in services.values()
        for name, condition in service.depends_on.items()
        if condition == "service_completed_successfully"
    }
    ended = dict(services)
    for name in awaited & services.keys():
        restart = place(root, "services", name, "restart")
        if not restart.path.endswith(".restart"):
            ended[name] = replace(services[name], restart="no")
        elif services[name].restart in ("always", "unless-stopped"):
            raise restart.invalid(f"others wait for {name} to complete, and it would start again", 'write restart: "no"')
    return ended
