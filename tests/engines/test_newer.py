"""The engine suite once more, against a newer Docker Engine, where one can be had."""

import os
import re
import subprocess
import sys

import pytest

from tests.engines.newer import NotHad, newer_engine
from tests.images.apt import AptFailed
from tests.images.standin import Unsupported
from tests.project.sources import ROOT

SUITE = "tests/contract/docker_engine"


@pytest.mark.timeout(600)
def test_the_engine_suite_holds_on_a_newer_engine() -> None:
    try:
        with newer_engine() as engine:
            command = [*engine.inside, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", SUITE]
            environment = {**os.environ, "DOCKER_HOST": engine.address}
            done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)
    except (NotHad, AptFailed, Unsupported) as error:
        pytest.skip(f"no second Docker Engine can be had here: {error}")
    assert done.returncode == 0, done.stdout[-6000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) > 100
