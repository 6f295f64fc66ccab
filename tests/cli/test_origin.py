"""Where the person at the command line is, found by real processes that start one another."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from vpsctl.cli.origin import find_origin

SESSION = {"SSH_CONNECTION": "203.0.113.5 51234 198.51.100.1 22"}
ASK = "from vpsctl.cli.origin import find_origin; print(find_origin())"
WITHOUT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1], *sys.argv[2:]], env={}, check=True)"
"""As sudo does, or a script: the child has nothing of the environment."""
ORPHAN = """
import os, subprocess, sys
read, write = os.pipe()
subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read();" + sys.argv[1]], env={}, stdin=read)
"""
"""Its child waits until nobody holds the other end of the pipe: until its parent is gone."""


def answered(*arguments: str, environment: Mapping[str, str] = SESSION, program: str = sys.executable) -> str:
    done = subprocess.run(
        [program, "-c", *arguments], env=dict(environment), text=True, capture_output=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_of_an_ssh_session_it_is_the_clients_address() -> None:
    assert answered(ASK) == "203.0.113.5"
    assert answered(ASK, environment={"SSH_CONNECTION": "2001:db8::5 51234 2001:db8::1 22"}) == "2001:db8::5"


def test_what_the_environment_does_not_say_its_parents_do() -> None:
    assert answered(WITHOUT, ASK) == "203.0.113.5"
    assert answered(WITHOUT, WITHOUT, ASK) == "203.0.113.5"


def test_only_an_address_passes_for_one() -> None:
    assert answered(WITHOUT, ASK, environment={"SSH_CONNECTION": "nowhere\x1b[31m 1 2 3"}) == find_origin()
    assert answered(ASK, environment={"SSH_CONNECTION": ""}) == find_origin()


def test_a_name_that_is_no_text_is_one_that_can_be_stored(tmp_path: Path) -> None:
    asks = "from vpsctl.cli.opened import open_app\nwith open_app(before_init=True) as app: print(ascii(app.actor.name))"
    environment = {"LOGNAME": os.fsdecode(b"an\xffna"), "VPSCTL_HOME": str(tmp_path), "PYTHONUTF8": "1"}
    assert answered(asks, environment=environment) == "'an?na'"


def test_a_job_of_cron_says_so(tmp_path: Path) -> None:
    cron = tmp_path / "cron"
    cron.symlink_to(sys.executable)
    assert answered(WITHOUT, ASK, environment={"PYTHONPATH": os.pathsep.join(sys.path)}, program=str(cron)) == "cron"


def test_a_process_whose_parents_are_gone_is_this_machines() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHAN, ASK], env=SESSION, text=True, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.read().strip() == ""
