"""What is inferred from running containers, read back by the reader that deploys it."""

from datetime import timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.adopt.engine import MIB, bind, env, found, image, published, volume
from vpsctl.docker_engine.types import HealthcheckSpec
from vpsctl.secret import Secret
from vpsctl.sites.adopt.found import Found
from vpsctl.sites.adopt.infer import Shape, Wish, infer_shape, write_site
from vpsctl.sites.adopt.secrecy import name_credentials
from vpsctl.sites.compose.read import read_site
from vpsctl.sites.compose.roles import update_order
from vpsctl.sites.compose.spec import Allowances, Service, SiteSpec, VolumeMount

OPEN = Allowances(True, True, True, True, True)
POSTGRES = image(id="sha256:" + "b" * 64, tags=("postgres:15-alpine",), exposed_ports=(5432,), command=("postgres",))


def shape_of(*founds: Found, public: bool = False, **wish: Any) -> Shape:
    asked = Wish(**{"name": "shop", "containers": (), **wish})
    return infer_shape(founds, asked, instance="vpsctl", public_ports=public)


def text_of(shape: Shape, *, answer: int | None = 200, **wish: Any) -> str:
    names = name_credentials("shop", shape.secrets, {})
    return write_site(shape, Wish(**{"name": "shop", "containers": (), **wish}), names, answer=answer)


def site_of(*founds: Found, public: bool = False, allow: Allowances = OPEN, **wish: Any) -> SiteSpec:
    shape = shape_of(*founds, public=public, **wish)
    names = name_credentials("shop", shape.secrets, {})
    values = {names[item.service, item.variable]: item.value for item in shape.secrets}
    return read_site(text_of(shape, **wish), variables=values, allow=allow)


def service_of(**values: Any) -> Service:
    return site_of(found(**values)).services["app"]


def test_a_plain_container_needs_no_more_than_its_image() -> None:
    text = text_of(shape_of(found()))
    assert yaml.safe_load(text)["services"]["app"] == {
        "image": "shop:1.0",
        "deploy": {"resources": {"limits": {"memory": "256M", "cpus": "1"}}},
    }


names = st.builds(str.__add__, st.sampled_from("aZ_"), st.text("aT_0.-", max_size=8))
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@given(st.dictionaries(names, texts, max_size=5), st.lists(texts))
def test_environment_and_command_arrive_unchanged(values: dict[str, str], words: list[str]) -> None:
    values.pop("PATH", None)
    service = service_of(config={**env(values), "Cmd": words})
    arrived = {name: item.reveal() if isinstance(item, Secret) else item for name, item in service.environment.items()}
    assert arrived == values
    assert list(service.command or ()) == words


@given(texts, texts)
def test_nothing_a_container_says_leaves_its_comment(name: str, address: str) -> None:
    """Names and addresses stand in comments; a line break in one of them must not begin a key."""
    evil = found("app", neighbours=(f"x\n    privileged: true\n{name}",), ports=published(80, 8080, address="10.0.0.1"))
    service = site_of(evil, allow=Allowances(), port=3000, domains=("shop.example.com",)).services["app"]
    assert not service.privileged
    text = text_of(shape_of(found(mounts=[bind(f"/a\n{address}", "/b")])))
    assert list(yaml.safe_load(text)) == ["name", "services", "x-vpsctl"]


def test_an_entrypoint_of_its_own_takes_its_command_along() -> None:
    made = image(entrypoint=("docker-entrypoint.sh",), command=("serve",))
    service = service_of(made_from=made, config={"Entrypoint": ["/init"], "Cmd": ["serve"]})
    assert (service.entrypoint, service.command) == (("/init",), ("serve",))
    cleared = service_of(made_from=made, config={"Entrypoint": None, "Cmd": ["other"]})
    assert (cleared.entrypoint, cleared.command) == ((), ("other",))


def test_process_settings() -> None:
    made = image(user="node", working_dir="/app", stop_signal="SIGINT", labels={"org": "acme"})
    service = service_of(
        made_from=made,
        config={
            "User": "1000:1000",
            "WorkingDir": "/srv",
            "StopSignal": "SIGQUIT",
            "StopTimeout": 30,
            "Labels": {"org": "acme", "team": "$web", "com.docker.compose.project": "x"},
            "Healthcheck": {"Test": ["CMD-SHELL", "curl -f $HOST || exit 1"], "Interval": 1_500_000_000, "Retries": 4},
        },
        host={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5}},
    )
    assert (service.user, service.working_dir, service.stop_signal) == ("1000:1000", "/srv", "SIGQUIT")
    assert service.stop_grace_period == timedelta(seconds=30)
    assert service.labels == {"team": "$web"}
    assert service.healthcheck is not None
    assert service.healthcheck.test == ("CMD-SHELL", "curl -f $HOST || exit 1")
    assert (service.healthcheck.interval, service.healthcheck.retries) == (timedelta(seconds=1.5), 4)
    assert (service.restart, service.restart_retries) == ("on-failure", 5)


def test_what_the_image_says_is_not_repeated() -> None:
    check = HealthcheckSpec(("CMD", "true"), interval=timedelta(seconds=5))
    made = image(user="node", working_dir="/app", healthcheck=check, stop_signal="SIGINT")
    said = {"Healthcheck": {"Test": ["CMD", "true"], "Interval": 5_000_000_000}, "StopSignal": "SIGINT"}
    entries = shape_of(found(made_from=made, config=said)).sketches["app"].entries
    assert set(entries) == {"image", "deploy"}


def test_without_a_restart_policy_it_comes_back_all_the_same() -> None:
    shape = shape_of(found(host={"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}))
    assert read_site(text_of(shape), variables={}).services["app"].restart == "unless-stopped"
    assert any("no restart policy" in note for note in shape.notes)


def test_limits_are_kept_and_missing_ones_leave_room() -> None:
    kept = service_of(
        host={"Memory": 300 * MIB + 1, "NanoCpus": 1_250_000_000, "PidsLimit": 100, "MemoryReservation": 64 * MIB}
    )
    assert (kept.resources.memory, kept.resources.cpus) == (300 * MIB + 1, 1.25)
    assert (kept.resources.pids, kept.resources.memory_reservation) == (100, 64 * MIB)
    large = service_of(host={"Memory": 0, "NanoCpus": 0}, usage=700 * MIB)
    assert (large.resources.memory, large.resources.cpus) == (1408 * MIB, 0.5)
    small = service_of(host={"Memory": 0, "CpuQuota": 150_000, "CpuPeriod": 100_000, "NanoCpus": 0}, usage=5 * MIB)
    assert (small.resources.memory, small.resources.cpus) == (512 * MIB, 1.5)


def test_isolation_is_kept() -> None:
    service = service_of(
        host={
            "ReadonlyRootfs": True,
            "Init": True,
            "CapDrop": ["ALL"],
            "ExtraHosts": ["db.internal:10.0.0.5"],
            "ShmSize": 128 * MIB,
            "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 2048}],
            "SecurityOpt": ["no-new-privileges", "apparmor=mine"],
            "LogConfig": {"Type": "local", "Config": {"max-size": "5m"}},
            "Tmpfs": {"/run": "rw,size=64M"},
        }
    )
    assert service.read_only and service.init and service.cap_drop == ("ALL",) and service.shm_size == 128 * MIB
    assert service.extra_hosts == ("db.internal:10.0.0.5",) and service.security_opt == ("apparmor=mine",)
    assert [(item.name, item.soft, item.hard) for item in service.ulimits] == [("nofile", 1024, 2048)]
    assert service.logging is not None and service.logging.options == {"max-size": "5m"}
    assert service.tmpfs == ("/run:rw,size=64m",)


@pytest.mark.parametrize(
    ("host", "word"),
    [
        ({"CapAdd": ["NET_ADMIN"]}, "capabilities"),
        ({"Devices": [{"PathOnHost": "/dev/x"}]}, "devices"),
        ({"Dns": ["1.1.1.1"]}, "DNS"),
        ({"Sysctls": {"net.core.somaxconn": "1"}}, "sysctls"),
        ({"Runtime": "nvidia"}, "runtime"),
        ({"PidMode": "container:abc"}, "another container's processes"),
        ({"SecurityOpt": ['seccomp={"defaultAction":"x"}']}, "seccomp profile"),
        ({"LogConfig": {"Type": "loki", "Config": {}}}, "log driver loki"),
    ],
)
def test_what_cannot_be_carried_over_is_said(host: dict[str, Any], word: str) -> None:
    text = text_of(shape_of(found(host=host)))
    assert any(
        line.strip().startswith("#") and "cannot be carried over" in line and word in line for line in text.splitlines()
    )
    read_site(text, variables={})


@pytest.mark.parametrize(
    ("values", "closed"),
    [
        ({"host": {"Privileged": True, "SecurityOpt": ["label=disable"]}}, "privileged"),
        ({"host": {"IpcMode": "host", "SecurityOpt": ["label=disable"]}}, "host_namespaces"),
        ({"host": {"PidMode": "host"}}, "host_namespaces"),
        ({"host": {"NetworkMode": "host"}, "networks": {"host": {}}}, "host_namespaces"),
        ({"mounts": [bind("/srv/data", "/data")]}, "outside_binds"),
        ({"mounts": [bind("/var/run/docker.sock", "/var/run/docker.sock")]}, "docker_socket"),
        ({"host": {"SecurityOpt": ["seccomp=unconfined"]}}, "privileged"),
    ],
)
def test_each_permission_it_needs_is_asked_for_alone(values: dict[str, Any], closed: str) -> None:
    flags = {name: name != closed for name in Allowances.__dataclass_fields__}
    site_of(found(**values))
    with pytest.raises(Exception, match="hands out more than this site") as refused:
        site_of(found(**values), allow=Allowances(**flags))
    assert closed in refused.value.hint  # type: ignore[attr-defined]


def test_volumes_are_used_by_their_own_names() -> None:
    anonymous = "0123456789abcdef" * 4
    database = found(
        "db",
        made_from=POSTGRES,
        mounts=[volume(anonymous, "/var/lib/postgresql/data"), volume("shop_conf", "/etc/conf", writable=False)],
    )
    worker = found("worker", mounts=[volume("shop_conf", "/conf"), bind("/a:b", "/b")])
    site = site_of(database, worker)
    assert site.services["db"].volumes == (
        VolumeMount("volume", "/var/lib/postgresql/data", "db-var-lib-postgresql-data"),
        VolumeMount("volume", "/etc/conf", "shop_conf", read_only=True),
    )
    assert site.services["worker"].volumes[1] == VolumeMount("bind", "/b", "/a:b")
    assert {key: item.external for key, item in site.volumes.items()} == {
        "db-var-lib-postgresql-data": anonymous,
        "shop_conf": "shop_conf",
    }
    assert update_order(site, site.services["db"]) == "recreate"


def test_two_volumes_never_share_a_key() -> None:
    first, second = "a" * 64, "b" * 64
    named = found("one", mounts=[volume("two-data", "/x")])
    anonymous = found("two", mounts=[volume(first, "/data"), volume(second, "/Data")])
    site = site_of(named, anonymous)
    wanted = {"two-data", first, second}
    assert {item.external for item in site.volumes.values()} == wanted
    mounted = [item.source for service in site.services.values() for item in service.volumes]
    assert {site.volumes[key].external for key in mounted if key} == wanted


def test_a_database_without_a_volume_is_warned_about() -> None:
    shape = shape_of(found("db", made_from=POSTGRES))
    assert any("NOT in the one" in note for note in shape.notes)


def test_the_web_port_goes_to_the_proxy_and_others_to_this_machine() -> None:
    web = found("app", ports={**published(3000, 80), "3000/tcp6": None, **published(9090, 9091)})
    database = found("db", made_from=POSTGRES, ports={"5432/tcp": [
        {"HostIp": "0.0.0.0", "HostPort": "5432"}, {"HostIp": "::", "HostPort": "5432"},
    ]})  # fmt: skip
    shape = shape_of(web, database, port=3000)
    site = read_site(text_of(shape, port=3000), variables={}, allow=Allowances())
    assert site.intent.web is not None
    assert (site.intent.web.service, site.intent.web.port) == ("app", 3000)
    assert [(item.host_ip, item.published, item.target) for item in site.services["app"].ports] == [
        ("127.0.0.1", 9091, 9090)
    ]
    assert [(item.host_ip, item.published) for item in site.services["db"].ports] == [("127.0.0.1", 5432)]
    assert any("only the proxy has it" in note for note in shape.notes)
    public = site_of(database, public=True)
    assert [(item.host_ip, item.published) for item in public.services["db"].ports] == [("0.0.0.0", 5432)]


def test_the_names_it_was_reached_by_lead_to_it() -> None:
    database = found(
        "shop_db_1",
        made_from=POSTGRES,
        config={"Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "db"}, "Hostname": "pg"},
        networks={"shop_default": {"IPAddress": "172.20.0.2", "Aliases": ["db", "database"]}},
    )
    app = found("app", host={"Links": ["/shop_db_1:/app/legacy"]}, config=env({"DB": "172.20.0.2"}))
    shape = shape_of(app, database)
    site = read_site(text_of(shape), variables={})
    assert site.services["db"].networks == {"default": ("shop_db_1", "database", "legacy", "pg")}
    assert shape.aliases["db"] == ("shop_db_1", "database", "legacy", "pg")
    assert any("172.20.0.2 of shop_db_1" in note for note in shape.notes)


def test_compose_order_is_kept_as_far_as_it_goes() -> None:
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "db"}
    database = found("d", made_from=POSTGRES, config={"Labels": labels}, state={"Health": {"Status": "healthy"}})
    depends = {"com.docker.compose.depends_on": "db:service_healthy:false,cache:service_started:false"}
    app = found("a", config={"Labels": {**labels, "com.docker.compose.service": "app", **depends}})
    assert site_of(database, app).services["app"].depends_on == {"db": "service_healthy"}


def test_secrets_leave_the_file() -> None:
    database = found("db", made_from=POSTGRES, config=env({"POSTGRES_PASSWORD": "hunter2", "POSTGRES_DB": "shop"}))
    app = found(config=env({"DATABASE_URL": "postgresql://postgres:hunter2@db/shop", "POSTGRES_PASSWORD": "hunter2"}))
    shape = shape_of(database, app)
    text = text_of(shape)
    assert "hunter2" not in text
    document = yaml.safe_load(text)
    assert document["services"]["db"]["environment"] == {"POSTGRES_PASSWORD": "${POSTGRES_PASSWORD}", "POSTGRES_DB": "shop"}
    assert document["x-vpsctl"]["secrets"] == [
        {"name": "POSTGRES_PASSWORD", "services": ["db", "app"]},
        {"name": "DATABASE_URL", "services": ["app"]},
    ]


@pytest.mark.parametrize(("answer", "ok", "bad"), [(200, 399, 404), (401, 499, 500), (502, 599, None)])
def test_a_front_page_that_answers_otherwise_still_deploys(answer: int, ok: int, bad: int | None) -> None:
    shape = shape_of(found(), port=3000)
    low, high = read_site(text_of(shape, answer=answer), variables={}).intent.probe.expect_status
    assert low <= answer <= high and ok <= high
    assert bad is None or bad > high


def test_local_names_are_served_without_tls() -> None:
    local = site_of(found(), port=3000, domains=("shop.localhost",)).intent.web
    public = site_of(found(), port=3000, domains=("shop.example.com",)).intent.web
    assert local is not None and local.tls == "off"
    assert public is not None and public.tls == "auto" and public.domains == ("shop.example.com",)
