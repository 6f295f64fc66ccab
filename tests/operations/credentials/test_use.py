"""Handing credentials to a command: what it gets, one row for all of them, and files that only it can read."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.unit.credentials.values import good
from tests.waiting import wait_for
from vpsctl.app import App
from vpsctl.audit.list import Wanted, list_audit
from vpsctl.credentials.read import Opened
from vpsctl.credentials.set import set_credential
from vpsctl.credentials.show import show_credential
from vpsctl.credentials.use import hand_over, use_credentials
from vpsctl.errors import Conflict, NotFound
from vpsctl.secret import Secret

S3 = '{"access_key_id": "AKIAEXAMPLE", "secret_access_key": "abcdefgh123"}'
S3_WITH_ALL = '{"access_key_id": "AK2", "secret_access_key": "zyxwvuts", "session_token": "session1", "region": "eu-1"}'


def opened(name: str, kind: str, value: str) -> Opened:
    return Opened(name, None, kind, 1, Secret(value), {})


def told(variables: object) -> dict[str, str]:
    assert isinstance(variables, dict)
    return {name: value.reveal() for name, value in variables.items()}


def test_one_row_tells_of_all_that_a_command_gets(app: App) -> None:
    set_credential(app, "TOKEN", Secret("hunter22"))
    set_credential(app, "TOKEN", Secret("hunter33"), project="acme")
    set_credential(app, "SHARED", Secret("hunter44"))
    handed = use_credentials(app, ["TOKEN", "SHARED", "TOKEN"], "report.py", project="acme")
    assert told(handed.environment) == {"TOKEN": "hunter33", "SHARED": "hunter44"}
    (row,) = list_audit(app, Wanted(action="credential.use"))
    assert row.target == "credential:acme/TOKEN, credential:SHARED"
    assert row.fields == {"names": ["TOKEN", "SHARED"], "versions": [2, 1], "program": "report.py"}
    assert show_credential(app, "TOKEN", project="acme").last_used_at is not None
    assert show_credential(app, "SHARED").last_used_at is not None
    assert show_credential(app, "TOKEN").last_used_at is None


def test_all_that_are_missing_are_named_and_nothing_is_used(app: App) -> None:
    set_credential(app, "HERE", Secret("hunter22"))
    with pytest.raises(NotFound, match="there is no credential A, B"):
        use_credentials(app, ["B", "HERE", "A"], "true")
    assert list_audit(app, Wanted(action="credential.use")) == []
    assert show_credential(app, "HERE").last_used_at is None


def test_nothing_is_handed_over_when_it_cannot_be_put_on_record(app: App) -> None:
    set_credential(app, "TOKEN", Secret("hunter22"))
    with app.owner_database.transaction() as session:
        session.execute(text("ALTER TABLE audit ADD CONSTRAINT shut CHECK (action <> 'credential.use')"))
    with pytest.raises(Conflict):
        use_credentials(app, ["TOKEN"], "true")


def test_uses_of_the_same_ones_in_another_order_do_not_wait_for_each_other(app: App) -> None:
    names = ["A", "B", "C"]
    for name in names:
        set_credential(app, name, Secret("hunter22"))
    orders = [names, names[::-1], ["B", "C", "A"]] * 4
    with ThreadPoolExecutor(6) as pool:
        handed = list(pool.map(lambda order: use_credentials(app, order, "true"), orders))
    assert all(set(item.environment) == set(names) for item in handed)
    assert len(list_audit(app, Wanted(action="credential.use"))) == len(orders)


def test_s3_keys_come_under_the_names_that_every_tool_knows() -> None:
    handed = hand_over([opened("STORE", "s3", S3_WITH_ALL)])
    environment = told(handed.environment)
    assert environment["STORE_SECRET_ACCESS_KEY"] == "zyxwvuts"
    assert {name: value for name, value in environment.items() if name.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID": "AK2",
        "AWS_SECRET_ACCESS_KEY": "zyxwvuts",
        "AWS_SESSION_TOKEN": "session1",
        "AWS_REGION": "eu-1",
    }
    assert handed.without == ()
    assert hand_over([opened("STORE", "s3", S3)]).without == ("AWS_SESSION_TOKEN",)
    both = hand_over([opened("STORE", "s3", S3), opened("OTHER", "s3", S3_WITH_ALL)])
    assert not [name for name in both.environment if name.startswith("AWS_")]
    assert both.without == ()


def test_a_credential_comes_before_a_field_of_that_name() -> None:
    given = [opened("A_USERNAME", "password", "its own"), opened("A", "basic", "field:pass")]
    for order in (given, given[::-1]):
        assert told(hand_over(order).environment) == {"A_USERNAME": "its own", "A": "field:pass", "A_PASSWORD": "pass"}


def test_keys_that_programs_want_as_files_get_one_each() -> None:
    google, key = good("service-account"), good("ssh-key")
    handed = hand_over([opened("BQ", "service-account", google), opened("DEPLOY", "ssh-key", key)])
    assert told(handed.files) == {"BQ_FILE": google, "GOOGLE_APPLICATION_CREDENTIALS": google, "DEPLOY_FILE": key}
    two = hand_over([opened("BQ", "service-account", google), opened("OTHER", "service-account", google)])
    assert set(two.files) == {"BQ_FILE", "OTHER_FILE"}


# What it becomes: a process of its own, since this one must go on.

BECOME = """
import json, sys
from vpsctl.credentials.become import become
from vpsctl.credentials.use import Handed
from vpsctl.secret import Secret
given = json.load(open(sys.argv[1]))
secret = lambda found: {name: Secret(value) for name, value in found.items()}
handed = Handed(secret(given["environment"]), secret(given["files"]), tuple(given["without"]))
become(given["argv"][0], given["argv"], handed)
"""


class Become:
    """`Become(tmp_path)(["/bin/sh", "-c", "…"], environment={…})`: a command that credentials were handed to."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.started: list[subprocess.Popen[str]] = []

    def __call__(
        self,
        argv: list[str],
        *,
        environment: dict[str, str] | None = None,
        files: dict[str, str] | None = None,
        without: tuple[str, ...] = (),
        **inherited: str,
    ) -> "subprocess.Popen[str]":
        given = {"argv": argv, "environment": environment or {}, "files": files or {}, "without": without}
        place = self.place / f"given-{len(self.started)}"
        place.write_text(json.dumps(given))
        self.started.append(
            subprocess.Popen(
                [sys.executable, "-c", BECOME, str(place)],
                env={"PATH": os.environ["PATH"], "VPSCTL_HOME": "/kept", **inherited},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return self.started[-1]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Become]:
    start = Become(tmp_path)
    yield start
    for process in start.started:
        process.kill()
        process.communicate()


def output(process: "subprocess.Popen[str]", code: int = 0) -> str:
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (code, "")
    return out


def test_the_command_has_its_own_exit_code_and_streams(run: Become) -> None:
    value = "häßlich $x 'y' \"z\"\n"
    script = 'cat; printf "%s|%s|%s" "$TOKEN" "$VPSCTL_HOME" "${AWS_SESSION_TOKEN-none}"; exit 7'
    process = run(
        ["/bin/sh", "-c", script],
        environment={"TOKEN": value},
        without=("AWS_SESSION_TOKEN",),
        AWS_SESSION_TOKEN="old",
        TOKEN="inherited",
    )
    process.stdin.write("typed ")  # type: ignore[union-attr]
    assert output(process, 7) == f"typed {value}|/kept|none"


def test_the_command_is_this_process_and_its_signals_are_the_usual_ones(run: Become) -> None:
    process = run(["/bin/sh", "-c", "echo $$; grep SigIgn /proc/self/status; kill -PIPE $$; echo still here"])
    out, _ = process.communicate(timeout=30)
    pid, ignored = out.splitlines()
    assert int(pid) == process.pid
    assert int(ignored.split()[1], 16) & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1) == 0
    assert process.returncode == -signal.SIGPIPE


def test_what_the_kernel_does_not_run_is_told(run: Become, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("no shebang")
    broken.chmod(0o700)
    process = run([str(broken)])
    _, err = process.communicate(timeout=30)
    assert f"{broken} cannot be run: Exec format error" in err
    assert process.returncode == 1


def test_a_file_outlives_closed_descriptors_and_ends_with_the_command(run: Become) -> None:
    """As ssh and Python's subprocess close what they inherit."""
    close = "import os, sys; os.closerange(3, 256); p = os.environ['KEY_FILE']; print(p); print(open(p).read()); "
    process = run(
        [sys.executable, "-c", close + "print(oct(os.stat(p).st_mode)); sys.stdout.flush(); sys.stdin.read()"],
        files={"KEY_FILE": "first\nsecond"},
    )
    lines = [process.stdout.readline().rstrip("\n") for _ in range(4)]  # type: ignore[union-attr]
    path = Path(lines[0])
    assert lines[1:] == ["first", "second", oct(stat.S_IFREG | 0o400)]
    holder = path.parts[2]
    assert Path(f"/proc/{holder}/environ").read_bytes() == b""
    assert b"first" not in Path(f"/proc/{holder}/cmdline").read_bytes()
    assert os.getsid(int(holder)) != os.getsid(process.pid)  # no Ctrl-C of the command's terminal reaches it
    output(process)
    wait_for(lambda: not path.exists(), f"end of {holder}")


def test_a_command_may_wait_until_it_has_no_child(run: Become) -> None:
    wait = (
        "import os\ntry:\n    os.wait()\nexcept ChildProcessError:\n    print('none', open(os.environ['KEY_FILE']).read())"
    )
    assert output(run([sys.executable, "-c", wait], files={"KEY_FILE": "x"})) == "none x\n"


def test_the_end_of_a_pipe_is_not_held_up_by_who_holds_the_files(run: Become) -> None:
    began = time.monotonic()
    assert output(run(["/bin/echo", "done"], files={"KEY_FILE": "x"})) == "done\n"
    assert time.monotonic() - began < 20


def test_ssh_takes_the_key_from_its_file(run: Become) -> None:
    """ssh-keygen is as strict about who may read it; ssh itself needs a server."""
    from vpsctl.credentials.kinds.ssh_key import make_ssh_key, public_key

    key = make_ssh_key()
    shown = output(run(["/bin/sh", "-c", 'ssh-keygen -y -f "$KEY_FILE"'], files={"KEY_FILE": key}))
    assert shown.split()[:2] == public_key(Secret(key)).split()[:2]
