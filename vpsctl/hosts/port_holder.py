"""Who holds a port of this machine: the container that publishes it, else the process that listens."""

from vpsctl.docker_engine.engine import Engine
from vpsctl.hosts.listeners import read_listeners


def find_holder(engine: Engine, port: int) -> str:
    """As "container shop-db" or "nginx (pid 812)"."""
    for container in engine.summaries():
        if container.state == "running" and any(item.host_port == port for item in container.ports):
            return f"container {container.name}"
    return next((item.process for item in read_listeners() if item.port == port and item.process), "another process")
