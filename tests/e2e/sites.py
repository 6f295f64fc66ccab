"""Sites for these tests: the examples with their waits shortened, and one of busybox that waits in the step `start`."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import httpx

EXAMPLES = Path(__file__).parents[2] / "examples"
PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
"""Begins as a PNG does, which is what the example looks at."""
SLOW = """
name: slow
services:
  web:
    image: busybox:latest
    command: [sh, -c, "mkdir /www; echo $$VERSION >/www/index.html; exec httpd -f -p 8000 -h /www"]
    environment: &environment {VERSION: "${VERSION:-1}"}
    depends_on: {warm: {condition: service_healthy}}
    init: true
    deploy: {resources: {limits: {memory: 32M}}}
  warm:
    image: busybox:latest
    command: [sh, -c, "sleep $$WARM_UP; touch /tmp/warm; exec sleep 86400"]
    environment: {VERSION: "${VERSION:-1}", WARM_UP: "${WARM_UP:-0}"}
    healthcheck: {test: [CMD, test, -f, /tmp/warm], interval: 200ms, timeout: 5s, retries: 300}
    init: true
    deploy: {resources: {limits: {memory: 32M}}}
x-vpsctl:
  web: {service: web, port: 8000, domains: [slow.localhost], tls: off}
  healthcheck: {interval: 200ms}
  update: {bake: 300ms, drain_timeout: 5s, deploy_timeout: 60s}
"""


def copy_example(name: str, target: Path, replaced: Mapping[str, str] = {}) -> Path:
    """A copy of an example whose compose file is changed as its operator might: shorter bakes, and what `replaced` says."""
    shutil.copytree(EXAMPLES / name, target)
    text = (target / "compose.yaml").read_text()
    for old, new in {"bake: 5s": "bake: 300ms", **replaced}.items():
        assert old in text
        text = text.replace(old, new)
    (target / "compose.yaml").write_text(text)
    return target


def write_slow(target: Path) -> Path:
    target.mkdir()
    (target / "compose.yaml").write_text(SLOW)
    return target


def form(**fields: str | bytes) -> tuple[bytes, dict[str, str]]:
    """A filled in form as a browser sends it: body and headers. Bytes are an uploaded file."""
    texts = {key: value for key, value in fields.items() if isinstance(value, str)}
    files = {key: (f"{key}.png", value, "image/png") for key, value in fields.items() if isinstance(value, bytes)}
    request = httpx.Request("POST", "http://form/", data=texts, files=files or None)
    body = request.read()
    return body, {"Content-Type": request.headers["Content-Type"], "Content-Length": str(len(body))}
