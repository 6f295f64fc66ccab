"""What a kind of credential is: its fields, what a test of it needs, and the functions that know its text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One of the parts that a value is made of."""

    name: str
    secret: bool = True
    optional: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind. Its functions take and give bare text, and raise Invalid with a sentence that never quotes it."""

    name: str
    title: str
    check: Callable[[str], str]
    """Any accepted form to the canonical text, which it leaves as it is."""
    fields: tuple[Field, ...] = ()
    any_fields: bool = False
    """Whether a value names its own fields."""
    split: Callable[[str], Mapping[str, str]] | None = None
    """Canonical text to its fields, for kinds that have any."""
    join: Callable[[Mapping[str, str]], str] | None = None
    """Fields to a text that `check` takes."""
    details: tuple[str, ...] = ()
    """Keys of `details` that `cred test` reads; none of them is secret."""
    make: Callable[[str | None], str] | None = None
    """The old text, if there is one, to a new value; None for kinds that somebody else makes."""
    instead: str = ""
    """Where `make` is None: what to do."""
