"""The limits a container runs under and what keeps it apart, in the words of a compose file. Pure."""

import re
from collections.abc import Callable
from typing import Any

from vpsctl.sites.adopt.found import Found, Sketch
from vpsctl.sites.containers import DEFAULT_CPUS, DEFAULT_MEMORY, DEFAULT_PIDS

MIB = 1024**2
DEFAULT_SHM = 64 * MIB
LOG_DRIVERS = ("json-file", "local", "journald", "syslog", "gelf", "fluentd", "splunk", "awslogs", "gcplogs", "none")
_KEPT_OPTION = re.compile(r"(?:label|apparmor)[:=][A-Za-z0-9_.:/-]+|seccomp[:=]unconfined|no-new-privileges[:=]false")
_GAINED = re.compile(r"no-new-privileges(?:[:=]true)?")
_LOST: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("CapAdd", "added capabilities", bool),
    ("Devices", "devices", bool),
    ("DeviceRequests", "devices (GPUs)", bool),
    ("Dns", "its own DNS servers", bool),
    ("DnsSearch", "DNS search domains", bool),
    ("Sysctls", "sysctls", bool),
    ("GroupAdd", "added groups", bool),
    ("CpusetCpus", "the choice of CPUs", bool),
    ("CgroupParent", "its parent cgroup", bool),
    ("OomKillDisable", "the exemption from the out-of-memory killer", bool),
    ("UsernsMode", "its user namespace", bool),
    ("UTSMode", "its UTS namespace", bool),
    ("Runtime", "its runtime", lambda value: value not in ("", "runc", None)),
    ("PidMode", "another container's processes", lambda value: bool(value) and value != "host"),
    ("IpcMode", "another container's memory", lambda value: str(value).startswith("container:")),
)


def infer_isolation(found: Found, sketch: Sketch) -> None:
    _limits(found, sketch)
    _namespaces(found, sketch)
    _security(found, sketch)
    _logging(found, sketch)
    host = found.host
    if host.get("ReadonlyRootfs"):
        sketch.entries["read_only"] = True
    if host.get("Init"):
        sketch.entries["init"] = True
    if host.get("CapDrop"):
        sketch.entries["cap_drop"] = list(host["CapDrop"])
    if host.get("ExtraHosts"):
        sketch.entries["extra_hosts"] = list(host["ExtraHosts"])
    if (host.get("ShmSize") or DEFAULT_SHM) != DEFAULT_SHM:
        sketch.entries["shm_size"] = size(host["ShmSize"])
    ulimits = {item["Name"]: {"soft": item["Soft"], "hard": item["Hard"]} for item in host.get("Ulimits") or ()}
    if ulimits:
        sketch.entries["ulimits"] = ulimits
    lost = [words for key, words, matters in _LOST if matters(host.get(key))]
    lost += ["its terminal"] if found.config.get("Tty") else []
    sketch.notes.extend(f"cannot be carried over: {words}" for words in lost)


def _limits(found: Found, sketch: Sketch) -> None:
    """A container without limits gets those of every site, and more memory where it uses more already."""
    memory, nano = found.container.memory, found.container.nano_cpus
    limits: dict[str, Any] = {"memory": size(memory or _roomy(found.usage)), "cpus": _cpus(nano)}
    pids = found.host.get("PidsLimit")
    if pids and pids > 0 and pids != DEFAULT_PIDS:
        limits["pids"] = pids
    resources: dict[str, Any] = {"limits": limits}
    reserved = found.host.get("MemoryReservation")
    if reserved:
        resources["reservations"] = {"memory": size(reserved)}
    sketch.entries["deploy"] = {"resources": resources}
    if memory is None:
        sketch.notes.append(
            f"it had no memory limit and uses {found.usage // MIB} MiB: {limits['memory']} from the next deploy on"
        )
    if nano is None:
        sketch.notes.append(f"it had no CPU limit: {limits['cpus']} CPUs from the next deploy on")


def _roomy(usage: int) -> int:
    """Twice what it uses, in steps of 64 MiB, and no less than every service has."""
    return max(DEFAULT_MEMORY, -(-usage * 2 // (64 * MIB)) * 64 * MIB)


def size(count: int) -> str:
    return f"{count // MIB}M" if count % MIB == 0 else str(count)


def _cpus(nano: int | None) -> str:
    cores = max(nano / 1e9, 0.01) if nano else DEFAULT_CPUS
    return f"{cores:.3f}".rstrip("0").rstrip(".")


def _namespaces(found: Found, sketch: Sketch) -> None:
    host = found.host
    if host.get("Privileged"):
        sketch.entries["privileged"] = True
        sketch.notes.append('it is privileged, which needs allow = ["privileged"] in the settings')
    for key, mode in (("network_mode", "NetworkMode"), ("pid", "PidMode"), ("ipc", "IpcMode")):
        if host.get(mode) == "host":
            sketch.entries[key] = "host"
            sketch.notes.append(f'{key}: host needs allow = ["host_namespaces"] in the settings')
    if host.get("NetworkMode") == "none":
        sketch.entries["network_mode"] = "none"


def _security(found: Found, sketch: Sketch) -> None:
    options = list(found.host.get("SecurityOpt") or ())
    if found.host.get("Privileged") or "host" in (found.host.get("PidMode"), found.host.get("IpcMode")):
        options = [item for item in options if item != "label=disable"]  # the Engine's own addition for these
    kept = [item for item in options if _KEPT_OPTION.fullmatch(item)]
    if kept:
        sketch.entries["security_opt"] = kept
    lost = {re.split("[:=]", item)[0] for item in options if item not in kept and not _GAINED.fullmatch(item)}
    sketch.notes.extend(f"cannot be carried over: its {name} profile" for name in sorted(lost))


def _logging(found: Found, sketch: Sketch) -> None:
    logging = found.host.get("LogConfig") or {}
    driver, options = logging.get("Type") or "json-file", logging.get("Config") or {}
    if driver not in LOG_DRIVERS:
        sketch.notes.append(f"cannot be carried over: the log driver {driver}")
    elif driver != "json-file" or options:
        sketch.entries["logging"] = {"driver": driver, **({"options": dict(options)} if options else {})}
