"""Files to import: opened with what opens them, and every refusal names the file and no value."""

import sys
from pathlib import Path

import pyrage  # type: ignore[import-untyped]
import pytest

from vpsctl.age import encrypt_to
from vpsctl.credentials.exchange.read import Keys, read_credentials_file
from vpsctl.errors import Failed, Invalid, NotFound
from vpsctl.secret import Secret

SOPS = Path(__file__).parent / "sops"
KEY = Secret((SOPS / "key.txt").read_text())
# Stands for the sops program, which Debian does not have: it takes the arguments that the real one (3.11) was seen to
# take, and prints what that printed.
PROGRAM = """#!{python}
import json, sys
assert sys.argv[1:5] == ["-d", "--input-type", "dotenv", "--output-type"] and sys.argv[5] == "json", sys.argv
assert sys.argv[6:] == ["/dev/stdin"], sys.argv
assert sys.stdin.read() == open({document!r}).read()
if {fails}:
    sys.exit("Input string hunter22 does not match sops' data format")
print(json.dumps({{"DB_PASSWORD": "hunter22", "MULTI": "a\\nb", "HOST_unencrypted": "db.example.com", "EMPTY": ""}}))
"""


def program_text(*, fails: bool) -> str:
    return PROGRAM.format(python=sys.executable, fails=fails, document=str(SOPS / "document.env"))


@pytest.fixture
def sops_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "bin"
    directory.mkdir()
    program = directory / "sops"
    program.write_text(program_text(fails=False))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))
    return program


def found(path: Path, *only: str, keys: Keys | None = None, form: str | None = None) -> dict[str, str]:
    items = read_credentials_file(path, form=form, only=only, keys=keys or Keys())
    return {item.name: item.value.reveal() for item in items}


def test_a_plain_file_and_a_format_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text('A={"B": "c"}')
    assert found(path) == {"A": '{"B": "c"}'}
    with pytest.raises(Invalid, match=f"{path}: it is not JSON"):
        found(path, form="json")
    with pytest.raises(Invalid, match="there is no format 'xml'"):
        found(path, form="xml")


def test_a_file_within_age_is_opened_first(tmp_path: Path) -> None:
    key = pyrage.x25519.Identity.generate()
    path = tmp_path / "x.age"
    path.write_bytes(encrypt_to(b"A=hunter22\n", recipients=[str(key.to_public())]))
    assert found(path, keys=Keys(identities=[Secret(str(key))])) == {"A": "hunter22"}
    with pytest.raises(Invalid, match=f"{path}: it is encrypted by age") as caught:
        found(path)
    assert "--identity FILE" in caught.value.hint
    with pytest.raises(Failed, match="none of the identities opens it"):
        found(path, keys=Keys(identities=[KEY]))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no file"):
        found(tmp_path / "nosuch")
    with pytest.raises(Invalid, match="Is a directory"):
        found(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Invalid, match="binary: it is not UTF-8 text"):
        found(tmp_path / "binary")


@pytest.mark.parametrize("name", ["document.json", "document.yaml", "document.env"])
def test_a_sops_document_is_opened_with_an_identity(name: str) -> None:
    keys = Keys(identities=[KEY])
    only = "DB_PASSWORD"
    assert found(SOPS / name, only, keys=keys) == {only: "p:ä\nx" if name.endswith("yaml") else "hunter22"}
    with pytest.raises(Invalid, match=f"{name}: nothing was imported: .* is not encrypted in it|and 7 more"):
        found(SOPS / name, keys=keys)


def test_without_an_identity_the_sops_program_opens_it(sops_program: Path) -> None:
    assert found(SOPS / "document.env", "DB_PASSWORD", "MULTI") == {"DB_PASSWORD": "hunter22", "MULTI": "a\nb"}
    with pytest.raises(Invalid, match="HOST_unencrypted is not encrypted in it; EMPTY is empty"):
        found(SOPS / "document.env")


def test_what_the_program_says_of_a_failure_is_not_repeated(sops_program: Path) -> None:
    sops_program.write_text(program_text(fails=True))
    with pytest.raises(Failed, match=r"document.env: sops could not open it \(exit code 1\)") as caught:
        found(SOPS / "document.env")
    assert "hunter22" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


def test_without_the_program_and_an_identity_it_says_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Invalid, match="it is encrypted by sops, and there is nothing to open it with"):
        found(SOPS / "document.json")
