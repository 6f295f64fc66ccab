"""A site's state from labels and the proxy's files."""

from collections.abc import Mapping
from datetime import UTC, datetime

from vpsctl.docker_engine.types import ContainerSummary
from vpsctl.hosts.site_state import judge_site

MIB = 1024**2


def container(service: str, release: int, number: int = 1, **more: str) -> ContainerSummary:
    """`state`, `status`, `role`, `wanted` in `more`."""
    labels: Mapping[str, str] = {
        "vpsctl.service": service,
        "vpsctl.release": str(release),
        "vpsctl.role": more.get("role", "service"),
        "vpsctl.replicas": more.get("wanted", "1"),
        "vpsctl.memory": str(64 * MIB),
        "vpsctl.order": more.get("order", "start-first"),
        **({"vpsctl.domains": "b.example.com,a.example.com"} if more.get("role") == "web" else {}),
    }
    name = f"v-shop-{service}-r{release}-{number}"
    state = more.get("state", "running")
    status = more.get("status", "Up")
    return ContainerSummary(
        name, name, "img", "sha256:1", state, status, labels, datetime(2026, 1, release, tzinfo=UTC), {}, ()
    )


WEB = [container("app", 7, 1, role="web", wanted="2"), container("app", 7, 2, role="web", wanted="2")]
OLD = [container("app", 6, 1, role="web", wanted="3", state="exited")]
DATABASE = [container("db", 3)]


def test_a_site_serves_with_a_database_of_an_older_release_and_stopped_old_releases() -> None:
    found = judge_site("shop", [*WEB, *OLD, *DATABASE], 7, maintained=False)
    assert (found.state, found.release, found.running, found.wanted, found.problems) == ("serving", 7, 3, 3, ())
    assert found.domains == ("a.example.com", "b.example.com")
    assert found.memory == 3 * 64 * MIB
    assert found.since == datetime(2026, 1, 7, tzinfo=UTC)


def test_after_a_rollback_the_release_of_the_proxy_counts_not_the_newest() -> None:
    stopped = [container("app", 8, 1, role="web", wanted="1", state="exited")]
    assert judge_site("shop", [*stopped, *WEB], 7, maintained=False).state == "serving"


def test_a_missing_replica_degrades_it() -> None:
    found = judge_site("shop", [WEB[0], *DATABASE], 7, maintained=False)
    assert (found.state, found.problems) == ("degraded", ("app: 1 of 2 run",))


def test_a_stopped_database_degrades_it() -> None:
    found = judge_site("shop", [*WEB, container("db", 3, state="exited")], 7, maintained=False)
    assert (found.state, found.problems) == ("degraded", ("db: 0 of 1 run",))


def test_an_unhealthy_container_degrades_it() -> None:
    sick = container("db", 3, status="Up 3 hours (unhealthy)")
    found = judge_site("shop", [*WEB, sick], 7, maintained=False)
    assert (found.state, found.problems) == ("degraded", ("db: v-shop-db-r3-1 is unhealthy",))


def test_nothing_running_is_stopped_and_nothing_at_all_is_new() -> None:
    stopped = [container("app", 7, role="web", state="exited")]
    assert judge_site("shop", stopped, 7, maintained=False).state == "stopped"
    assert judge_site("shop", [], None, maintained=False).state == "new"


def test_maintenance_goes_before_everything() -> None:
    assert judge_site("shop", WEB, 7, maintained=True).state == "maintenance"


def test_a_task_of_a_deploy_is_no_service() -> None:
    task = container("app", 8, role="pre-deploy")
    assert judge_site("shop", [*WEB, task], 7, maintained=False).running == 2


def test_without_a_web_service_the_newest_release_that_runs_counts() -> None:
    found = judge_site("shop", [container("worker", 4), container("worker", 5, state="exited")], None, maintained=False)
    assert (found.state, found.release, found.running) == ("serving", 4, 1)


def test_a_service_that_runs_once_is_not_missed_when_it_has_ended() -> None:
    once = container("migrate", 7, order="once", state="exited")
    assert judge_site("shop", [*WEB, once], 7, maintained=False).problems == ()


def test_what_was_scaled_down_since_is_not_missed() -> None:
    made_for_three = [container("app", 7, 1, role="web", wanted="3"), container("app", 7, 2, role="web", wanted="3")]
    found = judge_site("shop", made_for_three, 7, maintained=False, scale={"app": 2})
    assert (found.state, found.wanted) == ("serving", 2)
