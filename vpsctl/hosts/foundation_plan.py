"""From the foundation as it should be and as it is to the steps between. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vpsctl.docker_engine.types import Container, ContainerSpec
from vpsctl.errors import Conflict
from vpsctl.sites import naming

Action = Literal["keep", "create", "recreate", "start", "unpause"]

ACTIONS: Mapping[str, Action] = {
    "running": "keep",
    "restarting": "keep",
    "paused": "unpause",
    "created": "start",
    "exited": "start",
}


@dataclass(frozen=True)
class Step:
    action: Action
    spec: ContainerSpec
    reason: str


def plan_foundation(wanted: Sequence[ContainerSpec], observed: Mapping[str, Container]) -> tuple[Step, ...]:
    """One step a container, in the order wanted; `observed` is by name.

    Raises Conflict for a container of that name that is not this installation's: it is left alone.
    """
    return tuple(_step(spec, observed.get(spec.name)) for spec in wanted)


def _step(spec: ContainerSpec, found: Container | None) -> Step:
    if found is None:
        return Step("create", spec, "there is none")
    if found.labels.get(naming.INSTANCE) != spec.labels[naming.INSTANCE]:
        raise Conflict(
            f"a container named {spec.name} exists and was not made by this vpsctl",
            hint=f"rename or remove it (docker rm {spec.name}), or set another instance in the settings",
        )
    if found.labels.get(naming.CONFIG) != spec.labels[naming.CONFIG]:
        return Step("recreate", spec, "its definition changed")
    if {item.network for item in spec.attachments} - set(found.aliases):
        return Step("recreate", spec, "it is cut off from its network")
    action = ACTIONS.get(found.state, "recreate")
    return Step(action, spec, f"it was {found.state}")
