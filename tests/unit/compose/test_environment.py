"""`environment` and env files: values arrive as they were written, whatever YAML or a shell would make of them."""

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.compose.reading import app, refused, service
from vpsctl.errors import Invalid
from vpsctl.secret import Secret
from vpsctl.sites.compose.read import read_site
from vpsctl.variables.dotenv import parse_dotenv

AS_WRITTEN = [
    "true", "yes", "no", "on", "off", "y", "1.0", "1.10", "012", "0x10", "0o14", "1_000", "1e3", "22:22", "190:20:30",
    "2001-01-01", ".inf", "-.5", "+1", "100000000000000000000", "=", "<<", "10000000.0", "a#b", "it's", 'say "hi"',
]  # fmt: skip


@pytest.mark.parametrize("value", AS_WRITTEN)
def test_a_plain_value_arrives_as_written(value: str) -> None:
    assert service(f"environment:\n  A: {value}").environment == {"A": value}
    assert service(f"environment:\n  - A={value}").environment == {"A": value}


def test_the_map_and_the_list() -> None:
    assert service("environment: {A: a, B: '', C: 'x=y'}").environment == {"A": "a", "B": "", "C": "x=y"}
    assert service("environment: [A=a, B=, 'C=x=y', 'D= e ']").environment == {"A": "a", "B": "", "C": "x=y", "D": " e "}
    assert service("environment:").environment == {}
    assert service("environment: {discovery.type: single-node}").environment == {"discovery.type": "single-node"}


def test_a_bare_name_takes_the_variable_of_that_name() -> None:
    variables: dict[str, str | Secret] = {"A": "1", "B": Secret("2")}
    for body in ("environment: [A, B]", "environment: {A: , B: null}", "environment: {A: ~, B: }"):
        environment = service(body, variables).environment
        assert environment == {"A": "1", "B": Secret("2")}
        assert isinstance(environment["B"], Secret)


def test_a_variable_cannot_move_the_border_between_name_and_value() -> None:
    assert service("environment: ['A=${V}']", {"V": "x=y\nB=z"}).environment == {"A": "x=y\nB=z"}
    assert "is not a variable's name" in refused(app("environment: ['${V}=1']"), {"V": "A"}).message


def test_block_scalars_keep_their_lines() -> None:
    environment = service("environment:\n  KEY: |\n    -----BEGIN-----\n    a b\n  FOLDED: >-\n    a\n    b\n").environment
    assert environment == {"KEY": "-----BEGIN-----\na b\n", "FOLDED": "a b"}


def test_a_value_that_no_container_can_take_is_refused() -> None:
    assert "longer than 131000 bytes" in refused(app("environment: {A: $V}"), {"V": "é" * 70_000}).message
    for bad in ("a\0b", "\ud800"):
        error = refused(app("environment: {A: $V}"), {"V": Secret(f"canary{bad}")})
        assert "services.app.environment.A, line 5: holds a NUL" in error.message
        assert "canary" not in error.message
    assert "NUL" in refused(app("labels: {A: $V}"), {"V": "a\0b"}).message


# Surrogates and NUL cannot stand in an environment; everything else must arrive.
values = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=200)


@given(values, st.sampled_from(["'", '"', "|", ">", None]), st.booleans())
@example("${A} $$ `id` $(id) \"'\\\n\t\r\u2028\u0085\ufeff€🐘", None, True)
@example("  leading\n\n trailing  \n", "|", True)
@example("yes", None, False)
@example("# no comment", ">", False)
def test_any_text_arrives_unchanged(value: str, style: str | None, unicode: bool) -> None:
    # PyYAML writes these three as they are, though to its own reader they end a line.
    unicode = unicode and not set(value) & set("\x85\u2028\u2029")
    escaped = value.replace("$", "$$")
    document = {
        "name": "shop",
        "services": {
            "app": {"image": "busybox", "environment": {"A": escaped}, "command": ["run", escaped]},
            "listed": {"image": "busybox", "environment": [f"A={escaped}"], "labels": {"note": escaped}},
        },
    }
    text = yaml.safe_dump(document, default_style=style, allow_unicode=unicode)
    services = read_site(text, variables={}).services
    assert services["app"].environment == {"A": value}
    assert services["listed"].environment == {"A": value}
    assert services["app"].command == ("run", value)
    assert services["listed"].labels == {"note": value}


@given(values)
def test_any_variable_arrives_unchanged(value: str) -> None:
    body = "environment: {A: '$V', B: '<${V}>', C: }"
    environment = service(body, {"V": value, "C": Secret(value)}).environment
    assert environment == {"A": value, "B": f"<{value}>", "C": Secret(value)}


# env files


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1", {"A": "1"}),
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("A=1\r\nB='x'\r\n", {"A": "1", "B": "x"}),
        ("\ufeffA=1", {"A": "1"}),
        ("# comment\n\n  # another\nA=1 # rest\n", {"A": "1"}),
        ("A=a#b #c", {"A": "a#b"}),
        ("A=#fff", {"A": "#fff"}),
        ("A=", {"A": ""}),
        ("A = spaced \n", {"A": "spaced"}),
        ("export A=1\n export  B=2\nexport=3", {"A": "1", "B": "2", "export": "3"}),
        ("A: 1", {"A": "1"}),
        ("A.b-c=1", {"A.b-c": "1"}),
        ("A='$B ${ \\n # \"'", {"A": '$B ${ \\n # "'}),
        ("A='it\\'s'", {"A": "it's"}),
        ('A="a\\tb\\nc\\"d\\\\e\\$f\\q"  # rest', {"A": 'a\tb\nc"d\\e$f\\q'}),
        ('A="one\ntwo\n"\nB=3', {"A": "one\ntwo\n", "B": "3"}),
        ("A='one\ntwo'\nB=3", {"A": "one\ntwo", "B": "3"}),
        ("A=x\nB=$A-${A}-${C:-d}", {"A": "x", "B": "x-x-d"}),
        ('A=x\nB="<$A>"', {"A": "x", "B": "<x>"}),
        ("B=$FROM", {"B": "outside"}),
        ("FROM=file\nB=$FROM", {"FROM": "file", "B": "outside"}),
        ("A=a$$b", {"A": "a$b"}),
        ("A=a$5b$", {"A": "a$5b$"}),
        ('A=say "hi" it\'s', {"A": 'say "hi" it\'s'}),
        ("A=a\\nb", {"A": "a\\nb"}),
        ("A=1\nA=2", {"A": "2"}),
        ("FROM\nA=1", {"FROM": "outside", "A": "1"}),
        ("", {}),
        ("\n\n", {}),
    ],
)
def test_an_env_file_says(text: str, expected: dict[str, str]) -> None:
    values = parse_dotenv(text, "a.env", {"FROM": "outside"})
    assert {name: value.reveal() for name, value in values.items()} == expected


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("canary", 1, "the variable that stands there alone has no value"),
        ("A=1\ncan ary", 2, "this is not NAME=value"),
        ("=canary", 1, "this is not NAME=value"),
        ("A='x\ny'\nB='canary", 3, "a quote is not closed"),
        ("\n\nB=\"canary\\\"", 3, "a quote is not closed"),
        ("A='x'canary", 1, "something follows the closing quote"),
        ("A=hunter$canary", 1, "names a variable that has no value"),
        ("A=${canary", 1, "begins a ${…} that is none"),
        ("A=${canary!}", 1, "begins a ${…} that is none"),
        ("A=${B:?canary}", 1, "names a variable that has no value"),
        ("A= # canary", 1, "is this # a comment or the value"),
    ],
)  # fmt: skip
def test_an_env_file_is_refused_by_line_and_shows_nothing_of_it(text: str, line: int, words: str) -> None:
    error = refused(app("env_file: conf/a.env"), files={"conf/a.env": text})
    assert error.message.startswith(f"conf/a.env, line {line}: ")
    assert words in error.message
    assert "canary" not in error.message + error.hint
    assert "canary" not in str(error.__cause__) + (str(error.__context__) if not error.__suppress_context__ else "")


def test_env_files_lie_under_environment_and_over_each_other() -> None:
    body = "env_file: [a.env, {path: ./b.env, required: false}, {path: no.env, required: false}]\nenvironment: {C: own}"
    environment = service(body, files={"a.env": "A=a\nB=a\nC=a", "b.env": "B=b\nC=b"}).environment
    assert environment == {"A": Secret("a"), "B": Secret("b"), "C": "own"}


@given(values.filter(lambda value: not value.endswith("\\")))
def test_single_quotes_keep_any_text_of_an_env_file(value: str) -> None:
    value = value.replace("\\", "/")
    quoted = value.replace("'", "\\'")
    assert parse_dotenv(f"A='{quoted}'\nB=1", "a.env", {})["A"].reveal() == value


@given(st.text("AB=:'\"\\ \n\r\t#${}x-", max_size=40), st.text(max_size=40))
def test_any_env_file_gives_values_or_invalid(text: str, more: str) -> None:
    try:
        values = parse_dotenv(text + more, "a.env", {"A": "1"})
    except Invalid as error:
        assert error.message.startswith("a.env, line ")
    else:
        assert all(isinstance(value, Secret) for value in values.values())
