"""Asks the advisory service about every locked dependency (pip-audit), in bounded time.

Fails on a known vulnerability. Where the service cannot be reached it says so and passes: no answer is not a finding.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements" / "dev.txt"
SECONDS = 120


def main() -> int:
    program = Path(sys.executable).parent / "pip-audit"
    command = [str(program), "--requirement", str(LOCK), "--require-hashes", "--disable-pip"]
    environment = dict(os.environ)
    if "PIP_CERT" in environment:
        environment.setdefault("REQUESTS_CA_BUNDLE", environment["PIP_CERT"])
    try:
        done = subprocess.run(
            [*command, "--format", "json", "--progress-spinner", "off", "--timeout", "10"],
            capture_output=True,
            text=True,
            env=environment,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        print(f"audit: NOT AUDITED, the advisory service did not answer within {SECONDS} s")
        return 0
    if not done.stdout.strip():
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        print(f"audit: NOT AUDITED, the advisory service cannot be reached: {reason}")
        return 0
    return report(json.loads(done.stdout)["dependencies"])


def report(dependencies: list[dict[str, Any]]) -> int:
    findings = [(item, found) for item in dependencies for found in item.get("vulns", ())]
    for item, found in findings:
        fixed = ", ".join(found["fix_versions"]) or "no version yet"
        print(f"audit: {item['name']} {item['version']}: {found['id']}, mended in {fixed}")
    unknown = [item["name"] for item in dependencies if "skip_reason" in item]
    if len(unknown) == len(dependencies):
        print(f"audit: NOT AUDITED, the advisory service answers for none of the {len(unknown)} dependencies")
        return 0
    if unknown:
        print(f"audit: not audited, because the advisory service does not know them: {', '.join(unknown)}")
    print(f"audit: {len(dependencies) - len(unknown)} dependencies audited, {len(findings)} known vulnerabilities")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
