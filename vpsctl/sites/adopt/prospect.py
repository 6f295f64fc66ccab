"""What adopting some containers would come to: the file, the names, and what stands in its way. Nothing is changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from vpsctl.app import App
from vpsctl.credentials.list import list_credentials
from vpsctl.credentials.read import read_credentials
from vpsctl.errors import Conflict, Invalid
from vpsctl.projects.find import check_open
from vpsctl.secret import Secret
from vpsctl.sites import naming
from vpsctl.sites.add import check_name
from vpsctl.sites.adopt.infer import Shape, Wish, infer_shape, write_site
from vpsctl.sites.adopt.secrecy import Wanted, candidates, name_credentials
from vpsctl.sites.adopt.survey import ask_front, survey
from vpsctl.sites.compose.names import parse_domain
from vpsctl.sites.compose.read import read_site
from vpsctl.sites.compose.spec import Allowances, SiteSpec
from vpsctl.sites.lookup import find_site
from vpsctl.sites.naming import Names
from vpsctl.sites.preflight import check_domains
from vpsctl.sites.snapshot import allowances

DEFAULT_PROJECT = "default"


@dataclass(frozen=True)
class Prospect:
    name: str
    project: str
    shape: Shape
    compose: str
    spec: SiteSpec
    """What the file says, read with every allowance."""
    new_credentials: Mapping[str, Secret]
    """To be put into the vault."""
    obstacles: tuple[str, ...]
    """What the operator's settings do not allow, one sentence each."""
    way_out: str
    """The hint that goes with the first of them."""

    @property
    def domains(self) -> tuple[str, ...]:
        return self.spec.intent.web.domains if self.spec.intent.web else ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """What Caddy dials."""
        front = self.shape.front
        return tuple(f"{found.dial}:{front.port}" for found in self.shape.founds(front.service)) if front else ()

    def steps(self, instance: str) -> Iterator[str]:
        """What is done, in its order, one sentence each."""
        names = Names(instance, self.name)
        for name in self.new_credentials:
            yield f"put the credential {name} into the vault, for the project {self.project}"
        for member in self.shape.members:
            if member.found.joins_networks:
                known = ", ".join((member.service, *self.shape.aliases[member.service]))
                yield f"connect {member.found.name} to the network {names.network()} as {known}"
        for found in self.shape.founds(self.shape.front.service) if self.shape.front else ():
            yield f"connect {found.name} to the network {naming.ingress(instance)}"
        if self.domains:
            yield f"route {', '.join(self.domains)} to {', '.join(self.addresses)}"


def look(app: App, wish: Wish) -> Prospect:
    """Everything that can be known beforehand.

    Raises as `survey`, `infer_shape` and `ask_front` do; Conflict for a name or a domain that is another site's.
    """
    check_name(wish.name)
    project = wish.project or DEFAULT_PROJECT
    _check_free(app, wish.name, project)
    domains = tuple(_domain(text) for text in wish.domains)
    founds = survey(app, wish.containers)
    allow = allowances(app.settings)
    shape = infer_shape(founds, wish, instance=app.settings.instance, public_ports=allow.public_ports)
    known = _known(app, project, wish.name, shape.secrets)
    named = name_credentials(wish.name, shape.secrets, known)
    values = {named[item.service, item.variable]: item.value for item in shape.secrets}
    compose = write_site(shape, wish, named, answer=ask_front(shape, domains))
    open_all = Allowances(**{field.name: True for field in fields(Allowances)})
    spec = read_site(compose, variables=values, allow=open_all)
    refused = list(_refusals(compose, values, allow))
    if domains:
        check_domains(app, spec)
    return Prospect(
        wish.name,
        project,
        shape,
        compose,
        spec,
        {name: value for name, value in values.items() if name not in known},
        tuple(error.message.removeprefix("compose.yaml: ") for error in refused),
        refused[0].hint if refused else "",
    )


def _check_free(app: App, name: str, project: str) -> None:
    """The name is nobody's, and the project, where there is one, takes new sites."""
    with app.database.transaction() as session:
        check_open(session, project)
        if find_site(session, name) is not None:
            raise Conflict(f"there is a site named {name} already", hint="choose another: --name NAME")


def _domain(text: str) -> str:
    try:
        return parse_domain(text)
    except ValueError as error:
        raise Invalid(f"--domain {text!r} {error}", hint="write it like shop.example.com") from error


def _known(app: App, project: str, site: str, wanted: Sequence[Wanted]) -> dict[str, Secret]:
    """What the vault has, as this project sees it, under any of the names that might be taken."""
    possible = {name for item in wanted for name in candidates(site, item)}
    there = {item.name for item in list_credentials(app) if item.project in (None, project)} & possible
    return {name: secret for name, (secret, _) in read_credentials(app, sorted(there), project=project).items()}


def _refusals(compose: str, values: Mapping[str, Secret], allow: Allowances) -> Iterator[Invalid]:
    """What the compose reader itself says to each permission that is not given."""
    names = [field.name for field in fields(Allowances)]
    for closed in names:
        if not getattr(allow, closed):
            try:
                read_site(compose, variables=values, allow=Allowances(**{name: name != closed for name in names}))
            except Invalid as error:
                yield error
