"""Which Dockerfiles only BuildKit can build."""

import pytest

from vpsctl.docker_engine.dockerfile import buildkit_feature


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("RUN --mount=type=cache,target=/cache npm ci", "RUN --mount=type=cache,target=/cache npm ci"),
        ("run --network=none true", "run --network=none true"),
        ("COPY --chmod=755 a b", "COPY --chmod=755 a b"),
        ("COPY --from=build --chown=1:1 --link a b", "COPY --from=build --chown=1:1 --link a b"),
        ("ADD --checksum=sha256:0 http://h/x /", "ADD --checksum=sha256:0 http://h/x /"),
        ("RUN <<EOF\ntrue\nEOF", "RUN <<EOF"),
        ("COPY <<-'END' /file\nEND", "COPY <<-'END' /file"),
        ("RUN \\\n  --mount=type=secret,id=x \\\n  cat", "RUN --mount=type=secret,id=x cat"),
        ("ARG TARGETARCH", "ARG TARGETARCH"),
        ("FROM --platform=$BUILDPLATFORM node AS build", "FROM --platform=$BUILDPLATFORM node AS build"),
    ],
)
def test_what_needs_buildkit_is_told_as_it_stands(line: str, told: str) -> None:
    assert buildkit_feature(f"FROM busybox\n{line}\nRUN true\n") == told


@pytest.mark.parametrize(
    "text",
    [
        "FROM busybox\nRUN echo --mount && cat < file\n",
        "FROM busybox\nRUN test 1 -lt $((1 << 4))\n",
        "FROM a AS b\nFROM c\nCOPY --from=b --chown=1:1 / /\n",
        "FROM busybox\n# RUN --mount=type=cache true\n",
        'FROM busybox\nENTRYPOINT ["x", "--mount"]\nCMD --mount\n',
        "# syntax=docker/dockerfile:1.7\nFROM busybox\n",
        "# escape=\\\n# syntax = docker.io/docker/dockerfile:1\nFROM busybox\n",
        "FROM --platform=linux/amd64 busybox\nARG VERSION\n",
        "",
    ],
)
def test_what_every_builder_can_build(text: str) -> None:
    assert buildkit_feature(text) is None


def test_another_frontend_needs_buildkit() -> None:
    assert buildkit_feature("# syntax=example/frontend:1\nFROM x\n") == "# syntax=example/frontend:1"
    assert buildkit_feature("FROM x\n# syntax=example/frontend:1\n") is None


def test_a_long_line_is_cut() -> None:
    assert len(buildkit_feature("RUN --mount=type=cache " + "x" * 100) or "") == 60
