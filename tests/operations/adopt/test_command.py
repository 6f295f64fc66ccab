"""`vpsctl site adopt` as it is typed: what it prints, and that a secret is in none of it."""

import json
import subprocess
import sys

from tests.operations.adopt.conftest import Stranger


def vpsctl(stranger: Stranger, *words: str) -> subprocess.CompletedProcess[str]:
    settings = stranger.app.settings
    environment = {
        "PATH": "/usr/bin:/bin",
        "VPSCTL_HOME": str(settings.home),
        "VPSCTL_INSTANCE": settings.instance,
        "VPSCTL_HTTP_PORT": str(settings.http_port),
        "VPSCTL_HTTPS_PORT": str(settings.https_port),
        "VPSCTL_DOCKER_HOST": settings.docker_host,
    }
    command = [sys.executable, "-c", "from vpsctl.cli.main import main; main()", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_dry_run_then_the_real_one_then_a_second(stranger: Stranger) -> None:
    web = stranger.run("app", environment={"API_KEY": "never-shown"}, restart="always", memory=64 * 1024**2)
    wish = stranger.wish(web)
    words = ("site", "adopt", web.name, "--name", wish.name, "--domain", wish.domains[0], "--port", "3000")
    tried = vpsctl(stranger, *words, "--dry-run")
    assert (tried.returncode, tried.stderr) == (0, "")
    assert "API_KEY: ${API_KEY}" in tried.stdout and f"route {wish.domains[0]} to {web.name}:3000" in tried.stdout
    done = vpsctl(stranger, *words, "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)["data"]
    assert (data["site"], data["web"], data["domains"]) == (wish.name, web.name, list(wish.domains))
    assert data["compose"] in tried.stdout + "\n"
    again = vpsctl(stranger, *words)
    assert again.returncode == 4 and again.stderr.startswith(f"error: there is a site named {wish.name} already"), (
        again.stderr
    )
    assert "never-shown" not in "".join(run.stdout + run.stderr for run in (tried, done, again))
