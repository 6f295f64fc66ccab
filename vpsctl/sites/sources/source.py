"""Where a site's files come from: a directory of this machine or a git repository, as a validated value."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from vpsctl.errors import Invalid

Transport = Literal["https", "http", "ssh", "file"]

_SCP_LIKE = re.compile(r"(?:(?P<user>[\w.~][\w.~-]*)@)?(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][\w.-]*):(?P<path>[^:].*)")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_FORMS = "a git source is https://HOST/PATH, ssh://HOST/PATH, USER@HOST:PATH, file:///PATH or /PATH"
_STORE = "store it: vpsctl cred set GIT_TOKEN, and name it with --credential GIT_TOKEN"
_REFS = "name a branch, a tag or a commit: vpsctl deploy SITE --ref main"


@dataclass(frozen=True)
class Source:
    """Cannot be made with a location, ref or subdirectory that git would read as an option or a command.

    `ref` None is the repository's default branch; `subdirectory` is where the compose file stands, relative to the
    root; `credential` names the token (https) or the deploy key (ssh) in the vault. Raises Invalid.
    """

    kind: Literal["directory", "git"]
    location: str
    ref: str | None = None
    subdirectory: str | None = None
    credential: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("directory", "git"):
            raise Invalid(f"a source is a directory or git, not {self.kind!r}", hint="vpsctl site add --help")
        check_location(self.location)
        if self.kind == "directory":
            self._check_directory()
        else:
            transport(self.location)
        if self.ref is not None:
            check_ref(self.ref)
        if self.subdirectory is not None:
            check_subdirectory(self.subdirectory)

    def _check_directory(self) -> None:
        if not self.location.startswith("/"):
            raise Invalid(f"the directory {self.location!r} is not absolute", hint="name it from the root: /srv/shop")
        if self.ref is not None:
            raise Invalid(f"the directory {self.location} has no ref to choose", hint="use the git URL of its repository")
        if self.credential is not None:
            raise Invalid(f"the directory {self.location} needs no credential", hint="leave --credential out")


def parse_source(
    text: str, *, ref: str | None = None, subdirectory: str | None = None, credential: str | None = None
) -> Source:
    """The source that the operator typed: a path of this machine, or a git URL.

    A path is git when it is a bare repository or a ref is asked for; a directory is otherwise used in place.
    Raises Invalid.
    """
    check_location(text)
    path = Path(text).expanduser().absolute()
    if _looks_remote(text) and not path.exists():
        return Source("git", text, ref, subdirectory, credential)
    if not path.exists():
        raise Invalid(f"no directory or repository at {path}", hint=_FORMS)
    if not path.is_dir():
        raise Invalid(f"{path} is not a directory", hint="name the directory that holds compose.yaml")
    if is_bare_repository(path) or ref is not None:
        return Source("git", str(path), ref, subdirectory, credential)
    return Source("directory", str(path), ref, subdirectory, credential)


def to_document(source: Source) -> dict[str, str]:
    """The JSON form kept with the site; what is None is left out."""
    return {key: value for key, value in asdict(source).items() if value is not None}


def from_document(document: Mapping[str, Any]) -> Source:
    """A source out of its stored JSON form, checked again. Raises Invalid."""
    known = {"kind", "location", "ref", "subdirectory", "credential"}
    if not {"kind", "location"} <= set(document) <= known or not all(isinstance(value, str) for value in document.values()):
        raise Invalid("the stored source of the site is damaged", hint="add it again: vpsctl site add")
    return Source(**document)


def at_ref(source: Source, ref: str | None) -> Source:
    """The same source at another ref; None leaves it. Raises Invalid for a directory."""
    return source if ref is None else replace(source, ref=ref)


def shown(location: str) -> str:
    """The location as messages may show it: without a password that was typed into the URL."""
    return re.sub(r"(?<=://)([^/@:]*):[^/]*@", r"\1@", location)


def check_location(text: str) -> None:
    """Refuses what git or ssh would take for an option, a command or two lines."""
    if not text or len(text) > 2048:
        raise Invalid("a source needs a directory or a git URL of at most 2048 characters", hint=_FORMS)
    if text.startswith("-"):
        raise Invalid(f"the source {shown(text)!r} starts with '-', which git would read as an option", hint=_FORMS)
    if any(ord(char) < 32 or ord(char) == 127 for char in text) or re.search(r"%0[0ad]", text, re.IGNORECASE):
        raise Invalid(f"the source {shown(text)!r} holds a control character", hint=_FORMS)
    if re.match(r"[\w.+-]*::", text):
        raise Invalid(f"the source {shown(text)!r} names a git transport that runs commands", hint=_FORMS)


def transport(location: str) -> Transport:
    """How git reaches this location. Raises Invalid for a protocol we do not use, and for a password in the URL."""
    if "://" not in location:
        return _bare_transport(location)
    url = _split(location)
    if url.password is not None:
        raise Invalid(f"the source {shown(location)} holds a password", hint=_STORE)
    if url.scheme == "file" and url.netloc in ("", "localhost"):
        return "file"
    if url.scheme not in ("https", "http", "ssh") or not url.hostname or not url.path.strip("/"):
        raise Invalid(f"the source {shown(location)!r} is not one git can be asked for", hint=_FORMS)
    if url.hostname.startswith("-") or (url.username or "").startswith("-"):
        raise Invalid(f"the source {shown(location)!r} has a host that ssh would read as an option", hint=_FORMS)
    if url.scheme == "http" and url.hostname not in _LOOPBACK:
        raise Invalid(
            f"{shown(location)} is not encrypted: http is for this machine only",
            hint=f"use https://{url.hostname}{url.path}",
        )
    return "https" if url.scheme == "https" else "http" if url.scheme == "http" else "ssh"


def check_ref(ref: str) -> None:
    """Holds a branch, tag or commit to the rules of `git check-ref-format`, and never lets an option through."""
    if ref.startswith("-"):
        raise Invalid(f"the ref {ref!r} starts with '-', which git would read as an option", hint=_REFS)
    wrong = (
        not ref
        or len(ref) > 255
        or ref == "@"
        or any(ord(char) <= 32 or ord(char) == 127 or char in "~^:?*[\\" for char in ref)
        or ".." in ref
        or "@{" in ref
        or ref.endswith(".")
        or any(not part or part.startswith(".") or part.endswith(".lock") for part in ref.split("/"))
    )
    if wrong:
        raise Invalid(f"{ref!r} is not a name git gives a branch, a tag or a commit", hint=_REFS)


def check_subdirectory(text: str) -> None:
    parts = text.split("/")
    if not text or text.startswith(("/", "-")) or ".." in parts or ".git" in parts or any(ord(char) < 32 for char in text):
        raise Invalid(f"the subdirectory {text!r} must be a path inside the repository", hint="for example apps/shop")


def is_bare_repository(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()


def _looks_remote(text: str) -> bool:
    if text.startswith(("/", "./", "../", "~")):
        return False
    return "://" in text or _SCP_LIKE.fullmatch(text) is not None


def _bare_transport(location: str) -> Transport:
    if location.startswith("/"):
        return "file"
    if _SCP_LIKE.fullmatch(location):
        return "ssh"
    raise Invalid(f"the source {shown(location)!r} is neither a path from the root nor a git URL", hint=_FORMS)


def _split(location: str) -> SplitResult:
    try:
        url = urlsplit(location)
        _ = url.port, url.hostname
    except ValueError as error:
        raise Invalid(f"the source {shown(location)!r} is not a URL: {error}", hint=_FORMS) from error
    return url
