"""Volumes, and how much they hold."""

from collections.abc import Mapping

from vpsctl.docker_engine.connection import Connection, label_filters
from vpsctl.docker_engine.decode import decode_volume
from vpsctl.docker_engine.types import Volume
from vpsctl.errors import Conflict, NotFound

SIZES_SECONDS = 300.0
"""The Engine walks every file of every volume for it."""


class Volumes(Connection):
    """Named volumes. There is no pruning, on purpose."""

    def volumes(self, labels: Mapping[str, str] | None = None) -> list[Volume]:
        with self.asking() as api:
            return [decode_volume(body) for body in api.volumes(filters=label_filters(labels))["Volumes"] or ()]

    def find_volume(self, name: str) -> Volume | None:
        try:
            with self.asking("volume", name) as api:
                return decode_volume(api.inspect_volume(name))
        except NotFound:
            return None

    def create_volume(self, name: str, *, labels: Mapping[str, str]) -> Volume:
        """The Engine answers with an existing volume of that name; Conflict when that one does not carry these labels."""
        with self.asking("volume", name) as api:
            made = decode_volume(api.create_volume(name, labels=dict(labels)))
        if any(made.labels.get(key) != value for key, value in labels.items()):
            raise Conflict(
                f"there is a volume {name} already, with other labels", hint="choose another name, or remove that one"
            )
        return made

    def remove_volume(self, name: str) -> None:
        """Raises Conflict while a container, even a stopped one, has it."""
        with self.asking("volume", name) as api:
            api.remove_volume(name)

    def volume_sizes(self) -> dict[str, int]:
        """Bytes in each volume, by name. Slow on large volumes: minutes."""
        with self.asking():
            # Engines since API 1.42 then leave out images and containers.
            found = self.request("GET", "/system/df", params={"type": "volume"}, timeout=SIZES_SECONDS).json()
        sizes = {volume["Name"]: (volume.get("UsageData") or {}).get("Size", -1) for volume in found.get("Volumes") or ()}
        return {name: size for name, size in sizes.items() if size >= 0}
