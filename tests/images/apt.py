"""Debian packages without touching the machine's own: a private apt state that reads the machine's Debian sources."""

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

LISTS_FRESH_SECONDS = 24 * 3600


class AptFailed(Exception):
    """apt could not read its sources or fetch a package; the message holds its last lines."""


@dataclass(frozen=True)
class Source:
    """One Debian archive: suites such as bookworm, bookworm-updates."""

    uri: str
    suites: tuple[str, ...]
    keyring: str

    def stanza(self) -> str:
        signed = f"Signed-By: {self.keyring}\n" if self.keyring else ""
        return f"Types: deb\nURIs: {self.uri}\nSuites: {' '.join(self.suites)}\nComponents: main\n{signed}"


def machine_sources(etc: Path = Path("/etc/apt"), release: Path = Path("/etc/os-release")) -> tuple[str, list[Source]]:
    """The machine's Debian release name and its Debian archives; repositories of others are left out."""
    match = re.search(r"^VERSION_CODENAME=(\w+)$", release.read_text(), re.MULTILINE)
    codename = match[1] if match else ""
    ours = re.compile(rf"{codename}(-updates|-security)?$")
    found: list[Source] = []
    for path in sorted([*etc.glob("sources.list.d/*.sources"), *etc.glob("sources.list.d/*.list"), etc / "sources.list"]):
        if not path.is_file():
            continue
        for source in deb822(path.read_text()) if path.suffix == ".sources" else one_line(path.read_text()):
            suites = tuple(suite for suite in source.suites if ours.match(suite))
            if suites:
                found.append(Source(source.uri, suites, source.keyring))
    if not codename or not found:
        raise AptFailed(f"no Debian archive stands in {etc}: stand-in images are made on Debian only")
    return codename, found


def deb822(text: str) -> list[Source]:
    """Sources in the stanza format; disabled ones and source packages are left out."""
    found = []
    for stanza in re.split(r"\n\s*\n", re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)):
        values = {
            key.lower(): value.strip() for key, value in re.findall(r"^(\S+):[ \t]*(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        }
        if "deb" not in values.get("types", "").split() or values.get("enabled", "yes").lower() == "no":
            continue
        keyring = values.get("signed-by", "")
        if "\n" in keyring:  # a key written out in place: apt's own keyring verifies Debian's archive too
            keyring = ""
        found += [Source(uri, tuple(values.get("suites", "").split()), keyring) for uri in values.get("uris", "").split()]
    return found


def one_line(text: str) -> list[Source]:
    """Sources in the old format: `deb [options] uri suite components`."""
    found = []
    for options, uri, suite in re.findall(r"^deb[ \t]+(?:\[([^]]*)\][ \t]+)?(\S+)[ \t]+(\S+)[ \t]", text, re.MULTILINE):
        keyring = re.search(r"signed-by=(\S+)", options)
        found.append(Source(uri, (suite,), keyring[1] if keyring else ""))
    return found


class Apt:
    """apt-get with its lists and (empty) package database under `directory`, for one Debian release."""

    def __init__(self, directory: Path, release: str) -> None:
        self.directory = directory
        self.release = release
        for name in ("sources", "state/lists/partial"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        (directory / "status").touch()

    def download(self, packages: tuple[str, ...], into: Path) -> list[Path]:
        """Fetches the packages and all they depend on, and returns their .deb files. Raises AptFailed."""
        self._update()
        (into / "partial").mkdir(parents=True)
        flags = ["-o", f"Dir::Cache::archives={into}", "-y", "--no-install-recommends", "--download-only"]
        self._run("install", *flags, *packages)
        return sorted(into.glob("*.deb"))

    def download_alone(self, packages: tuple[str, ...], into: Path) -> list[Path]:
        """Fetches these packages without what they depend on. Raises AptFailed."""
        self._update()
        into.mkdir(parents=True)
        self._run("download", *packages, cwd=into)
        return sorted(into.glob("*.deb"))

    def _update(self) -> None:
        stamp = self.directory / "updated"
        if stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_FRESH_SECONDS:
            return
        codename, sources = machine_sources()
        moved = (
            Source(source.uri, tuple(suite.replace(codename, self.release, 1) for suite in source.suites), source.keyring)
            for source in sources
        )
        (self.directory / "sources" / "debian.sources").write_text("\n".join(source.stanza() for source in moved))
        self._run("update")
        stamp.touch()

    def _run(self, *arguments: str, cwd: Path | None = None) -> None:
        options = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": self.directory / "sources",
            "Dir::State": self.directory / "state",
            "Dir::State::status": self.directory / "status",
            "Dir::Cache": self.directory,
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",
            "Acquire::http::Timeout": 20,
            "Acquire::Retries": 2,
        }
        flags = [item for key, value in options.items() for item in ("-o", f"{key}={value}")]
        command = ["apt-get", "-q", *flags, *arguments]
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(command, text=True, capture_output=True, env=environment, cwd=cwd, check=False)
        if done.returncode:
            raise AptFailed("\n".join((done.stdout + done.stderr).strip().splitlines()[-8:]))
