"""`make quickstart`: a working vpsctl on this machine, an example site with its Postgres, and a second version deployed
while traffic runs against it. Repeating it deploys one version more."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from vpsctl.settings import load_settings

ROOT = Path(__file__).parent.parent
VPSCTL = ROOT / ".venv" / "bin" / "vpsctl"
SITE = "notes"
EXAMPLE = f"examples/{SITE}"
PASSWORD = "DB_PASSWORD"  # noqa: S105  the credential's name
IMAGES = ("caddy:2-alpine", "postgres:15-alpine", "redis:7-alpine", "node:22-alpine")

NEXT = """
What to type next (or put .venv/bin on your PATH and drop the prefix):
  .venv/bin/vpsctl status                       the machine and its sites
  .venv/bin/vpsctl logs {site} -f                what the site prints
  .venv/bin/vpsctl rollback {site}               back to the version before
  .venv/bin/vpsctl run list                     every deploy, its steps and timings
  .venv/bin/vpsctl site new shop --template business
  .venv/bin/vpsctl site remove {site}            take the example away again
"""


def show(*arguments: str) -> None:
    """Runs one command as the operator would, and ends here when it fails: its own words stand above."""
    print(f"\n$ vpsctl {' '.join(arguments)}", flush=True)
    code = subprocess.run([VPSCTL, *arguments], cwd=ROOT, check=False).returncode
    if code:
        print(
            f"\nquickstart: vpsctl {arguments[0]} ended with exit code {code}; mend that and repeat make quickstart",
            file=sys.stderr,
        )
        raise SystemExit(code)


def ask(*arguments: str) -> Any:
    """The `data` of a command's JSON."""
    done = subprocess.run([VPSCTL, *arguments, "--json"], cwd=ROOT, text=True, capture_output=True, check=False)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        raise SystemExit(done.returncode)
    return json.loads(done.stdout)["data"]


def answer(port: int, host: str) -> str:
    """What the site says through Caddy, in one line."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return f"{response.status} {response.reason}, {len(response.read())} bytes of {response.headers['Content-Type']}"
    except OSError as error:
        print(f"quickstart: {host} does not answer: {error}. See: vpsctl doctor", file=sys.stderr)
        raise SystemExit(1) from error


def main() -> None:
    subprocess.run([sys.executable, "-m", "tests.images", *IMAGES], cwd=ROOT, check=True)
    show("init")
    if PASSWORD not in {item["name"] for item in ask("cred", "list")}:
        show("cred", "set", PASSWORD, "--generate")
    sites = {item["name"]: item for item in ask("site", "list")}
    if SITE not in sites:
        show("site", "add", EXAMPLE)
    elif sites[SITE]["source"] != str(ROOT / EXAMPLE):
        show("site", "move", SITE, EXAMPLE)  # it was added from another clone, which may be gone
    if not sites.get(SITE, {}).get("release"):
        show("deploy", SITE)
    version = max(item["number"] for item in ask("release", "list", SITE)) + 1
    show("env", "set", SITE, f"VERSION={version}")
    show("deploy", SITE, "--prove")
    show("status")
    port = load_settings().http_port
    address = f"{SITE}.localhost" + ("" if port == 80 else f":{port}")
    print(f"\n$ curl http://{address}/\n{answer(port, address)}")
    print(NEXT.format(site=SITE))


if __name__ == "__main__":
    main()
