"""`make engine26`: runs the second Engine until Ctrl-C, and prints how to use it."""

import signal
import sys

import docker

from tests.engines.newer import NotHad, newer_engine
from tests.images.apt import AptFailed


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with newer_engine() as engine:
            client = docker.DockerClient(engine.address)
            version = client.version()
            client.close()
            print(
                f"Docker Engine {version['Version']} (API {version['ApiVersion']}) runs until Ctrl-C. In another terminal:"
            )
            enter = " ".join(engine.inside)
            print(f"  DOCKER_HOST={engine.address} {enter} .venv/bin/pytest tests/contract/docker_engine", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except (NotHad, AptFailed) as error:
        print(f"engines: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
