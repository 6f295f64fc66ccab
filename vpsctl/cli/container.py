"""vpsctl container: every container on the machine, ours or not."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.opened import open_app

if TYPE_CHECKING:
    from vpsctl.app import App
    from vpsctl.docker_engine.types import Container, ContainerSummary, LogLine, PortBinding, Stats
    from vpsctl.hosts.containers import Processes

app = typer.Typer(no_args_is_help=True, help="Every container on the machine, ours or not.")

Name = Annotated[str, typer.Argument(help="A container's name, or the start of its id.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
def list_(all_: Annotated[bool, typer.Option("--all", "-a", help="Those that do not run as well.")] = False) -> None:
    """The containers that run.

    Example: vpsctl container list --all
    """
    from vpsctl.hosts.containers import list_containers

    with open_app(before_init=True) as opened:
        output.show(list_containers(opened, stopped=all_), _render_list)


def _render_list(found: "tuple[ContainerSummary, ...]") -> None:
    rows = [
        (item.name, item.state, _image(item.image), item.labels.get("vpsctl.site", "-"), _ports(item.ports), item.status)
        for item in found
    ]
    output.table(("NAME", "STATE", "IMAGE", "SITE", "PORTS", "STATUS"), rows)


def _ports(ports: "tuple[PortBinding, ...]") -> str:
    return ", ".join(sorted({_port(port) for port in ports})) or "-"


def _port(port: "PortBinding") -> str:
    host = f"[{port.host_ip}]" if ":" in port.host_ip else port.host_ip
    return f"{host}:{port.host_port}->{port.container_port}/{port.protocol}"


def _image(reference: str) -> str:
    """A container made from an image id shows it in full, which is 71 characters."""
    return reference.removeprefix("sha256:")[:12] if reference.startswith("sha256:") else reference


@app.command("show")
def show(name: Name) -> None:
    """One container in full, without its environment.

    Example: vpsctl container show vpsctl-caddy
    """
    from vpsctl.hosts.containers import show_container

    with open_app(before_init=True) as opened:
        output.show(show_container(opened, name), _render_one)


def _render_one(found: "Container") -> None:
    health = f" ({found.health})" if found.health else ""
    facts = {
        "name": found.name,
        "id": found.id[:12],
        "image": _image(found.image),
        "state": f"{found.state}{health}" + ("" if found.state == "running" else f", exit code {found.exit_code}"),
        "created": found.created.isoformat(timespec="seconds"),
        "started": found.started.isoformat(timespec="seconds") if found.started else "never",
        "restarts": f"{found.restart_count}, policy {found.restart}" + (", killed for memory" if found.oom_killed else ""),
        "limits": f"{output.size(found.memory)} memory, {found.nano_cpus / 1e9 if found.nano_cpus else '-'} CPUs",
        "networks": ", ".join(f"{network} {found.addresses.get(network, '')}".strip() for network in found.aliases) or "-",
        "ports": _ports(found.ports),
        "mounts": ", ".join(f"{mount.source or mount.kind}:{mount.target}" for mount in found.mounts) or "-",
        "labels": ", ".join(f"{key}={value}" for key, value in sorted(found.labels.items())) or "-",
        "error": found.error,
    }
    for key, value in facts.items():
        if value:
            output.write(f"{key + ':':10}{value}")


@app.command("start")
def start(name: Name) -> None:
    """Start a container.

    Example: vpsctl container start legacy-db
    """
    from vpsctl.hosts.containers import start_container

    with open_app(before_init=True) as opened:
        output.show(start_container(opened, name), _render_state)


@app.command("stop")
def stop(name: Name, yes: Yes = False) -> None:
    """Stop a container; asks before it stops a part of the foundation.

    Example: vpsctl container stop legacy-db
    """
    from vpsctl.hosts.containers import stop_container

    with open_app(before_init=True) as opened:
        _ask(opened, name, "Stopping", yes=yes)
        output.show(stop_container(opened, name), _render_state)


@app.command("restart")
def restart(name: Name, yes: Yes = False) -> None:
    """Restart a container; asks before it restarts a part of the foundation.

    Example: vpsctl container restart shop-db
    """
    from vpsctl.hosts.containers import restart_container

    with open_app(before_init=True) as opened:
        _ask(opened, name, "Restarting", yes=yes)
        output.show(restart_container(opened, name), _render_state)


def _ask(opened: "App", name: str, doing: str, *, yes: bool) -> None:
    from vpsctl.hosts.containers import carries_sites, show_container

    found = show_container(opened, name)
    if carries_sites(opened, found):
        output.confirm(f"{doing} {found.name} touches every site: it is a part of the foundation.", yes=yes)


def _render_state(found: "Container") -> None:
    output.write(f"{found.name} is {found.state}")


@app.command("logs")
def logs(
    name: Name,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it ends, or Ctrl-C.")] = False,
    tail: Annotated[int | None, typer.Option("--tail", "-n", min=0, metavar="N", help="The last N lines only.")] = None,
    since: Annotated[str | None, typer.Option(metavar="WHEN", help="From then on: 10m, 2h, 3d or a date and time.")] = None,
) -> None:
    """What a container printed; --json -f prints one object a line.

    Example: vpsctl container logs vpsctl-caddy -f -n 20
    """
    from vpsctl.cli.logs import since_time, until_interrupted
    from vpsctl.hosts.containers import read_logs

    moment = since_time(since) if since else None
    with open_app(before_init=True) as opened:
        lines = read_logs(opened, name, tail=tail, since=moment, follow=follow)
        if output.mode.json and not follow:
            output.show(list(lines), lambda _: None)
            return
        with until_interrupted() if follow else nullcontext():
            for line in lines:
                _print_line(line)


def _print_line(line: "LogLine") -> None:
    if output.mode.json:
        from vpsctl.encoding import to_json

        output.write(to_json({"data": line}))
    elif line.stream == "stderr":
        output.say(line.text)
    else:
        output.write(line.text)
    output.flush()


@app.command("stats")
def stats(names: Annotated[list[str] | None, typer.Argument(help="Containers; none means all that run.")] = None) -> None:
    """What containers use now.

    Example: vpsctl container stats
    """
    from vpsctl.hosts.containers import measure_containers

    with open_app(before_init=True) as opened:
        output.show(measure_containers(opened, names or ()), _render_stats)


def _render_stats(found: "tuple[Stats, ...]") -> None:
    rows = [
        (
            item.name,
            f"{item.cpu_percent:.1f}%",
            output.size(item.memory),
            output.size(item.memory_limit),
            item.pids,
            output.size(item.network_received),
            output.size(item.network_sent),
        )
        for item in found
    ]
    output.table(("NAME", "CPU", "MEMORY", "LIMIT", "PIDS", "RECEIVED", "SENT"), rows)


@app.command("top")
def top(name: Name) -> None:
    """The processes in a container.

    Example: vpsctl container top vpsctl-postgres
    """
    from vpsctl.hosts.containers import list_processes

    with open_app(before_init=True) as opened:
        output.show(list_processes(opened, name), _render_top)


def _render_top(found: "Processes") -> None:
    output.table(found.columns, found.rows)
