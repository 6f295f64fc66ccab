"""Runs git as an argv list with an environment of its own: it asks nothing, runs no hook, and has a deadline."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from vpsctl.errors import Invalid, Unavailable
from vpsctl.secret import Secret
from vpsctl.sites.sources.source import Source, transport

_PASSED_ON = (
    *("PATH", "GIT_SSL_CAINFO", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
)
"""How this machine reaches the network; nothing else of the caller's environment gets to git."""

_OPTIONS = {
    "protocol.ext.allow": "never",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "init.templateDir": "",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    # A detached gc would outlive the deadline and keep the lock it inherits.
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    # A server that trickles is given up after half a minute under 1 kB/s.
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    # The empty value forgets every helper configured elsewhere.
    "credential.helper": "",
}


class GitFailedError(Exception):
    """git ended with another code than 0; its words are for `explain` to translate."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


@dataclass(frozen=True)
class Git:
    """git at one repository. `lock` is inherited, so that the site stays locked while an orphan of ours still writes."""

    place: tuple[str, ...]
    """The options that name the repository: ("--git-dir=…",) or ("-C", …)."""
    environment: Mapping[str, str]
    options: tuple[str, ...]
    deadline: float
    """On the clock of time.monotonic()."""
    lock: int | None = None

    def run(self, *arguments: str, **variables: str) -> str:
        """What git printed. Raises GitFailedError, Unavailable at the deadline or without git on this machine."""
        argv = ["git", *self.options, *self.place, *arguments]
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**self.environment, **variables},
                pass_fds=() if self.lock is None else (self.lock,),
                start_new_session=True,
                # What is exported becomes an image, whose users must be able to read it.
                umask=0o022,
            )
        except FileNotFoundError as error:
            raise Unavailable("git is not installed on this machine", hint="apt-get install git") from error
        with process:
            try:
                output, words = process.communicate(timeout=max(self.deadline - time.monotonic(), 0.01))
            except subprocess.TimeoutExpired as error:
                raise Unavailable("git did not finish in time", hint="look at the network and try again") from error
            finally:
                _end(process)
        if process.returncode:
            raise GitFailedError(process.returncode, words.decode(errors="replace"))
        return output.decode(errors="replace")

    def succeeds(self, *arguments: str) -> bool:
        try:
            self.run(*arguments)
        except GitFailedError:
            return False
        return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of git's group is left when the call returns, whatever made it return; it ends at once when it can."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def git_in_directory(directory: Path, *, timeout: timedelta) -> Git:
    """git in a working tree of the operator's. git itself refuses one that another user owns."""
    environment = _environment("/nonexistent", "file")
    return Git(("-C", str(directory)), environment, _as_arguments(_OPTIONS), _deadline(timeout))


def _deadline(timeout: timedelta) -> float:
    return time.monotonic() + timeout.total_seconds()


@dataclass(frozen=True)
class Access:
    """What proves that we may read: at most one, of the kind that the transport takes."""

    token: Secret | None = None
    deploy_key: Secret | None = None


def git_for_fetch(source: Source, repository: Path, workspace: Path, access: Access, *, timeout: timedelta) -> Git:
    """git at our mirror, with the secret in a 0600 file of `workspace`, which is its HOME and goes when the call is over.

    Neither the argv nor the URL nor the environment holds the secret. Raises Invalid when it is of the wrong kind.
    """
    kind = transport(source.location)
    environment, options = _environment(str(workspace), kind), _as_arguments(_OPTIONS)
    if access.token is not None:
        if kind not in ("https", "http"):
            raise Invalid(f"a token does not open {source.location}", hint="use its https URL, or a deploy key for ssh")
        file = _write_token(source, workspace, access.token)
        options += ("-c", f"credential.helper=store --file={shlex.quote(str(file))}")
    if access.deploy_key is not None and kind != "ssh":
        raise Invalid(f"a deploy key does not open {source.location}", hint="use its ssh URL, or a token for https")
    if kind == "ssh":
        command = _ssh(repository.parent.parent / "known_hosts", workspace, access.deploy_key)
        environment["GIT_SSH_COMMAND"] = shlex.join(command)
    return Git((f"--git-dir={repository}",), environment, options, _deadline(timeout))


def _environment(home: str, kind: str) -> dict[str, str]:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return environment | {
        "HOME": home,
        "XDG_CONFIG_HOME": home,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ALLOW_PROTOCOL": "https:ssh:file" + (":http" if kind == "http" else ""),
    }


def _as_arguments(options: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(part for key, value in options.items() for part in ("-c", f"{key}={value}"))


def _write_token(source: Source, workspace: Path, token: Secret) -> Path:
    """The file that git's own `credential-store` reads: the token goes to this one host, not to where it redirects.

    GitHub, GitLab and Gitea take any user name beside a token; a URL that names one (a GitLab deploy token) wins.
    """
    url = urlsplit(source.location)
    user = url.username or "x-access-token"
    host = url.netloc.rpartition("@")[2]
    line = f"{url.scheme}://{quote(user, safe='')}:{quote(token.reveal().strip(), safe='')}@{host}\n"
    return _write_private(workspace / "token", line)


def _ssh(known_hosts: Path, workspace: Path, key: Secret | None) -> list[str]:
    command = ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]
    command += ["-o", f"UserKnownHostsFile={known_hosts}", "-o", "ConnectTimeout=15"]
    command += ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3"]
    if key is not None:
        path = _write_private(workspace / "key", key.reveal().strip().replace("\r\n", "\n") + "\n")
        command += ["-i", str(path), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
    return command


def _write_private(path: Path, text: str) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return path
