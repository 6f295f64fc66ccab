"""Connection URLs and passwords of Postgres, Redis and ClickHouse, tried on the real servers."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import docker
import psycopg
import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.conftest import POSTGRES_IMAGE
from tests.contract.probe.servers import CLICKHOUSE, TOOLS, container, mounts, programs
from tests.waiting import wait_for
from vpsctl.credentials.probe.probe import Probe, probe
from vpsctl.secret import Secret

PASSWORD = f"p/ä:w@{secrets.token_hex(6)} %&"
"""With what has a meaning in a URL."""
ESCAPED = quote(PASSWORD, safe="")
WRONG = f"wrong{secrets.token_hex(6)}"
CONFIG = """<yandex>
<logger><level>error</level><console>1</console></logger>
<http_port>8123</http_port><tcp_port>9000</tcp_port><listen_host>0.0.0.0</listen_host>
<path>/tmp/data/</path><tmp_path>/tmp/data/tmp/</tmp_path><mark_cache_size>5368709</mark_cache_size>
<users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
</yandex>"""
USERS = """<yandex><profiles><default/></profiles><quotas><default/></quotas><users><app>
<password>{password}</password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
</app></users></yandex>"""


def tried(url: str, seconds: float = 5) -> Probe:
    return probe("url", Secret(url), {}, seconds=seconds)


@pytest.fixture(scope="module")
def postgres(docker_client: docker.DockerClient) -> Iterator[int]:
    """Over TCP, where it asks for the password."""
    made = {"environment": {"POSTGRES_PASSWORD": PASSWORD}, "tmpfs": {"/var/lib/postgresql/data": ""}, "shm_size": "64m"}
    with container(docker_client, POSTGRES_IMAGE, ["postgres", "-c", "fsync=off"], 5432, **made) as port:

        def answers() -> bool:
            try:
                psycopg.connect(host="127.0.0.1", port=port, user="postgres", password=PASSWORD).close()
            except psycopg.OperationalError:
                return False
            return True

        wait_for(answers, "answer from Postgres", 60)
        yield port


@pytest.fixture(scope="module")
def redis(docker_client: docker.DockerClient) -> Iterator[int]:
    options = ["--save", "", "--protected-mode", "no", "--requirepass", PASSWORD]
    with container(docker_client, "redis:7-alpine", ["redis-server", *options], 6379) as port:

        def answers() -> bool:
            try:
                with Redis("127.0.0.1", port, password=PASSWORD) as client:
                    return bool(client.ping()) and client.execute_command(
                        "ACL", "SETUSER", "app", "on", f">{PASSWORD}", "+get"
                    ) in (True, "OK", b"OK")
            except RedisError:
                return False

        wait_for(answers, "answer from Redis")
        yield port


@pytest.fixture(scope="module")
def clickhouse(docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    root, settings = programs(CLICKHOUSE), tmp_path_factory.mktemp("clickhouse")
    (settings / "config.xml").write_text(CONFIG)
    (settings / "users.xml").write_text(USERS.format(password=PASSWORD.replace("&", "&amp;")))
    command = ["/packages/usr/sbin/clickhouse-server", "--config-file=/settings/config.xml"]
    made = {"volumes": mounts(root, settings=Path(settings)), "tmpfs": {"/tmp": ""}, "environment": {"TZ": "UTC"}}
    with container(docker_client, TOOLS, command, 8123, **made) as port:
        wait_for(lambda: tried(f"clickhouse://app:{ESCAPED}@127.0.0.1:{port}").ok, "answer from ClickHouse", 60)
        yield port


def test_postgres_answers_and_tells_its_version(postgres: int) -> None:
    done = tried(f"postgresql://postgres:{ESCAPED}@127.0.0.1:{postgres}/postgres")
    assert done.ok is True, done.told
    assert "Postgres at 127.0.0.1 (15." in done.told
    assert "SELECT 1" in done.told
    assert 0 < done.seconds < 5


def test_redis_answers(redis: int) -> None:
    done = tried(f"redis://:{ESCAPED}@127.0.0.1:{redis}/0")
    assert (done.ok, done.told) == (True, "Redis at 127.0.0.1 answered PING")


def test_clickhouse_answers_and_tells_its_version(clickhouse: int) -> None:
    done = tried(f"clickhouse://app:{ESCAPED}@127.0.0.1:{clickhouse}/default")
    assert done.ok is True
    assert done.told.startswith("ClickHouse at 127.0.0.1 (18.16.1) answered")


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("postgres", "postgresql://postgres@127.0.0.1:{port}/postgres"),
        ("redis", "redis://127.0.0.1:{port}/0"),
        ("clickhouse", "clickhouse://app@127.0.0.1:{port}"),
    ],
)
def test_a_password_is_put_into_the_url_that_it_belongs_to(request: pytest.FixtureRequest, server: str, url: str) -> None:
    details = {"url": url.format(port=request.getfixturevalue(server))}
    assert probe("password", Secret(PASSWORD), details, seconds=5).ok is True
    wrong = probe("password", Secret(WRONG), details, seconds=5)
    assert wrong.ok is False
    assert WRONG not in wrong.told


@pytest.mark.parametrize(
    ("server", "url", "said"),
    [
        ("postgres", "postgresql://postgres:{wrong}@127.0.0.1:{port}/postgres", "password authentication failed"),
        ("postgres", "postgresql://postgres:{right}@127.0.0.1:{port}/nosuch", 'database "nosuch" does not exist'),
        ("redis", "redis://:{wrong}@127.0.0.1:{port}", "the password was refused"),
        ("redis", "redis://127.0.0.1:{port}", "none was given"),
        ("clickhouse", "clickhouse://app:{wrong}@127.0.0.1:{port}", "were refused"),
        ("clickhouse", "clickhouse://app:{right}@127.0.0.1:{port}/nosuch", "nosuch"),
    ],
)
def test_what_the_server_refuses(request: pytest.FixtureRequest, server: str, url: str, said: str) -> None:
    port = request.getfixturevalue(server)
    done = tried(url.format(port=port, wrong=WRONG, right=ESCAPED))
    assert (done.ok, done.reached) == (False, True)
    assert said in done.told
    for hidden in (WRONG, PASSWORD, ESCAPED):
        assert hidden not in done.told


def test_a_user_who_may_not_ping_is_let_in_all_the_same(redis: int) -> None:
    done = tried(f"redis://app:{ESCAPED}@127.0.0.1:{redis}")
    assert done.ok is True
    assert "does not let it PING" in done.told


def test_a_password_that_postgres_does_not_ask_for_proves_nothing(postgres_server: str) -> None:
    done = tried(postgres_server)  # over the socket, where the image trusts everybody
    assert done.ok is None
    assert "without asking for the password" in done.told


@pytest.mark.parametrize("scheme", ["postgresql", "redis", "clickhouse", "clickhouses", "rediss"])
def test_a_port_where_nobody_listens(scheme: str, closed_port: int) -> None:
    done = tried(f"{scheme}://app:{WRONG}@127.0.0.1:{closed_port}/0")
    assert (done.ok, done.reached) == (False, False)
    assert "refused" in done.told.lower()
    assert WRONG not in done.told


@pytest.mark.parametrize("scheme", ["postgresql", "redis", "clickhouse", "rediss"])
def test_a_server_that_never_answers(scheme: str, silent_port: int) -> None:
    done = tried(f"{scheme}://app:{WRONG}@127.0.0.1:{silent_port}/0", 0.5)
    assert (done.ok, done.reached) == (False, False)
    assert "did not answer within 0.5 s" in done.told
    assert done.seconds < 3


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:ab%zzcd@127.0.0.1/x",
        "postgresql://a:b@127.0.0.1/x?nosuch=%zz1",
        "redis://:abcd@127.0.0.1/0?socket_timeout=abcd",
    ],
)
def test_a_url_that_the_client_cannot_read_is_not_quoted(url: str) -> None:
    done = tried(url)
    assert done.ok is False
    assert "cannot read the URL" in done.told
    assert "zz" not in done.told
    assert "abcd" not in done.told


def test_a_host_that_does_not_exist() -> None:
    for scheme in ("postgresql", "redis", "clickhouse"):
        assert tried(f"{scheme}://app:{WRONG}@nosuch.invalid/0").ok is False
