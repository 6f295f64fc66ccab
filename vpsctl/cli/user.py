"""`vpsctl user`. Root on the machine may do all of it; rights are for the doors that authenticate people."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.only_on_terminal import check_terminal
from vpsctl.cli.opened import open_app
from vpsctl.errors import Invalid
from vpsctl.secret import Secret

if TYPE_CHECKING:
    from vpsctl.app import App
    from vpsctl.users.add import UserAdded
    from vpsctl.users.disable import UserSwitched
    from vpsctl.users.enroll import Enrolment, MfaConfirmed, MfaReset
    from vpsctl.users.list import UserInfo
    from vpsctl.users.set_role import RoleSet
    from vpsctl.users.show import UserShown

app = typer.Typer(no_args_is_help=True, help="Users, their roles, and their second factors.")
mfa = typer.Typer(no_args_is_help=True, help="A user's second factor: codes of an app, and recovery codes.")
app.add_typer(mfa, name="mfa")
User = Annotated[str, typer.Argument(metavar="NAME", help="The user's name, as vpsctl user list has it.")]
Stdout = Annotated[bool, typer.Option("--stdout", help="Print what is secret even when stdout is no terminal.")]
TRIES = 3


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Small letters, digits, dots, hyphens and underscores, such as anna.")],
    email: Annotated[str | None, typer.Option(help="Where they can be reached.")] = None,
    role: Annotated[str | None, typer.Option(help="viewer, operator or admin; without one they may do nothing yet.")] = None,
    project: Annotated[list[str] | None, typer.Option(help="The role holds in this project only; repeatable.")] = None,
) -> None:
    """Add a user, with a role on the whole machine or in some projects.

    Example: vpsctl user add anna --role operator --project acme
    """
    from vpsctl.users.add import add_user

    with open_app() as opened:
        result = add_user(opened, name, email=email, role=role, projects=project or ())
    output.show(result, _added)


def _added(done: UserAdded) -> None:
    where = f"in {', '.join(done.projects)}" if done.projects else "on the whole machine"
    output.write(f"user {done.name} is added: {f'{done.role} {where}' if done.role else 'no role yet'}")
    output.note(f"what they can log in with: vpsctl login-link {done.name}, or vpsctl token create --user {done.name}")


@app.command("list")
def list_() -> None:
    """Every user with roles, second factor, tokens and last use.

    Example: vpsctl user list
    """
    from vpsctl.users.list import list_users

    with open_app() as opened:
        result = list_users(opened)
    output.show(result, _table)


def _table(found: list[UserInfo]) -> None:
    output.table(
        ("name", "role", "in projects", "mfa", "tokens", "last used", "state", "email"),
        [
            (
                item.name,
                item.role,
                " ".join(f"{slug}={role}" for slug, role in item.grants.items()),
                "on" if item.mfa else "off",
                item.tokens,
                f"{item.last_used_at:%Y-%m-%d %H:%M}" if item.last_used_at else "never",
                "disabled" if item.disabled_at else "enabled",
                item.email,
            )
            for item in found
        ],
        {"disabled": "31"},
    )


@app.command("show")
def show(name: User) -> None:
    """One user: roles, what they may do in words, second factor, tokens.

    Example: vpsctl user show anna
    """
    from vpsctl.users.show import show_user

    with open_app() as opened:
        result = show_user(opened, name)
    output.show(result, _show)


def _show(found: UserShown) -> None:
    state = f"disabled since {found.disabled_at:%Y-%m-%d %H:%M:%S}" if found.disabled_at else "enabled"
    output.write(f"{found.name}{f' <{found.email}>' if found.email else ''}, {state}")
    output.write(f"role: {found.role or 'none'} on the whole machine")
    _list_rights(found.may)
    for slug, role in found.grants.items():
        output.write(f"role in {slug}: {role}")
        _list_rights(found.may_in[slug])
    codes = f", {found.recovery_codes} recovery codes left" if found.mfa == "on" else ""
    output.write(f"second factor: {found.mfa}{codes}")
    output.write(f"last used: {f'{found.last_used_at:%Y-%m-%d %H:%M}' if found.last_used_at else 'never'}")
    if found.tokens:
        from vpsctl.cli.token import token_table

        token_table(found.tokens)


def _list_rights(words: tuple[str, ...]) -> None:
    for line in words:
        output.write(f"  may {line}")


@app.command("role")
def role(
    name: User,
    role: Annotated[str, typer.Argument(help="viewer, operator, admin, or none to take it away.")],
    project: Annotated[str | None, typer.Option(help="In this project only; otherwise on the whole machine.")] = None,
) -> None:
    """Give a role, or take it away; tokens follow at once.

    Example: vpsctl user role anna admin --project acme
    """
    from vpsctl.users.set_role import set_role

    with open_app() as opened:
        result = set_role(opened, name, None if role == "none" else role, project=project)
    output.show(result, _role_set)


def _role_set(done: RoleSet) -> None:
    where = f"in {done.project}" if done.project else "on the whole machine"
    output.write(f"{done.name}: {done.role or 'no role'} {where}, before {done.before or 'none'}")


@app.command("disable")
def disable(name: User) -> None:
    """Shut a user out: their tokens, codes and login links stop working at once.

    Example: vpsctl user disable anna
    """
    from vpsctl.users.disable import disable_user

    with open_app() as opened:
        result = disable_user(opened, name)
    output.show(result, _switched)


@app.command("enable")
def enable(name: User) -> None:
    """Let a user in again, with the tokens they had.

    Example: vpsctl user enable anna
    """
    from vpsctl.users.disable import enable_user

    with open_app() as opened:
        result = enable_user(opened, name)
    output.show(result, _switched)


def _switched(done: UserSwitched) -> None:
    state = "disabled" if done.disabled_at else "enabled"
    output.write(f"user {done.name} {'is' if done.changed else 'was'} {state}{'' if done.changed else ' already'}")


@mfa.command("enroll")
def enroll(name: User, stdout: Stdout = False) -> None:
    """Show a QR code for an authenticator app, and ask for the code that the app then shows.

    Example: vpsctl user mfa enroll anna
    """
    from vpsctl.users.enroll import enroll as begin

    asks = sys.stdin.isatty() and not output.mode.json
    if asks:
        check_terminal("the seed and the recovery codes", stdout=stdout)
    check_terminal("the seed", stdout=stdout)
    with open_app() as opened:
        made = begin(opened, name)
        plain = {"name": made.name, "seed": made.seed.reveal(), "uri": made.uri.reveal()}
        output.show(plain, lambda _: _enrolment(made))
        output.flush()
        confirmed = _confirmed(opened, name) if asks else None
    if confirmed is None:
        output.note(f"it counts once it is confirmed: vpsctl user mfa confirm {name} --code with what the app shows")
    else:
        _codes(confirmed)


def _enrolment(made: Enrolment) -> None:
    if sys.stdout.isatty():
        import segno

        blocks = sys.stdout.encoding.lower().startswith("utf")
        segno.make(made.uri.reveal(), error="m", micro=False).terminal(sys.stdout, border=2, compact=blocks)
    output.write(made.uri.reveal())
    output.write(f"seed: {made.seed.reveal()}")


def _confirmed(opened: App, name: str) -> MfaConfirmed | None:
    """None when nobody types a code: it can be confirmed later."""
    from vpsctl.users.enroll import confirm_enrolment

    for left in reversed(range(TRIES)):
        output.say("Code that the app shows now: ", end="")
        typed = sys.stdin.readline().strip()
        if not typed:
            return None
        try:
            return confirm_enrolment(opened, name, Secret(typed))
        except Invalid as error:
            if not left:
                raise
            output.say(error.message)
    return None


@mfa.command("confirm")
def confirm(
    name: User,
    code: Annotated[str, typer.Option(help="The six digits that the app shows now.")],
    stdout: Stdout = False,
) -> None:
    """Put the second factor that was enrolled into force; prints ten recovery codes, this once.

    Example: vpsctl user mfa confirm anna --code 123456
    """
    from vpsctl.users.enroll import confirm_enrolment

    check_terminal("the recovery codes", stdout=stdout)
    with open_app() as opened:
        result = confirm_enrolment(opened, name, Secret(code))
    plain = {"name": result.name, "recovery_codes": [one.reveal() for one in result.recovery_codes]}
    output.show(plain, lambda _: _codes(result))


def _codes(done: MfaConfirmed) -> None:
    output.note(f"the second factor of {done.name} is on; each of these replaces one code, once, and is not shown again:")
    for one in done.recovery_codes:
        output.write(one.reveal())


@mfa.command("reset")
def reset(
    name: User,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take a user's second factor and recovery codes away, such as when the phone is lost.

    Example: vpsctl user mfa reset anna --yes
    """
    from vpsctl.users.enroll import reset_mfa
    from vpsctl.users.show import show_user

    with open_app() as opened:
        show_user(opened, name)  # nobody is asked about one who is not there
        output.confirm(f"{name} has no second factor afterwards.", yes=yes)
        result = reset_mfa(opened, name)
    output.show(result, _reset)


def _reset(done: MfaReset) -> None:
    output.write(f"{done.name} has no second factor{' any more' if done.changed else ', and had none'}")
