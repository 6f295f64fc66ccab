"""The sum of every cap against what the machine has, and whether more fits. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["foundation", "site", "other"]


@dataclass(frozen=True)
class Machine:
    cpus: int
    memory: int
    """Bytes."""


@dataclass(frozen=True)
class Cap:
    """What one container may use at most."""

    kind: Kind
    name: str
    """The site, the foundation's service, or the name of a container that is not ours."""
    memory: int | None
    """Bytes; None: no limit."""
    cpus: float | None


@dataclass(frozen=True)
class Share:
    """The caps of everything under one name together."""

    kind: Kind
    name: str
    containers: int
    memory: int
    """Bytes, of the containers that have a limit."""
    cpus: float
    uncapped: int
    """Containers without a memory limit: they may take the whole machine."""


@dataclass(frozen=True)
class Budget:
    machine: Machine
    shares: tuple[Share, ...]
    memory: int
    """Bytes: the sum of the memory limits."""
    cpus: float
    memory_left: int
    """Negative when the limits together are more than the machine has."""
    cpus_left: float
    uncapped: int


@dataclass(frozen=True)
class Fit:
    fits: bool
    reasons: tuple[str, ...]
    """One sentence for each thing there is not enough of."""


def budget(caps: Iterable[Cap], machine: Machine) -> Budget:
    """The caps grouped by who has them: the foundation first, then sites, then the rest, each by name."""
    order: dict[Kind, int] = {"foundation": 0, "site": 1, "other": 2}
    groups: dict[tuple[int, Kind, str], list[Cap]] = {}
    for cap in caps:
        groups.setdefault((order[cap.kind], cap.kind, cap.name), []).append(cap)
    shares = tuple(_share(kind, name, groups[order_, kind, name]) for order_, kind, name in sorted(groups))
    memory = sum(share.memory for share in shares)
    cpus = round(sum(share.cpus for share in shares), 3)
    return Budget(
        machine,
        shares,
        memory,
        cpus,
        machine.memory - memory,
        round(machine.cpus - cpus, 3),
        sum(share.uncapped for share in shares),
    )


def _share(kind: Kind, name: str, caps: Sequence[Cap]) -> Share:
    return Share(
        kind,
        name,
        len(caps),
        sum(cap.memory or 0 for cap in caps),
        round(sum(cap.cpus or 0.0 for cap in caps), 3),
        sum(1 for cap in caps if cap.memory is None),
    )


def fits(now: Budget, more: Sequence[Cap], *, replaces: str | None = None) -> Fit:
    """Whether `more` (a site's containers as they will be) fits beside what stands.

    `replaces` names the site whose present caps these take over. Memory counts against the sum of all limits; processor
    limits may add up to more than the machine has (time is shared), but one container's may not, as the Engine refuses it.
    """
    kept = sum(share.memory for share in now.shares if (share.kind, share.name) != ("site", replaces))
    wanted = kept + sum(cap.memory or 0 for cap in more)
    reasons = []
    if wanted > now.machine.memory:
        reasons.append(
            f"the memory limits together would be {_gib(wanted)} of the machine's {_gib(now.machine.memory)}"
            f" ({_gib(wanted - now.machine.memory)} too much)"
        )
    reasons += [
        f"{cap.name} asks for {cap.cpus:g} CPUs, the machine has {now.machine.cpus}"
        for cap in more
        if cap.cpus is not None and cap.cpus > now.machine.cpus
    ]
    return Fit(not reasons, tuple(reasons))


def _gib(count: int) -> str:
    return f"{count / 1024**3:.1f} GiB"
