"""`${VAR}` in every form of the specification; the table was compared with what Docker Compose 2.26 makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.compose.reading import app, refused, service, site
from vpsctl.errors import Invalid
from vpsctl.secret import Secret
from vpsctl.sites.compose.read import env_files, variables_wanted
from vpsctl.variables.interpolate import Filled, fill, parse_template, wanted

VARIABLES = {"SET": "x", "EMPTY": "", "HOST": "db.internal"}


def interpolate(text: str, variables: dict[str, str | Secret]) -> Filled:
    def missing(name: str, said: str) -> Invalid:
        return Invalid(f"{name} missing {said}")

    return fill(parse_template(text, "here"), variables, missing)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("$SET", "x"),
        ("${SET}", "x"),
        ("a${SET}b$SET-c", "axbx-c"),
        ("${UNSET:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${SET:-d}", "x"),
        ("${UNSET-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${SET-d}", "x"),
        ("${UNSET:-}", ""),
        ("${SET:?e}", "x"),
        ("${SET?e}", "x"),
        ("${EMPTY?e}", ""),
        ("${SET:+r}", "r"),
        ("${EMPTY:+r}", ""),
        ("${UNSET:+r}", ""),
        ("${SET+r}", "r"),
        ("${EMPTY+r}", "r"),
        ("${UNSET+r}", ""),
        ("${UNSET:-${SET}}", "x"),
        ("${UNSET:-${ALSO:-c}d}e", "cde"),
        ("${UNSET:-a-b?c:+d}", "a-b?c:+d"),
        ("${UNSET:-http://$HOST:80/}", "http://db.internal:80/"),
        ('${UNSET:-{"a": {"b": 1}}}', '{"a": {"b": 1}}'),
        ("${SET:+{}}", "{}"),
        ("${SET:-${NOWHERE}}", "x"),
        ("${SET+a}b}", "ab}"),
        ("$$", "$"),
        ("$$SET", "$SET"),
        ("$$$SET", "$x"),
        ("$${SET}", "${SET}"),
        ("${UNSET:-a$$b}", "a$b"),
        ("${UNSET-$${B}}", "${B}"),
        ("pa$5word$", "pa$5word$"),
        ("$-$ $é", "$-$ $é"),
        ("}{", "}{"),
        ("${set}", "lower"),
    ],
)
def test_a_template_comes_to(template: str, expected: str) -> None:
    assert interpolate(template, {**VARIABLES, "set": "lower"}).text == expected


@pytest.mark.parametrize("template", ["$UNSET", "${UNSET}", "${UNSET:?}", "${UNSET?e}", "${EMPTY:?e}", "${UNSET:-$ALSO}"])
def test_a_variable_without_a_value_is_an_error(template: str) -> None:
    with pytest.raises(Invalid):
        interpolate(template, dict(VARIABLES))


def test_what_a_value_says_is_never_a_template_again() -> None:
    assert interpolate("$A${UNSET:-$A}", {"A": "${B} $$ $C }"}).text == "${B} $$ $C }${B} $$ $C }"


def test_what_a_value_says_is_never_yaml() -> None:
    values = ("a: b", "[1, 2]", "- x\n- y", "*alias", "null", "yes", "'", "# no", "{}")
    for value in values:
        assert service("environment: {A: $V}\nlabels: {l: $V}", {"V": value}).environment == {"A": value}
        assert service("labels: {l: $V}", {"V": value}).labels == {"l": value}


def test_an_error_says_what_the_file_says_and_not_what_a_variable_holds() -> None:
    error = refused(app("environment: {A: '${UNSET:?because of $CANARY}'}"), {"CANARY": Secret("hunter2hunter2")})
    assert error.message.endswith("UNSET has no value: because of $CANARY")


def test_nesting_has_an_end() -> None:
    assert interpolate("${A:-" * 20 + "x" + "}" * 20, {}).text == "x"
    with pytest.raises(Invalid, match="nested deeper"):
        interpolate("${A:-" * 5000 + "}" * 5000, {})


# A secret in environment, and nowhere else.

CANARY = Secret("canary-7f3a")


@pytest.mark.parametrize(
    ("template", "secret"),
    [
        ("$S", True),
        ("a${S}b", True),
        ("${UNSET:-$S}", True),
        ("${S:-d}", True),
        ("${SET}", False),
        ("${S:+set}", False),
        ("${SET:-$S}", False),
        ("$$S", False),
    ],
)
def test_a_value_with_a_credential_in_it_is_secret(template: str, secret: bool) -> None:
    value = service(f"environment: {{A: '{template}'}}", {"S": CANARY, "SET": "x"}).environment["A"]
    assert isinstance(value, Secret) is secret
    if isinstance(value, Secret):
        assert "canary-7f3a" in value.reveal()
        assert "canary" not in f"{value} {value!r}"


ELSEWHERE = [
    ("image: ${S}", "image"),
    ("command: run ${S}", "command"),
    ("command: [run, '${S}']", "command[1]"),
    ("labels: {a: $S}", "labels.a"),
    ("labels: [a=$S]", "labels.a"),
    ("ports: ['$S']", "ports[0]"),
    ("volumes: ['$S:/a']", "volumes[0]"),
    ("healthcheck: {test: curl $S}", "healthcheck.test"),
    ("working_dir: $S", "working_dir"),
    ("user: $S", "user"),
    ("read_only: $S", "read_only"),
    ("mem_limit: $S", "mem_limit"),
    ("deploy: {replicas: $S}", "deploy.replicas"),
    ("restart: $S", "restart"),
    ("logging: {options: {tag: $S}}", "logging.options.tag"),
    ("extra_hosts: ['$S:1.1.1.1']", "extra_hosts[0]"),
    ("networks: [$S]", "networks[0]"),
    ("depends_on: [$S]", "depends_on[0]"),
    ("stop_grace_period: $S", "stop_grace_period"),
]


@pytest.mark.parametrize(("body", "path"), ELSEWHERE, ids=[row[1] for row in ELSEWHERE])
def test_a_credential_anywhere_else_is_refused(body: str, path: str) -> None:
    text = app(body).replace("    image: busybox\n", "") if body.startswith("image") else app(body)
    error = refused(text, {"S": CANARY})
    line = 4 if body.startswith("image") else 5
    expected = f"compose.yaml: services.app.{path}, line {line}: S is a credential: it may stand only in environment"
    assert error.message == expected
    assert "canary" not in error.hint


def test_a_credential_in_the_intent_or_a_build_argument_is_refused() -> None:
    message = "S is a credential: it may stand only in environment"
    assert message in refused(app(rest="x-vpsctl: {web: {port: 80, domains: [$S]}}"), {"S": CANARY}).message
    assert message in refused(app(rest="x-vpsctl: {pre_deploy: {command: [a, $S]}}"), {"S": CANARY}).message
    for argument in ("A: $S", "S: "):
        build = f"name: a\nservices: {{app: {{build: {{args: {{{argument}}}}}}}}}"
        assert message in refused(build, {"S": CANARY}).message


def test_the_hint_names_the_command() -> None:
    granted = "x-vpsctl: {secrets: [DB_PASSWORD]}"
    body = "environment: {A: $DB_PASSWORD}"
    assert refused(app(body, granted)).hint == "vpsctl cred set DB_PASSWORD"
    both = "vpsctl env set shop DB_PASSWORD=VALUE, or: vpsctl cred set DB_PASSWORD"
    assert refused(app(body)).hint == both
    assert refused(app(body), site="other").hint == both.replace("shop", "other")


# What the file asks for.


def test_variables_wanted() -> None:
    text = app(
        """
        environment:
          A: ${REQUIRED} ${DEFAULTED:-$NESTED} ${ERROR:?no $UNREAD} $$ESCAPED
          BARE:
        labels: ["a=$PLAIN", "b=${BOTH:-x}", "c=${BOTH}"]
        volumes: ["${DIR-data}:/data"]
        """,
        """
  built:
    build: {args: [ARGUMENT, VERSION=1]}
    environment: [LISTED, SET=1]
  off:
    image: ${OFF}
    profiles: [dev]
volumes: {data: {external: true, name: "${VOLUME:+x}"}}
x-other: {a: $UNUSED}
x-vpsctl: {web: {service: app, port: $PORT}, secrets: [GRANTED, {name: ALSO_GRANTED, services: [app]}]}
""",
    )
    optional = {"DEFAULTED", "NESTED", "DIR", "VOLUME"}
    required = {"REQUIRED", "ERROR", "BARE", "PLAIN", "BOTH", "ARGUMENT", "LISTED", "PORT", "GRANTED", "ALSO_GRANTED"}
    wants = variables_wanted(text)
    assert wants == {name: name in optional for name in optional | required}
    assert site(text, {name: "80" for name in required | {"DEFAULTED", "VOLUME"}}).services["app"].labels["a"] == "80"


def test_env_files() -> None:
    text = app(
        "env_file: ./a.env",
        """
  two:
    image: b
    env_file:
      - config/../b.env
      - {path: c.env, required: false}
      - a.env
  off: {image: b, env_file: d.env, profiles: [dev]}
""",
    )
    assert env_files(text) == ("a.env", "b.env", "c.env")
    assert env_files(app()) == ()


@given(st.text(max_size=60) | st.text("$${}:-?+ABab1_ ", max_size=60))
def test_interpolation_raises_nothing_but_invalid(text: str) -> None:
    try:
        template = parse_template(text, "here")
        filled = interpolate(text, {"A": "1", "B": Secret("2")})
    except Invalid:
        return
    assert {name for name, _ in wanted(template)} >= set(filled.credentials)
    if "$" not in text:
        assert filled.text == text


@given(st.text())
def test_doubling_the_dollars_keeps_any_text(text: str) -> None:
    assert interpolate(text.replace("$", "$$"), {}) == Filled(text)
