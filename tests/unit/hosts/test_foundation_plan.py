"""What init does about each container of the foundation."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from vpsctl.docker_engine.types import Attachment, Container, ContainerSpec
from vpsctl.errors import Conflict
from vpsctl.hosts.foundation_plan import plan_foundation

LABELS = {"vpsctl.instance": "v", "vpsctl.config": "abc"}
WANTED = ContainerSpec("v-caddy", "img", labels=LABELS, attachments=(Attachment("v-ingress"),))


def observed(
    state: Any = "running", labels: Mapping[str, str] = LABELS, networks: tuple[str, ...] = ("v-ingress",)
) -> Container:
    return Container(
        id="1", name="v-caddy", image="img", image_id="sha256:1", state=state, labels=labels, exit_code=0, oom_killed=False,
        restart_count=0, created=datetime(2026, 1, 1, tzinfo=UTC), started=None, finished=None, health=None, addresses={},
        aliases=dict.fromkeys(networks, ()), ports=(), mounts=(), memory=None, nano_cpus=None, restart="no", pid=0, error="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "action"),
    [
        ("running", "keep"),
        ("restarting", "keep"),
        ("paused", "unpause"),
        ("created", "start"),
        ("exited", "start"),
        ("dead", "recreate"),
    ],
)
def test_the_state_decides_when_the_definition_is_the_same(state: str, action: str) -> None:
    assert [step.action for step in plan_foundation([WANTED], {"v-caddy": observed(state)})] == [action]


def test_a_missing_one_is_made() -> None:
    assert [step.action for step in plan_foundation([WANTED], {})] == ["create"]


@pytest.mark.parametrize("state", ["running", "exited"])
def test_another_definition_is_made_again(state: str) -> None:
    changed = observed(state, {**LABELS, "vpsctl.config": "other"})
    assert [step.action for step in plan_foundation([WANTED], {"v-caddy": changed})] == ["recreate"]


def test_one_cut_off_from_its_network_is_made_again() -> None:
    assert [step.action for step in plan_foundation([WANTED], {"v-caddy": observed(networks=())})] == ["recreate"]


@pytest.mark.parametrize("labels", [{}, {**LABELS, "vpsctl.instance": "w"}])
def test_a_stranger_of_that_name_is_left_alone(labels: dict[str, str]) -> None:
    with pytest.raises(Conflict, match="v-caddy exists and was not made by this vpsctl"):
        plan_foundation([WANTED], {"v-caddy": observed(labels=labels)})
