"""Paths that a site's files name: always inside the site's directory, whatever symbolic links say."""

from pathlib import Path

from vpsctl.errors import Invalid, NotFound

READ_LIMIT = 1024 * 1024
"""Bytes: a compose or env file above it is a mistake."""


def find_inside(directory: Path, relative: str, *, what: str) -> Path:
    """The real path of `relative`, which may not exist. Raises Invalid when it leads out of the directory."""
    root = directory.resolve()
    path = (root / relative).resolve()
    if not path.is_relative_to(root):
        raise Invalid(f"{what} {relative} leads outside {directory}", hint="name a path inside the site's directory")
    return path


def read_inside(directory: Path, relative: str, *, what: str) -> str:
    """The text of a small file of the site: its compose file, an env_file. Raises Invalid and NotFound."""
    path = find_inside(directory, relative, what=what)
    if not path.is_file():
        raise NotFound(f"no {what} {relative} in {directory}", hint="write it, or correct its name in compose.yaml")
    try:
        with path.open("rb") as file:
            content = file.read(READ_LIMIT + 1)
        if len(content) > READ_LIMIT:
            raise Invalid(f"{what} {relative} is larger than 1 MiB", hint="name the right file")
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"cannot read {what} {relative} in {directory}: {error}", hint="it must be UTF-8 text") from error
