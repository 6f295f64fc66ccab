"""What a Dockerfile asks of the builder: pure."""

import re

_CONTINUED = re.compile(r"\\[ \t]*\n")
_FEATURES = re.compile(
    r"""^[ \t]*(?:
        RUN\s+--\w                                            # mounts, networks, security modes
      | (?:RUN|COPY|ADD)\s[^\n]*?<<-?["']?\w                   # heredocs
      | (?:COPY|ADD)\s+(?:--(?:from|chown)=\S+\s+)*--(?!from=|chown=)\w
      | ARG\s+(?:TARGET|BUILD)(?:PLATFORM|OS|ARCH|VARIANT)\b  # set by BuildKit, empty elsewhere
      | FROM\s+--platform=\$
    )[^\n]*""",
    re.MULTILINE | re.IGNORECASE | re.VERBOSE,
)
_SYNTAX = re.compile(r"\A(?:\s*#[^\n]*\n)*?\s*#\s*syntax\s*=\s*(\S+)", re.I)


def buildkit_feature(text: str) -> str | None:
    """What in a Dockerfile the Engine's own builder cannot do, as written there; None when it can do all of it.

    The line `# syntax=docker/dockerfile:…` alone does not count: to the Engine's builder it is a comment, and most
    files that carry it use nothing else. Another frontend than Docker's does.
    """
    syntax = _SYNTAX.match(text)
    if syntax and not re.match(r"(?:docker\.io/)?docker/dockerfile\b", syntax[1]):
        return f"# syntax={syntax[1]}"
    found = _FEATURES.search(_CONTINUED.sub(" ", text))
    return " ".join(found[0].split())[:60] if found else None
