"""What a source may be: the forms git knows, and everything that git or ssh would read as an option or a command."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vpsctl.errors import Invalid
from vpsctl.sites.sources.source import Source, at_ref, check_ref, from_document, parse_source, to_document, transport


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://github.com/acme/shop.git", "https"),
        ("https://deploy@git.example.com:8443/acme/shop", "https"),
        ("http://127.0.0.1:3000/acme/shop.git", "http"),
        ("http://[::1]:3000/acme/shop.git", "http"),
        ("ssh://git@example.com:2222/acme/shop.git", "ssh"),
        ("git@github.com:acme/shop.git", "ssh"),
        ("example.com:shop.git", "ssh"),
        ("git@[2001:db8::1]:shop.git", "ssh"),
        ("file:///srv/git/shop.git", "file"),
        ("/srv/git/shop.git", "file"),
    ],
)
def test_the_forms_of_a_git_location(location: str, expected: str) -> None:
    assert transport(Source("git", location).location) == expected


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("--upload-pack=touch /tmp/x", "starts with '-'"),
        ("-oProxyCommand=x", "starts with '-'"),
        ("ext::sh -c id", "runs commands"),
        ("fd::17", "runs commands"),
        ("::x", "runs commands"),
        ("ssh://-oProxyCommand=id/x", "read as an option"),
        ("ssh://-x@example.com/x", "read as an option"),
        ("-x@example.com:shop", "starts with '-'"),
        ("git@-oProxyCommand=id:x", "neither a path"),
        ("git://example.com/shop.git", "not one git can be asked for"),
        ("ftp://example.com/shop.git", "not one git can be asked for"),
        ("https://example.com", "not one git can be asked for"),
        ("https:///shop", "not one git can be asked for"),
        ("file://other-host/shop", "not one git can be asked for"),
        ("http://git.example.com/shop.git", "is not encrypted"),
        ("https://example.com/a\nb", "control character"),
        ("https://example.com/a%0Ahost=evil", "control character"),
        ("https://example.com:port/a", "not a URL"),
        ("https://[::1/a", "not a URL"),
        ("relative/path", "neither a path"),
        ("", "needs a directory"),
        ("/" + "x" * 2048, "needs a directory"),
    ],
)
def test_a_location_that_is_no_repository_is_refused(location: str, words: str) -> None:
    with pytest.raises(Invalid, match=words) as raised:
        Source("git", location)
    assert raised.value.hint


@pytest.mark.parametrize("rest", ["@example.com/a.git", "@example.com/a\n", "@ex%0aample.com/a", "@example.com:x/a"])
def test_a_password_in_a_url_is_refused_and_not_repeated(rest: str) -> None:
    with pytest.raises(Invalid) as raised:
        Source("git", f"https://bob:canary{rest}")
    assert "canary" not in f"{raised.value.message} {raised.value.hint}"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12))
@example("main").via("plain")
@example("feature/x.lock").via("rule")
@example("a..b").via("rule")
@example("a@{b").via("rule")
@example("@").via("rule")
@example("x.lock/y").via("rule")
@example("/a").via("rule")
@example("a//b").via("rule")
@example("a.").via("rule")
@example(".a").via("rule")
def test_refs_follow_the_rules_of_git_itself(ref: str) -> None:
    git = subprocess.run(["git", "check-ref-format", f"refs/heads/{ref}"], capture_output=True).returncode == 0
    try:
        check_ref(ref)
        ours = True
    except Invalid:
        ours = False
    # A lone "@" may be a branch for git's plumbing, and means HEAD everywhere else.
    assert ours == (git and not ref.startswith("-") and ref != "@")


@pytest.mark.parametrize(
    "ref", ["--upload-pack=x", "-", "--", "a b", "a\tb", "main\n", "a^{commit}", "HEAD~1", "x:y", "*", ""]
)
def test_a_ref_that_would_do_more_than_name_is_refused(ref: str) -> None:
    with pytest.raises(Invalid):
        Source("git", "/srv/shop.git", ref=ref)


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../../x", "-x", "", ".git", "a/.git/hooks", "a\nb"])
def test_a_subdirectory_stays_inside(path: str) -> None:
    with pytest.raises(Invalid, match="must be a path inside"):
        Source("git", "/srv/shop.git", subdirectory=path)


def test_parsing_tells_directories_from_repositories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "file").touch()
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "shop.git"], check=True)
    monkeypatch.chdir(tmp_path)
    assert parse_source("site") == Source("directory", str(tmp_path / "site"))
    assert parse_source("./shop.git") == Source("git", str(tmp_path / "shop.git"))
    assert parse_source("site", ref="main") == Source("git", str(tmp_path / "site"), "main")
    assert parse_source("git@example.com:a.git", credential="GIT_KEY").kind == "git"
    assert parse_source("file:///srv/a.git").kind == "git"
    with pytest.raises(Invalid, match=f"no directory or repository at {tmp_path}/nothing"):
        parse_source("nothing")
    with pytest.raises(Invalid, match="is not a directory"):
        parse_source("file")


def test_a_directory_takes_neither_ref_nor_credential() -> None:
    with pytest.raises(Invalid, match="has no ref to choose"):
        at_ref(Source("directory", "/srv/shop"), "main")
    with pytest.raises(Invalid, match="needs no credential"):
        Source("directory", "/srv/shop", credential="X")
    with pytest.raises(Invalid, match="is not absolute"):
        Source("directory", "shop")
    assert at_ref(Source("directory", "/srv/shop"), None) == Source("directory", "/srv/shop")


@given(
    ref=st.none() | st.sampled_from(["main", "v1.2", "feature/x"]),
    subdirectory=st.none() | st.just("apps/shop"),
    credential=st.none() | st.just("GIT_TOKEN"),
)
def test_a_stored_source_comes_back(ref: str | None, subdirectory: str | None, credential: str | None) -> None:
    source = Source("git", "https://example.com/a.git", ref, subdirectory, credential)
    assert from_document(to_document(source)) == source


@pytest.mark.parametrize(
    "document", [{}, {"kind": "git"}, {"kind": "git", "location": 1}, {"kind": "git", "location": "/a", "more": "x"}]
)
def test_a_damaged_document_is_told(document: dict[str, object]) -> None:
    with pytest.raises(Invalid, match="damaged"):
        from_document(document)


def test_a_stored_source_is_checked_again() -> None:
    with pytest.raises(Invalid, match="starts with '-'"):
        from_document({"kind": "git", "location": "/srv/a.git", "ref": "--upload-pack=x"})
