"""`debug` in the settings is `--debug` on every command."""

from pathlib import Path

import pytest

from vpsctl.cli.main import run


@pytest.mark.parametrize("said", ["true", "false"])
def test_the_setting_shows_tracebacks(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'home = "{tmp_path / "home"}"\ndebug = {said}\n')
    monkeypatch.setenv("VPSCTL_CONFIG", str(config))
    assert run(["site", "list"]) == 5
    assert ("Traceback" in capsys.readouterr().err) is (said == "true")
