"""Who may do what: the whole table, and that no limit ever adds a right."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpsctl.users.rights import PERMISSIONS, ROLES, SCOPES, Access, beyond, in_words, may, may_anywhere

TABLE = """
permission        viewer operator admin everywhere
read              yes    yes      yes   no
logs              yes    yes      yes   no
deploy            no     yes      yes   no
operate           no     yes      yes   no
backup            no     yes      yes   no
pipeline          no     yes      yes   no
credential.use    no     yes      yes   no
restore           no     no       yes   no
exec              no     no       yes   no
site.write        no     no       yes   no
project.write     no     no       yes   no
credential.write  no     no       yes   no
credential.reveal no     no       yes   no
audit.read        no     no       yes   yes
user.write        no     no       yes   yes
key.write         no     no       yes   yes
host.write        no     no       yes   yes
"""
"""`everywhere`: only by a role on the whole machine."""
PLACES = [None, "acme", "globex", "nobody-grants-this"]
ROLE = st.sampled_from([None, *ROLES, "root", "Admin", ""])
PERMISSION = st.sampled_from([*PERMISSIONS, "", "everything", "user", "credential", "*"])
SCOPE = st.sampled_from([*SCOPES, "all", "*", ""])
ACCESS = st.builds(
    Access,
    user=st.just("anna"),
    role=ROLE,
    grants=st.dictionaries(st.sampled_from(["acme", "globex"]), ROLE.map(lambda role: role or "none")),
    scopes=st.none() | st.frozensets(SCOPE),
    project=st.sampled_from(PLACES),
)


def rows() -> list[list[str]]:
    return [line.split() for line in TABLE.strip().splitlines()[1:]]


def said(value: bool) -> str:
    return "yes" if value else "no"


def test_the_table_is_what_is_written_here() -> None:
    found = [
        [name, *(said(may(Access("anna", role), name)) for role in ROLES), said(PERMISSIONS[name].machine_wide)]
        for name in PERMISSIONS
    ]
    assert found == rows()


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_grant_holds_in_its_project_alone(row: list[str]) -> None:
    name, *answers, machine_wide = row
    for role, answer in zip(ROLES, answers, strict=True):
        granted = Access("anna", None, {"acme": role})
        assert said(may(granted, name, "acme")) == ("no" if machine_wide == "yes" else answer)
        assert not may(granted, name, "globex")
        assert not may(granted, name)


def test_a_role_on_the_machine_holds_in_every_project_and_a_grant_can_only_raise_it() -> None:
    operator = Access("anna", "operator", {"acme": "viewer", "globex": "admin"})
    assert may(operator, "deploy", "acme")
    assert may(operator, "deploy", "another")
    assert may(operator, "restore", "globex")
    assert not may(operator, "restore", "acme")


@given(ACCESS, st.sampled_from(["", "everything", "Read", "read ", "*", "user", "credential"]), st.sampled_from(PLACES))
def test_what_nobody_knows_nobody_may(access: Access, permission: str, project: str | None) -> None:
    assert not may(access, permission, project)


@given(PERMISSION, st.sampled_from(PLACES), st.sampled_from(["root", "Admin", "admins", "", "owner"]))
def test_an_unknown_role_or_scope_gives_nothing(permission: str, project: str | None, role: str) -> None:
    assert not may(Access("anna", role, {"acme": role}), permission, project)
    assert not may(Access("anna", "admin", scopes=frozenset({"all", "*", ""})), permission, project)
    assert not may(Access("anna", "admin", scopes=frozenset()), permission, project)


@given(ACCESS, PERMISSION, st.sampled_from(PLACES), st.frozensets(SCOPE), st.sampled_from(["acme", "globex"]))
def test_no_limit_adds_a_right(
    access: Access, permission: str, project: str | None, scopes: frozenset[str], only: str
) -> None:
    fewer = scopes if access.scopes is None else access.scopes & scopes
    limited = [replace(access, scopes=fewer)]
    if access.project is None:
        limited += [replace(access, project=only), replace(access, scopes=fewer, project=only)]
    for narrower in limited:
        assert may(access, permission, project) or not may(narrower, permission, project)


@given(ACCESS, PERMISSION, st.sampled_from(PLACES), ROLE)
def test_a_lowered_role_never_adds_a_right(access: Access, permission: str, project: str | None, role: str | None) -> None:
    rank = {None: 0, "viewer": 1, "operator": 2, "admin": 3}
    if rank.get(role, 0) <= rank.get(access.role, 0):
        assert may(access, permission, project) or not may(replace(access, role=role), permission, project)


@given(ACCESS, PERMISSION)
def test_a_token_of_one_project_does_nothing_elsewhere(access: Access, permission: str) -> None:
    limited = replace(access, project="acme")
    assert not may(limited, permission)
    assert not may(limited, permission, "globex")


@given(ACCESS, PERMISSION)
def test_may_anywhere_is_one_of_the_places(access: Access, permission: str) -> None:
    places = [None, "acme", "globex", "nobody-grants-this"]
    assert may_anywhere(access, permission) == any(may(access, permission, place) for place in places)


def test_every_scope_is_about_a_permission_of_its_name_and_every_permission_has_one() -> None:
    assert sorted(SCOPES) == sorted(PERMISSIONS)
    for scope, permissions in SCOPES.items():
        assert scope in permissions
        assert permissions <= set(PERMISSIONS)
        assert permissions - {scope} <= {"read", "logs"}


def test_a_scope_is_beyond_whoever_has_not_all_of_it() -> None:
    operator = Access("anna", None, {"acme": "operator"})
    assert beyond(operator, "deploy") == ()
    assert beyond(operator, "restore") == ("restore",)
    assert beyond(operator, "user.write") == ("user.write",)
    assert beyond(Access("anna", None), "deploy") == ("deploy", "logs", "read")
    assert beyond(replace(operator, project="globex"), "read") == ("read",)
    assert beyond(Access("anna", "admin"), "user.write") == ()
    assert beyond(Access("anna", "admin", project="acme"), "user.write") == ("user.write",)
    with pytest.raises(KeyError):
        beyond(operator, "all")


def test_the_words_are_those_of_what_one_may() -> None:
    access = Access("anna", "viewer", {"acme": "admin"})
    assert in_words(access) == ("see what there is and its state, never a secret value", "read logs")
    assert "restore backups over what is there" in in_words(access, "acme")
    assert "read the audit trail" not in in_words(access, "acme")
    assert in_words(Access("anna", None)) == ()
