"""What containers use now, and the processes in them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from vpsctl.docker_engine.connection import POOL, Connection
from vpsctl.docker_engine.decode import decode_stats
from vpsctl.docker_engine.types import Stats
from vpsctl.errors import NotFound


class Usage(Connection):
    """Measured, not remembered."""

    def stats(self, refs: Sequence[str], *, at_once: bool = False) -> list[Stats]:
        """One sample of each that runs, in the order given; the others are left out.

        The Engine takes two samples a second apart for the CPU, so it asks for all of them at the same time:
        about 2 s for 30 containers, where one after the other takes 50 s. `at_once` takes one sample, which says
        nothing of the CPU.
        """
        if not refs:
            return []
        with ThreadPoolExecutor(max_workers=min(len(refs), POOL), thread_name_prefix="stats") as pool:
            samples = pool.map(lambda ref: self._sample(ref, one_shot=at_once), refs)
            return [sample for sample in samples if sample is not None]

    def _sample(self, ref: str, *, one_shot: bool) -> Stats | None:
        try:
            with self.asking("container", ref) as api:
                return decode_stats(api.stats(ref, stream=False, one_shot=one_shot))
        except NotFound:
            return None

    def top(self, ref: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """The titles and the rows of its processes, seen from the machine. Raises Conflict when it does not run."""
        with self.asking("container", ref) as api:
            found = api.top(ref)
        return tuple(found["Titles"]), [tuple(row) for row in found["Processes"] or ()]
