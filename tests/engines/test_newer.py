"""The engine suite once more, against a newer Docker Engine, where one can be had."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.newer import NotHad, newer_engine
from tests.images.apt import AptFailed
from tests.images.standin import Unsupported
from tests.project.sources import ROOT

SUITE = "tests/contract/docker_engine"


SECONDS = 400


@pytest.mark.timeout(SECONDS + 100)
def test_the_engine_suite_holds_on_a_newer_engine(tmp_path: Path) -> None:
    # a file and not a pipe: what a test leaves behind cannot keep this one waiting
    log = tmp_path / "log"
    try:
        with newer_engine() as engine, log.open("w") as output:
            command = [*engine.inside, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", SUITE]
            environment = {**os.environ, "DOCKER_HOST": engine.address}
            code = subprocess.run(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=SECONDS
            ).returncode
    except (NotHad, AptFailed, Unsupported) as error:
        pytest.skip(f"no second Docker Engine can be had here: {error}")
    except subprocess.TimeoutExpired:
        pytest.fail(f"the suite did not end within {SECONDS} s: {log.read_text()[-3000:]}")
    said = log.read_text()
    assert code == 0, said[-6000:]
    passed = re.search(r"(\d+) passed", said)
    assert passed
    assert int(passed[1]) > 100
