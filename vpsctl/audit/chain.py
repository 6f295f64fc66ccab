"""The audit chain, judged row by row: which rows are not as they were written. Pure."""

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from vpsctl.audit.record import head_mac, is_sealed, row_mac
from vpsctl.db.models import Audit, AuditHead

MANY = 1000
"""Problems that are told one by one; what goes beyond is counted."""
TRIES = 50_000
"""Codes made to find out where moved rows came from: about a second's work."""
COPIED = ("at", "actor", "door", "origin", "action", "target", "fields", "run_id", "previous", "mac")


@dataclass(frozen=True)
class Problem:
    row: int
    kind: str
    """changed, missing, added, moved or cut (off the end)."""
    told: str
    through: int
    """The last row that this is about: `row` itself but for missing, cut and older ones."""
    anchored: bool = False
    """Only what was known before tells it: by itself the trail is whole there."""


@dataclass(frozen=True)
class Known:
    """Where the trail ended when it was last found whole."""

    last: int
    mac: bytes
    at: datetime


def is_genuine(key: bytes, row: Audit) -> bool:
    """Whether a row is, by itself, one that vpsctl wrote at that place."""
    try:
        return row.mac is not None and hmac.compare_digest(row.mac, row_mac(key, row))
    except RecursionError:  # fields nested deeper than vpsctl could have written them
        return False


class Walk:
    """One look along the chain: `step` for each row above `head.earlier` in the order of ids, then `finish`.

    What a row was is vouched for by its successor, and the last one by the head, which has a seal: of two genuine rows
    that do not fit each other, the earlier one is the wrong one. Needs memory for `MANY` broken rows, not for all.
    """

    def __init__(self, key: bytes, head: AuditHead, digest: bytes, known: Known | None) -> None:
        self.last = head.earlier
        """The highest row that belongs to the trail."""
        self.untold = 0
        self._key, self._head, self._digest, self._known = key, head, digest, known
        self._sealed = is_sealed(key, head)
        self._end = head.last if self._sealed else None
        self._mac, self._genuine = digest, True
        self._broken: dict[int, Audit] = {}
        self._problems: list[Problem] = []
        self._older_told = False

    def step(self, row: Audit) -> None:
        genuine = is_genuine(self._key, row)
        if self._end is not None and row.id > self._end:
            self._beyond(row, genuine=genuine)
            return
        if row.id > self.last + 1:
            self._tell(_span(self.last + 1, row.id - 1, "missing", "is missing", "are missing"))
        elif genuine and self._genuine and row.previous != self._mac:
            self._blame(f"row {row.id}, which was written after it")
        if not genuine:
            self._keep(row)
        elif self._known and row.id == self._known.last and row.mac != self._known.mac:
            told = f"row {row.id} is not the one that stood there on {_day(self._known)}: {ANEW}"
            self._problems.append(Problem(row.id, "changed", told, row.id, anchored=True))
        self.last, self._mac, self._genuine = row.id, row.mac or b"", genuine
        if not self._sealed and self._head.seal == head_mac(self._key, row.id, self._mac):
            self._end = row.id

    def before_first(self, row_id: int) -> None:
        """A row below 1, where no trail begins."""
        self._tell(_one(row_id, "added", "stands before the first row, and vpsctl did not write it"))

    def finish(self) -> list[Problem]:
        """Everything that is wrong, by row."""
        if self._digest != self._head.earlier_digest:
            self._older("audit_head has another digest of them")
        self._check_end()
        self._check_known()
        gone = [place for problem in self._problems if problem.kind in ("missing", "cut") for place in _places(problem)]
        places = [*self._broken, *gone[:MANY]]
        tries = TRIES // max(1, len(self._broken))
        broken = [_judged(self._key, row, places, tries, self._end) for row in self._broken.values()]
        return sorted([*self._problems, *broken], key=lambda problem: (problem.row, problem.kind))

    def _beyond(self, row: Audit, *, genuine: bool) -> None:
        if genuine:
            self._tell(_one(row.id, "added", f"{_beyond(self._end)}; vpsctl wrote it, so audit_head was set back"))
        else:
            self._keep(row)

    def _check_end(self) -> None:
        head = self._head
        if self._end is None:
            if not (self._known and self._known.last > self.last):
                told = f"{HEAD}: rows may have been cut off after row {self.last}"
                self._problems.append(Problem(self.last + 1, "cut", told, self.last + 1))
        elif not self._sealed:
            told = f"{HEAD}: its seal is that of row {self._end}"
            self._problems.append(Problem(self._end, "changed", told, self._end))
        elif self.last < self._end:
            self._problems.append(_span(self.last + 1, self._end, "cut", "was cut off the end", "were cut off the end"))
        elif self._genuine and self._mac != head.mac:
            self._blame("the end of the trail (audit_head), which names another one")

    def _check_known(self) -> None:
        known, earlier = self._known, self._head.earlier
        if known is None:
            return
        end = max(self.last, self._end or 0)
        if known.last > end:
            told = f"the trail ends at row {end}, and on {_day(known)} it had {known.last}"
            self._problems.append(Problem(end + 1, "cut", told, known.last, anchored=True))
        elif known.last < earlier or (known.last == earlier and known.mac != self._digest):
            self._older(f"on {_day(known)} the chain was another one", anchored=True)

    def _blame(self, successor: str) -> None:
        """The row before: genuine, but not what its genuine successor says."""
        if self.last == self._head.earlier:
            self._older(f"their digest does not fit {successor}")
        else:
            self._tell(_one(self.last, "changed", f"is vpsctl's own, but does not fit {successor}: {ANEW}"))

    def _older(self, why: str, *, anchored: bool = False) -> None:
        """Once: which of them it is cannot be told."""
        earlier = self._head.earlier
        told = (
            f"the rows up to {earlier}, older than the chain, are not as they were: {why}" if earlier else f"{HEAD}: {why}"
        )
        if not self._older_told:
            self._problems.append(Problem(min(1, earlier), "changed", told, earlier, anchored))
        self._older_told = True

    def _keep(self, row: Audit) -> None:
        if len(self._broken) < MANY:
            self._broken[row.id] = row
        else:
            self.untold += 1

    def _tell(self, problem: Problem) -> None:
        if len(self._problems) < MANY:
            self._problems.append(problem)
        else:
            self.untold += 1


ANEW = "an older copy was put there, or the trail was set back and written on"
HEAD = "audit_head was changed behind vpsctl's back"


def _judged(key: bytes, row: Audit, places: Iterable[int], tries: int, end: int | None) -> Problem:
    origin = _origin(key, row, places, tries)
    if origin is not None:
        return _one(row.id, "moved", f"holds what vpsctl wrote as row {origin}")
    if end is not None and row.id > end:
        return _one(row.id, "added", f"{_beyond(end)}, and vpsctl did not write it")
    return _one(row.id, "changed", "is not as vpsctl wrote it")


def _origin(key: bytes, row: Audit, places: Iterable[int], tries: int) -> int | None:
    """The id with which this row would be genuine, of the nearest `places`."""
    copy = Audit(**{name: getattr(row, name) for name in COPIED})
    for place in islice(sorted(places, key=lambda place: abs(place - row.id)), tries):
        copy.id = place
        if is_genuine(key, copy):
            return place
    return None


def _places(problem: Problem) -> Iterator[int]:
    yield from range(problem.row, min(problem.through, problem.row + MANY) + 1)


def _one(row: int, kind: str, told: str) -> Problem:
    return Problem(row, kind, f"row {row} {told}", row)


def _span(first: int, last: int, kind: str, one: str, many: str) -> Problem:
    told = f"row {first} {one}" if first == last else f"rows {first} to {last} {many}"
    return Problem(first, kind, told, last)


def _beyond(end: int | None) -> str:
    return f"stands beyond the end of the trail, which is row {end}"


def _day(known: Known) -> str:
    return f"{known.at:%Y-%m-%d}"
