"""How long reading a large compose file takes, against PyYAML's own safe_load of the same text.

Measured on 2026-11-20: 202 lines, 25 services, 26 to 31 ms against 19 to 31 ms, 1.0 to 1.35 times. The YAML is nearly all of
it; lines, interpolation, types and checks are the rest.
"""

import yaml

from tests.benchmarks.figures import interleaved, milliseconds, print_table, times
from vpsctl.sites.compose.read import read_site

ROUNDS, SERVICES = 15, 25
SERVICE = """
  worker{number}:
    image: registry.example.com/acme/worker:{number}
    command: [run, --queue, "${{QUEUE:-default}}"]
    environment: {{QUEUE: "q{number}", LEVEL: "${{LEVEL:-info}}"}}
    volumes: ["data{number}:/data"]
    restart: always
    deploy: {{resources: {{limits: {{memory: 64M, cpus: "0.1"}}}}}}
"""


def main() -> None:
    services = "".join(SERVICE.format(number=number) for number in range(SERVICES))
    volumes = ", ".join(f"data{number}: {{}}" for number in range(SERVICES))
    text = f"services:{services}volumes: {{{volumes}}}\nx-vpsctl: {{web: false}}\n"
    peer = "yaml.safe_load"
    found = interleaved(
        {peer: lambda: yaml.safe_load(text), "read_site": lambda: read_site(text, variables={}, site="shop")}, ROUNDS
    )
    rows = [(name, milliseconds(seconds), times(seconds, found[peer])) for name, seconds in found.items()]
    print_table(f"a compose file of {len(text.splitlines())} lines, {SERVICES} services", ("", "median", "ratio"), rows)


if __name__ == "__main__":
    main()
