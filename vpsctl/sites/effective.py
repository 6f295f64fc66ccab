"""A site's compose file under what the operator set beside it: variables, credentials, scale, maintenance. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from vpsctl.secret import Secret
from vpsctl.sites.compose.spec import SiteSpec

EVERYWHERE = ""
"""The key of variables that belong to no one service."""


def with_environment(
    spec: SiteSpec, variables: Mapping[str, Mapping[str, str]], credentials: Mapping[str, Mapping[str, Secret]]
) -> SiteSpec:
    """`spec` with the granted credentials and the site's own variables in the services that get them.

    `credentials`: {name: the variables it gives (`kinds.fields.variables`)}.

    A name that the compose file sets itself keeps the file's value, since that may use the variable inside a longer
    text. Grants and variables without a service go to the web service, or to the only one there is.
    """
    main = main_service(spec)
    extra: dict[str, dict[str, str | Secret]] = {name: {} for name in spec.services}
    for grant in spec.intent.secrets:
        for name in grant.services or ((main,) if main else ()):
            if name in extra and grant.name in credentials:
                extra[name].update(credentials[grant.name])
    for owner, values in variables.items():
        receiver = owner or main
        if receiver in extra:
            extra[receiver].update(values)
    services = {
        name: replace(service, environment={**extra[name], **service.environment}) for name, service in spec.services.items()
    }
    return replace(spec, services=services)


def with_scale(spec: SiteSpec, scale: Mapping[str, int]) -> SiteSpec:
    """`spec` with the operator's own number of containers for a service."""
    services = {
        name: replace(service, replicas=scale.get(name, service.replicas)) for name, service in spec.services.items()
    }
    return replace(spec, services=services)


def main_service(spec: SiteSpec) -> str | None:
    """The service that a command without `--service` means: the web service, or the only one."""
    if spec.intent.web is not None:
        return spec.intent.web.service
    return next(iter(spec.services)) if len(spec.services) == 1 else None
