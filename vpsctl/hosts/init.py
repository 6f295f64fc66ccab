"""Setting a machine up, and mending it: every step looks first and changes only what is missing or different."""

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from vpsctl.app import App
from vpsctl.audit.late import keep_late
from vpsctl.audit.outside import keeping, record_outside
from vpsctl.credentials.head import seal_earlier
from vpsctl.db.locate import ensure_password
from vpsctl.db.migrate import head_version, migrate
from vpsctl.docker_engine.types import ContainerSpec
from vpsctl.errors import Conflict, Invalid, NotFound, VpsctlError
from vpsctl.hosts.foundation import read_foundation, wanted_containers, wanted_volumes
from vpsctl.hosts.foundation_plan import Step, plan_foundation
from vpsctl.hosts.port_holder import find_holder
from vpsctl.hosts.ready import caddy_version, check_redis, dotted, wait_until_ready
from vpsctl.hosts.state_directory import make_home, only_one_init
from vpsctl.keys.kit import last_kit
from vpsctl.secret import Secret
from vpsctl.sites import naming
from vpsctl.sites.networks import ensure_ingress
from vpsctl.vault.key import create_key

PULL_DEADLINE = timedelta(minutes=5)
WORKED = ("fingerprint.key", "postgres-password")
"""What stands in a state directory that once had a master key."""
Row = tuple[str, str, dict[str, object]]
"""Of the audit trail: action, target, fields."""
FLAGS = {80: "--http-port", 443: "--https-port"}


@dataclass(frozen=True)
class InitStep:
    name: str
    changed: bool
    detail: str


@dataclass(frozen=True)
class InitResult:
    changed: bool
    """False: everything stood already, and nothing was touched."""
    steps: tuple[InitStep, ...]
    recovery_kit: bool
    """One was made with the master key in force."""


def ignore(step: InitStep) -> None:
    """The report of a caller who does not listen."""


def init(app: App, report: Callable[[InitStep], None] = ignore, *, configured: Sequence[str] = ()) -> InitResult:
    """Make whatever of the state directory, the foundation and the schema is missing or different.

    `configured` names the settings that were changed just before, for the audit row. There is one when anything
    changed; one that failed half way is kept until there is an audit trail to write it into.

    Stopped anywhere, it goes on when it is called again. Data volumes are never touched. Raises Unavailable without
    an engine or an image, Conflict when a port or a name is taken, Failed when a service does not come up.
    """
    app.engine.info()
    made = make_home(app.settings)
    steps: list[InitStep] = []
    with only_one_init(app.settings):
        try:
            for step in _steps(app, made=made):
                steps.append(step)
                report(step)
        except BaseException as error:
            with keeping(error):
                _keep_failed(app, steps, configured)
            raise
        if _changed(steps, configured):
            _record(app, _row(steps, configured))
    kit = last_kit(app)
    return InitResult(any(step.changed for step in steps), tuple(steps), kit is not None and kit.current)


def _record(app: App, row: Row) -> None:
    """What is done is done: where no row can be written now, such as without the key's passphrase, it is kept."""
    try:
        record_outside(app, *row)
    except VpsctlError:
        keep_late(app, *row)
        raise


def _keep_failed(app: App, steps: Sequence[InitStep], configured: Sequence[str]) -> None:
    if _changed(steps, configured):
        keep_late(app, *_row(steps, configured, outcome="failed"))


def _changed(steps: Sequence[InitStep], configured: Sequence[str]) -> bool:
    return bool(configured) or any(step.changed for step in steps)


def _row(steps: Sequence[InitStep], configured: Sequence[str], **outcome: str) -> Row:
    changed = [step.name for step in steps if step.changed]
    return "host.init", f"host:{socket.gethostname()}", {**outcome, "changed": changed, "settings": sorted(configured)}


def _steps(app: App, *, made: bool) -> Iterator[InitStep]:
    settings = app.settings
    yield InitStep("state directory", made, str(settings.home))
    yield _master_key(app)
    password = Secret("")
    if settings.postgres_url is None:
        password, created = ensure_password(settings)
        yield InitStep("Postgres password", created, str(settings.home / "postgres-password"))
    yield InitStep("proxy files", app.proxy.prepare(), str(settings.home / "proxy"))
    if settings.redis_url is not None:
        yield _redis(app)
    yield from _foundation(app, password)
    if settings.redis_url is None:
        yield _redis(app)
    yield _proxy(app)
    yield _schema(app)


def _master_key(app: App) -> InitStep:
    """Made on a new machine only: where vpsctl has worked before, a key that is missing was lost, and must come back."""
    path, home = app.vault.key_file.path, app.settings.home
    if not path.parent.is_dir():
        raise Invalid(f"key_file is {path}, and there is no directory {path.parent}", hint=f"mkdir -m 700 {path.parent}")
    if not path.exists() and any((home / sign).exists() for sign in WORKED):
        message = f"there is no master key at {path}, and vpsctl has worked in {home} with one"
        hint = f"put it back, or: vpsctl key restore --kit FILE; without either, all that is stored is lost: remove {home}"
        raise NotFound(message, hint=hint)
    return InitStep("master key", create_key(path), str(path))


def _foundation(app: App, password: Secret) -> Iterator[InitStep]:
    spec = read_foundation(app.settings, password)
    images: dict[str, str] = {}
    for name, service in spec.services.items():
        images[name], step = ensure_image(app, service.image or "")
        yield step
    yield _network(app)
    yield _volumes(app, wanted_volumes(app.settings, spec))
    wanted = wanted_containers(app.settings, spec, images, app.fingerprint)
    observed = {item.name: found for item in wanted if (found := app.engine.find_container(item.name))}
    for planned in plan_foundation(wanted, observed):
        yield _apply(app, planned)
    for container in wanted:
        wait_until_ready(app, container)
    yield InitStep("foundation answers", False, ", ".join(spec.services) or "nothing of it is ours")


def ensure_image(app: App, ref: str) -> tuple[str, InitStep]:
    """The id of an image that is here, or pulled now. Raises Unavailable or NotFound naming it and what to do."""
    found = app.engine.find_image(ref)
    if found is not None:
        return found.id, InitStep(f"image {ref}", False, "present")
    try:
        pulled = app.engine.pull(ref, on_line=lambda line: None, deadline=PULL_DEADLINE)
    except VpsctlError as error:
        message = f"the foundation needs the image {ref}, which is not on this machine and cannot be pulled: {error.message}"
        raise type(error)(
            message, hint=f"docker pull {ref} when its registry answers, or docker load it from a file"
        ) from error
    return pulled.id, InitStep(f"image {ref}", True, "pulled")


def _network(app: App) -> InitStep:
    name = naming.ingress(app.settings.instance)
    missing = app.engine.find_network(name) is None
    network = ensure_ingress(app)
    return InitStep("ingress network", missing, f"{network.name} {network.subnet}")


def _volumes(app: App, names: tuple[str, ...]) -> InitStep:
    labels = {naming.INSTANCE: app.settings.instance, naming.ROLE: "foundation"}
    missing = [name for name in names if app.engine.find_volume(name) is None]
    for name in missing:
        app.engine.create_volume(name, labels=labels)
    return InitStep("volumes", bool(missing), ", ".join(names))


def _apply(app: App, step: Step) -> InitStep:
    """Stop first: the old and the new container would want the same ports and the same data."""
    name = step.spec.name
    if step.action == "recreate":
        app.engine.stop(name)
        app.engine.remove(name, force=True)
    if step.action in ("create", "recreate"):
        app.engine.create(step.spec)
    if step.action in ("create", "recreate", "start"):
        _start(app, step.spec)
    if step.action == "unpause":
        app.engine.unpause(name)
    return InitStep(f"container {name}", step.action != "keep", f"{step.action}: {step.reason}")


def _start(app: App, spec: ContainerSpec) -> None:
    try:
        app.engine.start(spec.name)
    except Conflict as error:
        taken = next((port for port in spec.ports if f"port {port.host_port} " in error.message), None)
        if taken is None or taken.host_port is None:
            raise
        flag = FLAGS.get(taken.container_port, "--http-port")
        holder = find_holder(app.engine, taken.host_port)
        raise Conflict(
            f"port {taken.host_port} is taken by {holder}, and {spec.name} needs it",
            hint=f"stop that, or choose another port: vpsctl init {flag} {taken.host_port + 8000}",
        ) from error


def _proxy(app: App) -> InitStep:
    """Its version, and the settings that stand in its configuration (ports, ACME) as they are now."""
    version = dotted(caddy_version(app))
    return InitStep("Caddy", app.proxy.ensure_routes([]), version)


def _redis(app: App) -> InitStep:
    return InitStep("Redis", False, check_redis(app.settings))


def _schema(app: App) -> InitStep:
    """Brought to this version; what older vpsctls left unsigned is signed, once, before anything else is written."""
    changed = migrate(app.owner_database)
    signed = seal_earlier(app)
    return InitStep("schema", changed or bool(signed), head_version())
