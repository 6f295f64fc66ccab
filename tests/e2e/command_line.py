"""vpsctl as its operator meets it: a process, its exit code, and what it prints."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VPSCTL = str(Path(sys.executable).with_name("vpsctl"))


def here() -> list[str]:
    """No argv before the command: it runs on this machine."""
    return []


@dataclass(frozen=True)
class CommandLine:
    """One installation's command line, with an environment that holds nothing of the tests' own."""

    config: Path
    inside: Callable[[], list[str]] = here

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONDONTWRITEBYTECODE") if name in os.environ}
        return {**kept, "HOME": str(self.config.parent), "LANG": "C.UTF-8", "VPSCTL_CONFIG": str(self.config)}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*self.inside(), VPSCTL, *words],
            env=self.environment(),
            cwd=self.config.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.inside(), VPSCTL, *words],
            env=self.environment(),
            cwd=self.config.parent,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def done(self, *words: str, stdin: str = "") -> str:
        """What it prints on stdout; it must succeed."""
        result = self.run(*words, stdin=stdin)
        assert result.returncode == 0, f"vpsctl {' '.join(words)}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout

    def data(self, *words: str, stdin: str = "") -> Any:
        """The `data` of its JSON; it must succeed, and print nothing else."""
        document = json.loads(self.done(*words, "--json", stdin=stdin))
        assert list(document) == ["data"]
        return document["data"]


def refusal(process: "subprocess.Popen[str]", *codes: int, seconds: float = 120) -> str:
    """What a command under way says when it fails: in a sentence with a hint, and with one of these exit codes."""
    stdout, stderr = process.communicate(timeout=seconds)
    assert process.returncode in codes, f"{process.returncode}\n{stdout}{stderr}"
    assert "Traceback" not in stderr
    assert "\nhint:  " in stderr, stderr
    return stderr[stderr.index("error: ") :]


def write_settings(path: Path, **values: str | int) -> Path:
    """A config.toml."""
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
    return path
