"""Each class of error, for each command that can meet it: the exit code, one sentence, one hint; JSON the same."""

import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.cli.commands import LINES, line
from tests.cli.conftest import NOWHERE, Answer, MakeDirectory, Vpsctl
from tests.e2e.command_line import VPSCTL, CommandLine
from vpsctl.app import App
from vpsctl.cli import output
from vpsctl.errors import Conflict, Failed, Invalid, NotFound, Unavailable, VpsctlError

OF_SITES = [name for name, arguments in LINES.items() if "{site}" in arguments]
NO_LEDGER = ("init", "doctor", "status", "budget", "container")
# "token check" first asks for a token, which nobody types here; a recovery kit is read on any machine
LEDGER = [
    name
    for name in LINES
    if name.split()[0] not in NO_LEDGER and name not in ("token check", "recovery-kit show", "key restore")
]
WITHOUT_LEDGER = ("site new", "logs", "exec", "proxy show", "key providers")


def check(answer: Answer, code: int, sentence: str, hint: str = "") -> None:
    assert answer.code == code, answer
    assert sentence in answer.sentence
    assert hint in answer.hint


@pytest.mark.parametrize("command", OF_SITES)
def test_a_site_that_is_not_there(cli: Vpsctl, make_directory: MakeDirectory, command: str) -> None:
    words = line(command, site="nosuch", directory=make_directory("nosuch"))
    check(cli(*words), 3, "no site named nosuch", "vpsctl site list")
    assert cli(*words[:1], "--json", *words[1:]).error["code"] == "not_found"


def test_nobody_is_asked_about_a_site_that_is_not_there(cli: Vpsctl) -> None:
    check(cli("site", "remove", "nosuch"), 3, "no site named nosuch")


@pytest.mark.parametrize("command", LEDGER)
def test_without_postgres(cli: Vpsctl, make_directory: MakeDirectory, shop: str, tmp_path: Path, command: str) -> None:
    directory = make_directory("other")
    words = line(command, site=shop, directory=directory, new=tmp_path / "new")
    gone = {"VPSCTL_POSTGRES_URL": f"postgresql://u:hunter22@/d?host={tmp_path}"}
    answer = cli(*words, **gone)
    if command in WITHOUT_LEDGER:
        assert answer.code == 0, answer
    else:
        check(answer, 5, "cannot be reached", "vpsctl doctor")
    assert "hunter22" not in answer.err
    assert {item.name for item in directory.iterdir()} == {"compose.yaml"}


ENGINE = ["init", "status", "budget", "logs {site}", "exec {site} -- true", "deploy {site}", "plan {site}", "start {site}"]


@pytest.mark.parametrize("words", [*ENGINE, "restart {site}", "scale {site} app=2", "site show {site}", "container list"])
def test_without_an_engine(cli: Vpsctl, shop: str, words: str) -> None:
    answer = cli(*words.format(site=shop).split(), VPSCTL_DOCKER_HOST=NOWHERE)
    check(answer, 5, f"cannot reach the Docker Engine at {NOWHERE}", "systemctl start docker")


def test_what_needs_no_engine_works_without_one(cli: Vpsctl, shop: str) -> None:
    for words in (["site", "list"], ["run", "list"], ["cred", "list"], ["env", "list", shop], ["release", "list", shop]):
        assert cli(*words, VPSCTL_DOCKER_HOST=NOWHERE).code == 0
    examined = cli("doctor", VPSCTL_DOCKER_HOST=NOWHERE)
    assert examined.code == 6
    assert "fail    engine: cannot reach the Docker Engine" in examined.out


@pytest.mark.parametrize("words", ["proxy show", "proxy sync", "plan {site}", "deploy {site}"])
def test_without_caddy(cli: Vpsctl, shop: str, tmp_path: Path, words: str) -> None:
    answer = cli(*words.format(site=shop).split(), VPSCTL_CADDY_ADMIN=f"unix/{tmp_path}/admin.sock")
    check(answer, 5, "cannot reach Caddy's admin API", "vpsctl doctor")


def test_a_restart_that_finds_no_caddy_leaves_the_site_as_it_was(
    cli: Vpsctl, foundation: App, shop: str, tmp_path: Path
) -> None:
    before = foundation.proxy.current(shop)
    check(cli("restart", shop, VPSCTL_CADDY_ADMIN=f"unix/{tmp_path}/admin.sock"), 5, "cannot reach Caddy's admin API")
    assert not foundation.proxy.held(shop)
    assert foundation.proxy.current(shop) == before is not None


@pytest.mark.parametrize(
    ("words", "code", "sentence", "hint"),
    [
        ("logs {site}", 4, "was never deployed", "vpsctl deploy {site}"),
        ("exec {site} -- true", 4, "was never deployed", "vpsctl deploy {site}"),
        ("start {site}", 4, "was never deployed", "vpsctl deploy {site}"),
        ("restart {site}", 4, "was never deployed", "vpsctl deploy {site}"),
        ("scale {site} app=2", 4, "was never deployed", "vpsctl deploy {site}"),
        ("rollback {site}", 3, "no earlier release", ""),
        ("rollback {site} --to r1", 3, "has no release r1", "vpsctl release list {site}"),
        ("deploy {site} --prove", 2, "serves nothing yet", "vpsctl deploy {site}"),
        ("deploy resume {site}", 3, "no deploy of {site} was interrupted", "vpsctl run list {site}"),
        ("deploy abort {site}", 3, "no deploy of {site} was interrupted", "vpsctl run list {site}"),
    ],
)
def test_a_site_that_was_never_deployed(cli: Vpsctl, bare: str, words: str, code: int, sentence: str, hint: str) -> None:
    check(cli(*words.format(site=bare).split()), code, sentence.format(site=bare), hint.format(site=bare))


def test_what_can_be_looked_at_before_the_first_deploy(cli: Vpsctl, bare: str) -> None:
    assert cli("site", "show", bare, "--json").data["pending"] == ["not deployed yet"]
    assert f"{bare}: not deployed yet: vpsctl deploy {bare}" in cli("status").out.splitlines()
    assert cli("release", "list", bare, "--json").data == []
    assert cli("env", "list", bare, "--json").data == []
    states = {site["name"]: site["state"] for site in cli("status", "--json").data["sites"]}
    assert states[bare] == "new"
    assert cli("stop", bare).code == 0
    assert cli("plan", bare, "--json").data["changes"][0]["action"] == "create"
    assert cli("site", "maintenance", "on", bare, "--json").data["on"] is True
    assert cli("site", "maintenance", "off", bare, "--json").data["on"] is False


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("deploy {site} extra", 2, "deploy takes one site, not '{site} extra'"),
        ("deploy", 2, "Missing argument"),
        ("deploy resume", 2, "deploy takes one site, not 'resume'"),
        ("deploy resume {site} --prove", 2, "deploy resume takes no options"),
        ("deploy {site} --nope", 2, "No such option: --nope"),
        ("deploy {site} --ref main", 2, "has no ref to choose"),
        ("deploy {site} --image nobody.invalid/x:1", 5, "cannot pull image nobody.invalid/x:1"),
        ("deploy {site} --image :x", 2, "invalid reference format"),
        ("plan {site} --image --x", 2, "image --x"),
        ("rollback {site} --to banana", 3, "has no release 'banana'"),
        ("rollback {site} --to r²", 3, "has no release 'r²'"),
        ("rollback {site} --to r99999999999999999999", 3, "has no release"),
        ("env set {site} FOO", 2, "'FOO' is not NAME=VALUE"),
        ("env set {site} 1A=x", 2, "'1A' is not the name of a variable"),
        ("env unset {site} NOPE", 3, "{site} has no variable NOPE"),
        ("scale {site} app", 2, "'app' is not SERVICE=N"),
        ("scale {site} app=²", 2, "'app=²' is not SERVICE=N"),
        ("scale {site} app=0", 2, "1 to 12 containers, not 0"),
        ("scale {site} app=99999999999999999999", 2, "1 to 12 containers"),
        ("scale {site} nope=2", 2, "no service 'nope'"),
        ("restart {site} --service nope", 3, "{site} has no service nope"),
        ("logs {site} --service nope", 3, "{site} has no container of nope"),
        ("logs {site} --release banana", 3, "has no release 'banana'"),
        ("logs {site} --release r99", 3, "has no container"),
        ("logs {site} --since yesterday", 2, "--since 'yesterday' is neither a duration nor a time"),
        ("logs {site} --tail -1", 2, "-1 is not in the range"),
        ("exec {site} --service nope -- true", 3, "no container of {site}'s nope runs"),
        ("exec {site}", 2, "Missing argument"),
        ("site maintenance maybe {site}", 2, "maintenance is on or off, not 'maybe'"),
        ("site remove {site}", 2, "Nobody can be asked here"),
        ("site remove {site} --with-data --confirm other", 2, "nothing was changed"),
        ("run show 99999999999999999", 3, "there is no run 99999999999999999"),
        ("run show abc", 2, "'abc' is not a valid int"),
        ("run list --limit 99999999999999999999", 2, "is not in the range"),
        ("cred remove NOBODY --yes", 3, "there is no credential NOBODY"),
        ("cred set NOBODY", 2, "nobody can be asked here"),
        ("container stop nobody", 3, "no container nobody on this engine"),
        ("nosuch", 2, "No such command 'nosuch'"),
        ("site nosuch", 2, "No such command 'nosuch'"),
    ],
)
def test_a_command_line_that_is_wrong(cli: Vpsctl, shop: str, words: str, code: int, sentence: str) -> None:
    typed = words.format(site=shop).split()
    check(cli(*typed), code, sentence.format(site=shop))
    assert sentence.format(site=shop) in cli("--json", *typed).error["message"]


def test_removing_with_data_wants_the_typed_name(cli: Vpsctl, shop: str) -> None:
    for more in ((), ("--yes",)):
        check(cli("site", "remove", shop, "--with-data", *more), 2, "every byte", f"--confirm {shop}")


@pytest.mark.parametrize("name", ["a b;$(reboot)", "../../etc", "Shöp", "[red]x[/red]", "%s", "x" * 5000, "-"])
def test_a_site_with_a_name_that_no_site_has(cli: Vpsctl, name: str) -> None:
    for words in (["deploy"], ["logs"], ["exec"], ["site", "show"]):
        answer = cli(*words, name, *(["--", "true"] if words == ["exec"] else []))
        check(answer, 3, f"no site named {name}")


@pytest.mark.parametrize(
    "words",
    [["deploy", ""], ["deploy", "shop", "--ref", ""], ["deploy", "shop", "--image="], ["logs", "shop", "--service", ""]],
)
def test_an_empty_word_is_a_variable_that_was_not_set(cli: Vpsctl, words: list[str]) -> None:
    check(cli(*words), 2, f"{words[-1].rstrip('=') or (words[-2] if len(words) > 2 else 'an argument')} is empty", "not set")


def test_bytes_that_are_no_text(cli: Vpsctl) -> None:
    check(cli("deploy", "\udcff"), 2, r"'\udcff' is not UTF-8 text")


@pytest.mark.parametrize("group", ["", "site", "proxy", "container"])
def test_a_group_alone_shows_its_help(cli: Vpsctl, group: str) -> None:
    answer = cli(*group.split())
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"Usage: vpsctl {group}".strip())
    assert json.loads(cli(*group.split(), "--json").out)["error"]["message"].endswith("needs a command")


# site add, site new


@pytest.mark.parametrize(
    ("compose", "code", "sentence"),
    [
        ("services:\n  app:\n    image: x\n    privilegedd: true\n", 2, "services.app.privilegedd, line 4"),
        ("services:\n  app: [\n", 2, "line"),
        ("services:\n  app:\n    image: x\n    privileged: true\n", 2, "services.app.privileged, line 4"),
        ("", 2, "has no services"),
    ],
)
def test_adding_a_compose_file_that_is_wrong(cli: Vpsctl, tmp_path: Path, compose: str, code: int, sentence: str) -> None:
    (tmp_path / "compose.yaml").write_text(compose)
    check(cli("site", "add", str(tmp_path), "--name", "wrong"), code, sentence)
    assert "wrong" not in [site["name"] for site in cli("site", "list", "--json").data]


def test_adding_what_is_no_site(cli: Vpsctl, shop: str, tmp_path: Path, make_directory: MakeDirectory) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    add = ["site", "add"]
    check(cli(*add, "/nonexistent"), 2, "no directory or repository at /nonexistent")
    check(cli(*add, str(tmp_path / "file")), 2, "is not a directory")
    check(cli(*add, str(tmp_path / "empty")), 2, "has no Dockerfile and is no app we know")
    assert list((tmp_path / "empty").iterdir()) == []
    check(cli(*add, str(make_directory("x")), "--name", shop), 4, f"there is a site named {shop} already")
    check(cli(*add, str(make_directory("x")), "--name", "resume"), 2, "'resume' cannot be a site's name")
    check(cli(*add, str(make_directory("x")), "--port", "80"), 2, "--port goes with --image")
    check(cli(*add, "nobody/x:1", "--image", "--port", "0"), 2, "0 is not in the range")
    check(cli(*add, "nobody/x:1", "--image", "--port", "65536"), 2, "65536 is not in the range")
    check(cli(*add, "nobody/x:1", "--image"), 2, "which port nobody/x:1 listens on is not known")


def test_a_file_that_was_made_up_goes_when_adding_fails(cli: Vpsctl, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("hello")
    add = ["site", "add", str(tmp_path), "--name", "madeup", "--domain", "madeup.test"]
    check(cli(*add, VPSCTL_POSTGRES_URL=f"postgresql://u@/d?host={tmp_path}"), 5, "cannot be reached")
    assert [item.name for item in tmp_path.iterdir()] == ["index.html"]
    assert cli(*add, "--json").data["domains"] == ["madeup.test"]
    assert cli("site", "remove", "madeup", "--yes").code == 0
    assert (tmp_path / "compose.yaml").exists()


def test_a_new_site_where_something_stands(cli: Vpsctl, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check(cli("site", "new", "fresh", "--into", str(tmp_path)), 4, "is not empty", "--into")
    check(cli("site", "new", "fresh", "--into", str(tmp_path / "file" / "x")), 6, "cannot write")
    check(cli("site", "new", "Bad Name"), 2, "'Bad Name' cannot be the name of a site")
    check(cli("site", "new", "fresh", "--template", "nosuch"), 2, "there is no template 'nosuch'", "business")


# settings and keys


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"home = [", "cannot read the settings in"),
        (b'home = "\xff"', "cannot read the settings in"),
        (b'hom = "/x"', "unknown key 'hom'"),
        (b'http_port = "x"', "http_port must be int, not 'x'"),
        (b"http_port = 0", "http_port must be from 1 to 65535"),
        (b"port_first = 4000", "port_first is above port_last"),
        (b'home = "relative"', "home must be an absolute path"),
        (b'instance = "A B"', "instance cannot be 'A B'"),
        (b'disk_floor = "much"', "disk_floor is no size: 'much'"),
        (b'builder_memory = "much"', "builder_memory is no size"),
        (b"builder_cpus = 0", "builder_cpus must be from 0.01"),
        (b'allow = ["everything"]', "unknown permission 'everything'"),
        (b'docker_host = "banana"', "docker_host 'banana'"),
    ],
)
def test_settings_that_are_wrong(cli: Vpsctl, tmp_path: Path, text: bytes, sentence: str) -> None:
    (tmp_path / "config.toml").write_bytes(text)
    check(cli("status", VPSCTL_CONFIG=str(tmp_path / "config.toml")), 2, sentence)


def test_settings_that_are_not_there(cli: Vpsctl, tmp_path: Path) -> None:
    for place in ("/nonexistent/config.toml", str(tmp_path)):
        check(cli("status", VPSCTL_CONFIG=place), 2, f"no settings file at {place} ($VPSCTL_CONFIG)")


@pytest.mark.parametrize("url", ["banana", "mysql://u:hunter22@h/d", "postgresql://u:hunter22@127.0.0.1:1/d"])
def test_a_postgres_url_that_is_wrong_is_not_repeated(cli: Vpsctl, url: str) -> None:
    answer = cli("site", "list", VPSCTL_POSTGRES_URL=url)
    assert answer.code == (5 if url.startswith("postgresql") else 2)
    assert answer.sentence
    assert "hunter22" not in answer.err


@pytest.fixture
def copied_home(foundation: App, tmp_path: Path) -> Path:
    """The machine's state directory once more, whose key a test may spoil."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    for name in ("master.key", "postgres-password"):
        shutil.copy2(foundation.settings.home / name, home / name)
    (home / "postgres").symlink_to(foundation.settings.home / "postgres")
    return home


@pytest.mark.parametrize("words", [["cred", "set", "UNUSED", "--generate"], ["doctor"]])
@pytest.mark.parametrize("wrong", ["missing", "short", "open", "same", "directory"])
def test_a_master_key_that_is_none(cli: Vpsctl, copied_home: Path, wrong: str, words: list[str]) -> None:
    key = copied_home / "master.key"
    if wrong == "open":
        key.chmod(stat.S_IRUSR | stat.S_IROTH)
    else:
        key.unlink()
    if wrong in ("short", "same"):
        key.write_bytes(b"short" if wrong == "short" else b"a" * 32)
        key.chmod(0o600)
    if wrong == "directory":
        key.mkdir()
    if wrong == "missing":
        (copied_home / "proxy").mkdir()  # init was here
    answer = cli(*words, VPSCTL_HOME=str(copied_home))
    if words == ["doctor"]:
        assert answer.code == 6
        assert "fail    master key: " in answer.out
    else:
        check(answer, 3 if wrong == "missing" else 2, "master key")


# how a failure is shown


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (Invalid, "invalid", 2),
        (NotFound, "not_found", 3),
        (Conflict, "conflict", 4),
        (Unavailable, "unavailable", 5),
        (Failed, "failed", 6),
    ],
)
def test_every_error_has_its_exit_code(
    capsys: pytest.CaptureFixture[str], kind: type[VpsctlError], code: str, status: int
) -> None:
    output.take_common_options(["--json"])
    answer = Answer(output.fail(kind("the [red]thing[/red] is \N{SNOWMAN}", hint="vpsctl doctor")), *capsys.readouterr())
    assert answer.code == status
    assert answer.error == {"code": code, "message": "the [red]thing[/red] is \N{SNOWMAN}", "hint": "vpsctl doctor"}
    assert answer.err == "error: the [red]thing[/red] is \N{SNOWMAN}\nhint:  vpsctl doctor\n"


@pytest.mark.parametrize("debug", [False, True])
def test_a_bug_is_one_line_and_a_traceback_only_when_asked(capsys: pytest.CaptureFixture[str], debug: bool) -> None:
    output.take_common_options(["--debug"] if debug else [])
    try:
        {}["two\nlines"]  # type: ignore[index]
    except KeyError as error:
        status = output.fail(error)
    out, err = capsys.readouterr()
    assert (status, out) == (1, "")
    assert err.splitlines()[:2] == [
        "error: internal error: KeyError: 'two\\nlines'",
        "hint:  this is a bug in vpsctl; run it again with --debug and report what it prints",
    ]
    assert ("Traceback" in err) is debug
    output.take_common_options(["--json"])
    assert output.fail(RuntimeError("a\nb")) == 1
    assert json.loads(capsys.readouterr().out)["error"]["message"] == "internal error: RuntimeError: a b"


def test_debug_shows_where_an_error_of_ours_came_from(cli: Vpsctl) -> None:
    answer = cli("site", "show", "nosuch", "--debug")
    assert answer.code == 3
    assert answer.err.startswith("error: no site named nosuch\nhint:  vpsctl site list\nTraceback")


def test_a_full_disk_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    output.take_common_options([])
    with pytest.raises(OSError, match="No space left") as caught, open("/dev/full", "w") as full:
        full.write("x")
    assert output.fail(caught.value) == 6
    assert (
        capsys.readouterr().err
        == "error: this machine: No space left on device\nhint:  make room on that disk: vpsctl doctor shows it\n"
    )


# streams, as a shell has them


def shell(process: CommandLine, line: str) -> "subprocess.CompletedProcess[str]":
    words = ["bash", "-c", f"set -o pipefail; {line}", VPSCTL]
    return subprocess.run(words, env=process.environment(), capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("words", ["container list --all", "doctor --json", "--help", "run list", "status"])
def test_a_reader_that_goes_away_is_no_error(process: CommandLine, shop: str, words: str) -> None:
    assert shop
    done = shell(process, f'"$0" {words} | head -1')
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    done = shell(process, f'"$0" {words} | true')
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_of_the_messages_that_goes_away_does_not_stop_the_work(process: CommandLine, shop: str) -> None:
    done = shell(process, f'"$0" scale {shop} app=1 2>&1 >/dev/null | true')
    assert (done.returncode, done.stderr) == (0, "")
    runs = process.data("run", "list", shop, "--kind", "scale")
    assert runs[0]["state"] == "succeeded"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(process: CommandLine, foundation: App, closed: str) -> None:
    done = shell(process, f'"$0" status {closed}')
    assert (done.returncode, done.stderr) == (0, "")
    assert (foundation.settings.instance in done.stdout or "foundation: caddy running" in done.stdout) is (
        ">&-" not in closed.split()
    )


def test_colour_and_cursor_are_for_terminals(process: CommandLine, shop: str) -> None:
    for words in (["status"], ["doctor"], ["scale", shop, "app=1"], ["nosuch"]):
        done = process.run(*words)
        assert "\x1b" not in done.stdout + done.stderr
        assert "\r" not in done.stdout + done.stderr


def test_tables_in_a_pipe_have_the_same_columns_in_every_row(process: CommandLine, shop: str) -> None:
    process.done("env", "set", shop, "EMPTY=", "LINES=a\nb\x1b[31m")
    for words in (
        ["site", "list"],
        ["env", "list", shop],
        ["release", "list", shop],
        ["run", "list", "--limit", "5"],
        ["proxy", "show"],
    ):
        rows = [[cell for cell in line.split("  ") if cell.strip()] for line in process.done(*words).splitlines()]
        assert len(rows) > 1
        assert {len(row) for row in rows} == {len(rows[0])}, rows
        assert [cell for cell in rows[0] if cell != cell.upper()] == []
    process.done("env", "unset", shop, "EMPTY", "LINES")


def test_quiet_leaves_the_result(process: CommandLine, shop: str) -> None:
    done = process.run("scale", shop, "app=1", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{shop} app: 1 -> 1\n", "")
    assert process.run("scale", shop, "app=1").stderr.startswith(f"scale {shop}: run ")


def test_version_in_words_and_json(process: CommandLine) -> None:
    assert process.done("--version").startswith("vpsctl ")
    assert process.data("--version")["version"] == process.done("--version").split()[1]


@pytest.mark.parametrize("locale", ["LC_ALL=C", "LC_ALL=POSIX PYTHONUTF8=0 PYTHONCOERCECLOCALE=0", "PYTHONIOENCODING=ascii"])
def test_an_odd_locale_is_no_error(process: CommandLine, bare: str, locale: str) -> None:
    process.done("env", "set", bare, "NAME=caf\u00e9 \u2713")
    environment = {**process.environment(), **dict(item.split("=") for item in locale.split())}
    done = subprocess.run([VPSCTL, "env", "list", bare], env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"NAME  caf" in done.stdout
    process.done("env", "unset", bare, "NAME")
