"""What `make setup-engine` does before it starts dockerd by hand."""

import os
from pathlib import Path

import pytest

from quickstart.engine import forget_dead


@pytest.mark.parametrize(
    ("content", "program", "stays"),
    [
        (str(os.getpid()), Path(f"/proc/{os.getpid()}/comm").read_text().strip(), True),
        (str(os.getpid()), "dockerd", False),  # the number is another process's by now
        ("4194305", "dockerd", False),  # above the kernel's highest
        ("", "dockerd", True),
    ],
    ids=["alive", "another's", "ended", "empty"],  # a number in an id would differ between xdist's workers
)
def test_only_the_pid_file_of_a_dead_daemon_goes(tmp_path: Path, content: str, program: str, stays: bool) -> None:
    file = tmp_path / "docker.pid"
    file.write_text(content)
    forget_dead(file, program)
    assert file.exists() is stays
