"""What a container runs, in the words of a compose file: only where it differs from its image. Pure."""

from datetime import timedelta
from typing import Any

from vpsctl.docker_engine.decode import decode_healthcheck
from vpsctl.docker_engine.types import HealthcheckSpec
from vpsctl.sites.adopt.found import Found, Sketch
from vpsctl.sites.adopt.secrecy import argument_is_secret
from vpsctl.sites.compose.names import USER

SILENT_LABELS = ("com.docker.compose.", "desktop.docker.io/", "vpsctl.")
SUPERVISION = {"": "no", "no": "no", "always": "always", "unless-stopped": "unless-stopped", "on-failure": "on-failure"}


def infer_process(found: Found, sketch: Sketch) -> None:
    """Image, program, user, directory, health check, restarts, ending and labels."""
    sketch.entries["image"] = found.reference
    if found.reference != found.container.image:
        sketch.notes.append(f"it was made from {found.container.image}, which is another image by now: named by its id")
    _program(found, sketch)
    _user(found, sketch)
    check = decode_healthcheck(found.config.get("Healthcheck"))
    if check is not None and check != found.image.healthcheck:
        sketch.entries["healthcheck"] = _healthcheck(check)
    _restart(found, sketch)
    _ending(found, sketch)
    labels = {
        key: value
        for key, value in found.container.labels.items()
        if key.isprintable() and not key.startswith(SILENT_LABELS) and found.image.labels.get(key) != value
    }
    if labels:
        sketch.entries["labels"] = labels


def _program(found: Found, sketch: Sketch) -> None:
    entrypoint = list(found.config.get("Entrypoint") or ())
    command = list(found.config.get("Cmd") or ())
    if entrypoint != list(found.image.entrypoint):
        # An image's own command goes with its own entrypoint only.
        sketch.entries["entrypoint"] = entrypoint
        if command:
            sketch.entries["command"] = command
    elif command != list(found.image.command):
        sketch.entries["command"] = command
    words = [*sketch.entries.get("entrypoint", ()), *sketch.entries.get("command", ())]
    if any(argument_is_secret(word) for word in words):
        sketch.notes.append("its command seems to hold a password, which stands here in clear: hand it over in environment")


def _user(found: Found, sketch: Sketch) -> None:
    user, directory = found.config.get("User") or "", found.config.get("WorkingDir") or ""
    if user != found.image.user:
        if USER.fullmatch(user):
            sketch.entries["user"] = user
        else:
            sketch.notes.append(f"its user {user!r} cannot be carried over")
    if directory not in (found.image.working_dir, ""):
        if directory == "/":
            sketch.notes.append("its working directory / cannot be carried over")
        else:
            sketch.entries["working_dir"] = directory


def _healthcheck(check: HealthcheckSpec) -> dict[str, Any]:
    if check.test == ("NONE",):
        return {"disable": True}
    times = {"interval": check.interval, "timeout": check.timeout, "start_period": check.start_period}
    return {
        **({"test": list(check.test)} if check.test else {}),
        **{key: duration(value) for key, value in times.items() if value is not None},
        **({"retries": check.retries} if check.retries else {}),
    }


def duration(value: timedelta) -> str:
    microseconds = value // timedelta(microseconds=1)
    return f"{microseconds}us" if microseconds % 1_000_000 else f"{microseconds // 1_000_000}s"


def _restart(found: Found, sketch: Sketch) -> None:
    """A site outlives a reboot: no policy at all becomes the one every site has."""
    policy = found.host.get("RestartPolicy") or {}
    name = SUPERVISION.get(policy.get("Name") or "", "no")
    if name == "no":
        sketch.notes.append(
            "it had no restart policy, so it does not come back after a reboot; from the next deploy on it does"
        )
    elif name != "unless-stopped":
        retries = policy.get("MaximumRetryCount") or 0
        sketch.entries["restart"] = f"{name}:{retries}" if name == "on-failure" and retries else name


def _ending(found: Found, sketch: Sketch) -> None:
    signal, seconds = found.config.get("StopSignal"), found.config.get("StopTimeout")
    if signal and signal not in (found.image.stop_signal, "SIGTERM"):
        sketch.entries["stop_signal"] = signal
    if seconds is not None and seconds >= 0:
        sketch.entries["stop_grace_period"] = f"{seconds}s"
