"""What must stand nowhere: a shell, a second way to the database, addresses of registries, paths of one machine."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.project.sources import ROOT, modules, texts

SHELL_CALLS = {
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell",
}  # fmt: skip
SHELLS = {"sh", "bash", "dash", "ash", "/bin/sh", "/bin/bash"}
HOSTS = (
    "registry-1." "docker.io", "index." "docker.io", "auth." "docker.io", "download." "docker.com",
    "gh" "cr.io", "quay" ".io",
    "pypi" ".org", "files." "pythonhosted.org", "registry." "npmjs.org", "deb." "debian.org", "security." "debian.org",
)  # fmt: skip
"""Written in two halves each, so that this file does not hold them. In examples, registry.example.com stands for one."""
MACHINE = (f"{ROOT}/", "/work" "/main", "/work" "/shared", "/root" "/.", "/tmp" "/v/", "/opt" "/wheels")  # fmt: skip


def shell_uses(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in SHELL_CALLS:
                yield f"line {node.lineno}: {called}"
            for keyword in node.keywords:
                if keyword.arg == "shell" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False):
                    yield f"line {node.lineno}: shell={ast.unparse(keyword.value)}"
        if isinstance(node, ast.List | ast.Tuple):
            yield from shell_argv(node)


def shell_argv(node: ast.List | ast.Tuple) -> Iterator[str]:
    """[..., "sh", "-c", X, ...] where X is not written out."""
    words = [item.value if isinstance(item, ast.Constant) else None for item in node.elts]
    for position in range(len(words) - 1):
        if words[position] in SHELLS and words[position + 1] in ("-c", "-ec", "-lc", "-euc"):
            script = words[position + 2] if len(words) > position + 2 else None
            if not isinstance(script, str):
                yield f"line {node.lineno}: {words[position]!r} -c with something that is not written out"


@pytest.mark.parametrize(
    "code",
    [
        "subprocess.run(x, shell=True)", "run(x, shell=flag)", "os.system(x)", "os.popen(x)", "subprocess.getoutput(x)",
        "asyncio.create_subprocess_shell(x)", "argv = ['sh', '-c', x]",
        "argv = ['docker', 'exec', 'c', 'bash', '-c', f'ls {x}']",
        "argv = ['/bin/sh', '-c']", "argv = ('sh', '-c', 'ls ' + x)",
    ],
)  # fmt: skip
def test_the_search_finds_a_shell(code: str) -> None:
    assert list(shell_uses(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["run(['ls', x])", "run(x, shell=False)", "argv = ['sh', '-c', 'exit 3']", "os.path.join(a)"]
)
def test_the_search_leaves_the_rest_alone(code: str) -> None:
    assert not list(shell_uses(ast.parse(code)))


def test_no_shell_in_python() -> None:
    # a test may hand bash what the operator's bash would run: completion, a pipe
    found = [
        f"{name}: {use}"
        for name, tree in modules().items()
        for use in shell_uses(tree)
        if not (name.startswith("tests/") and "not written out" in use)
    ]
    assert found == []


def test_engines_are_created_only_in_db() -> None:
    # the migrations' env.py is handed its connection; tests may open one of their own to look behind the scenes
    found = [
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        if not name.startswith(("vpsctl/db/", "tests/"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("create_engine", "engine_from_config")
    ]
    assert found == []


def test_only_settings_reads_the_configuration_from_the_environment() -> None:
    # what a program is handed (PATH, NO_COLOR, SUDO_USER) is not configuration
    found = [
        f"{name}:{node.lineno}: {node.value!r}"
        for name, tree in modules().items()
        if name.startswith("vpsctl/") and name != "vpsctl/settings.py"
        for call in ast.walk(tree)
        if isinstance(call, ast.Call | ast.Subscript) and ast.unparse(call).startswith(("os.environ", "os.getenv"))
        for node in ast.walk(call)
        if isinstance(node, ast.Constant) and re.match(r"VPSCTL_\w|DOCKER_HOST", str(node.value))
    ]
    assert found == []


@pytest.mark.parametrize("kind", ["registry", "machine"])
def test_no_address_and_no_path_of_one_place(kind: str) -> None:
    banned = re.compile("|".join(re.escape(item) for item in (HOSTS if kind == "registry" else MACHINE)))
    found = [
        f"{name}:{number}: {match[0]}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if (match := banned.search(line))
    ]
    assert found == []
