"""What another tool's document holds, as credentials: named, guessed, or refused with a reason. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from vpsctl.credentials.exchange.guess import guess_kind
from vpsctl.credentials.name import NAME
from vpsctl.errors import Invalid
from vpsctl.secret import Secret

MOST_TOLD = 8
"""Entries that a message names before it counts the rest."""


@dataclass(frozen=True)
class Found:
    """One credential of a document, ready to be stored."""

    name: str
    value: Secret
    kind: str
    guessed: bool = True
    """Whether `kind` is our guess from the value; our own exports know it."""
    source: str = ""
    """Where it stands in the document, as people write it: "db.password"."""
    project: str | None = None
    description: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
    rotate_every: int | None = None


@dataclass(frozen=True)
class Leaf:
    """One entry of a document: its path, and its text or what it is instead ("a number")."""

    path: tuple[str, ...]
    value: Secret | str


def leaves(document: Any, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every entry of a document made of objects and what JSON has besides."""
    if isinstance(document, Mapping) and (document or not path):
        for key, item in document.items():
            yield from leaves(item, (*path, str(key)))
    elif isinstance(document, str):
        yield Leaf(path, Secret(document) if document else "is empty")
    else:
        yield Leaf(path, document.reason if isinstance(document, Unusable) else _what(document))


@dataclass(frozen=True)
class Unusable:
    """What stands in a document in place of a text, and why it cannot be taken: "is a date"."""

    reason: str


def choose(entries: Iterable[Leaf], only: Sequence[str] = ()) -> tuple[Found, ...]:
    """The credentials that these entries make: names joined with `_` and upper-cased (db.password: DB_PASSWORD).

    `only`: no others, by the names they get here. Raises Invalid naming each entry that is no text or has no possible
    name, and each name that two of them would have: then nothing is taken.
    """
    named: dict[str, list[Leaf]] = {}
    for leaf in entries:
        named.setdefault("_".join(leaf.path).upper(), []).append(leaf)
    wanted = {name: named[name] for name in only if name in named} if only else named
    problems = [f"there is no {name}" for name in dict.fromkeys(only) if name not in named]
    problems += [problem for name, found in wanted.items() for problem in _problems(name, found)]
    if problems:
        raise _refusal(problems, named)
    if not wanted:
        raise Invalid("there is nothing in it to import", hint="give a file that holds NAME=value, or JSON")
    return tuple(_found(name, items[0]) for name, items in wanted.items())


def _found(name: str, leaf: Leaf) -> Found:
    assert isinstance(leaf.value, Secret)  # `_problems` told the others
    return Found(name, leaf.value, guess_kind(leaf.value), source=shown(leaf.path))


def shown(path: Sequence[str]) -> str:
    """A path as people write it, on one line and not too long."""
    text = ascii(".".join(path))[1:-1]
    return text if len(text) <= 80 else f"{text[:77]}..."


def _problems(name: str, found: Sequence[Leaf]) -> Iterator[str]:
    if len(found) > 1:
        yield f"{' and '.join(shown(leaf.path) for leaf in found[:3])} would all be {shown([name])}"
        return
    leaf = found[0]
    if not NAME.fullmatch(name):
        yield f"{shown(leaf.path) or 'an empty name'} cannot be a credential's name"
    elif isinstance(leaf.value, str):
        yield f"{shown(leaf.path)} {leaf.value}"


def _refusal(problems: Sequence[str], named: Mapping[str, Sequence[Leaf]]) -> Invalid:
    more = [f"and {len(problems) - MOST_TOLD} more"] if len(problems) > MOST_TOLD else []
    good = [name for name, items in named.items() if not list(_problems(name, items))]
    told = " ".join(f"--only {name}" for name in good[:MOST_TOLD]) + (" …" if len(good) > MOST_TOLD else "")
    hint = f"correct that, or take the others: {told}" if good else "correct that"
    return Invalid(f"nothing was imported: {'; '.join([*problems[:MOST_TOLD], *more])}", hint=hint)


def _what(value: object) -> str:
    if isinstance(value, bool):
        return "is true or false, not a text"
    if isinstance(value, int | float):
        return "is a number, not a text"
    if value is None:
        return "has no value"
    return "is a list, not a text" if isinstance(value, list) else "is an empty object, not a text"
