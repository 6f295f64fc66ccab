"""`make quickstart`: a working vpsctl on this machine, an example site with its Postgres, and a second version deployed
while traffic runs against it. Repeating it deploys one version more."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

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


def names(*arguments: str) -> set[str]:
    return {item["name"] for item in ask(*arguments)}


def answer(url: str, host: str) -> str:
    request = urllib.request.Request(url, headers={"Host": host})  # noqa: S310  http, this machine
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        return f"{response.status} {response.read(200).decode(errors='replace').strip()}"


def main() -> None:
    subprocess.run([sys.executable, "-m", "tests.images", *IMAGES], cwd=ROOT, check=True)
    show("init")
    if PASSWORD not in names("cred", "list"):
        show("cred", "set", PASSWORD, "--generate")
    if SITE not in names("site", "list"):
        show("site", "add", EXAMPLE)
        show("deploy", SITE)
    version = len(ask("release", "list", SITE)) + 1
    show("env", "set", SITE, f"VERSION={version}")
    show("deploy", SITE, "--prove")
    show("status")
    host = f"{SITE}.localhost"
    print(f"\n$ curl http://{host}/\n{answer('http://127.0.0.1/', host)}")
    print(NEXT.format(site=SITE))


if __name__ == "__main__":
    main()
