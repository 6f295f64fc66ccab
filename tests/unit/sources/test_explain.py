"""What git's words become: one error class and one sentence each."""

import pytest

from vpsctl.errors import Failed, Invalid, NotFound, Unavailable, VpsctlError
from vpsctl.secret import Secret
from vpsctl.sites.sources.explain import explain
from vpsctl.sites.sources.source import Source

X = "fatal: unable to access '…': "
HTTPS = Source("git", "https://example.com/a.git")
SSH = Source("git", "git@example.com:a.git", credential="ACME_KEY")


@pytest.mark.parametrize(
    ("source", "words", "kind", "message", "hint"),
    [
        (HTTPS, "remote: Invalid username or token.\nfatal: Authentication failed for 'https://example.com/a.git/'", Invalid,
         "did not accept us without a credential", "cred set GIT_TOKEN"),
        (HTTPS, "fatal: could not read Username for 'https://example.com': terminal prompts disabled", Invalid,
         "did not accept", "--credential GIT_TOKEN"),
        (HTTPS, X + "The requested URL returned error: 403", Invalid, "did not accept", "GIT_TOKEN"),
        (SSH, "git@example.com: Permission denied (publickey).\nfatal: Could not read from remote repository.", Invalid,
         "did not accept the credential ACME_KEY", "cred set ACME_KEY"),
        (SSH, "Host key verification failed.\nfatal: Could not read from remote repository.", Invalid,
         "another key", "known_hosts"),
        (HTTPS, "remote: Repository not found.\nfatal: repository 'https://example.com/a.git/' not found", NotFound,
         "no repository at https://example.com/a.git", "GIT_TOKEN"),
        (HTTPS, X + "Could not resolve host: example.com", Unavailable,
         "cannot reach https://example.com/a.git: unable to access '…': Could not resolve host", "network"),
        (SSH, "ssh: connect to host example.com port 22: Connection timed out\nfatal: Could not read", Unavailable,
         "ssh: connect to host example.com port 22", "network"),
        (HTTPS, X + "The requested URL returned error: 502", Unavailable, "cannot reach", "network"),
        (HTTPS, X + "server certificate verification failed.", Unavailable, "certificate", "network"),
        (HTTPS, "error: unable to write file: No space left on device", Failed, "no space is left", "doctor"),
        (HTTPS, "fatal: detected dubious ownership in repository at '/x'", Invalid, "another user", "chown"),
        (HTTPS, "fatal: transport 'ftp' not allowed", Invalid, "transport that is not allowed", "https or ssh"),
        (HTTPS, "fatal: something new", Failed, "git could not read https://example.com/a.git: something new", "ls-remote"),
        (HTTPS, "", Failed, "no reason given", "ls-remote"),
    ],
)  # fmt: skip
def test_each_failure_has_its_class_and_hint(
    source: Source, words: str, kind: type[VpsctlError], message: str, hint: str
) -> None:
    error = explain(source, words)
    assert type(error) is kind
    assert message in error.message
    assert hint in error.hint


def test_a_secret_in_the_words_is_not_repeated() -> None:
    assert "canary" not in explain(HTTPS, "fatal: odd canary words", (Secret("canary"),)).message


def test_braces_in_the_words_are_only_words() -> None:
    assert explain(HTTPS, "fatal: a {place} and {0}").message.endswith("a {place} and {0}")
