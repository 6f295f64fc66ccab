"""Open the values of credentials, for a site that is about to get them."""

from collections.abc import Mapping, Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.credentials.name import version_binding
from vpsctl.db.models import Credential, CredentialVersion, Project
from vpsctl.errors import Failed, NotFound
from vpsctl.secret import Secret
from vpsctl.vault.sealed import Sealed
from vpsctl.vault.vault import Vault

NOTHING: Mapping[str, int] = {}
Row = tuple[Credential, CredentialVersion]


def read_credentials(
    app: App, names: Sequence[str], *, project: str | None = None, versions: Mapping[str, int] = NOTHING
) -> dict[str, tuple[Secret, int]]:
    """{name: (value, version)} as a site of `project` sees them: its project's own before those for every project.

    `versions` pins some to a version (a release's); the others are the newest.
    Raises NotFound naming every one that is missing, Failed when a stored value does not open.
    """
    with app.database.transaction() as session:
        rows = _rows(session, names, project)
    chosen = {name: _choose(rows.get(name, []), versions.get(name)) for name in names}
    missing = sorted(name for name, row in chosen.items() if row is None)
    if missing:
        raise _missing(missing, project, versions)
    return {name: (_open(app.vault, row), row[1].version) for name, row in chosen.items() if row}


def _rows(session: Session, names: Sequence[str], project: str | None) -> dict[str, list[Row]]:
    """Per name every version that `project` may see, the one it uses first."""
    query = (
        select(Credential, CredentialVersion)
        .join(CredentialVersion, CredentialVersion.credential_id == Credential.id)
        .outerjoin(Project, Project.id == Credential.project_id)
        .where(Credential.name.in_(names), or_(Credential.project_id.is_(None), Project.slug == project))
        .order_by(Credential.project_id.asc().nulls_last(), CredentialVersion.version.desc())
    )
    found: dict[str, list[Row]] = {}
    for credential, version in session.execute(query):
        found.setdefault(credential.name, []).append((credential, version))
    return found


def _choose(rows: Sequence[Row], version: int | None) -> Row | None:
    return next((row for row in rows if version in (None, row[1].version)), None)


def _missing(names: Sequence[str], project: str | None, versions: Mapping[str, int]) -> NotFound:
    told = ", ".join(f"{name} version {versions[name]}" if name in versions else name for name in names)
    where = f" for project {project}" if project else ""
    return NotFound(
        f"there is no credential {told}{where}", hint=f"vpsctl cred set {names[0]} --generate, or vpsctl cred list"
    )


def _open(vault: Vault, row: Row) -> Secret:
    credential, version = row
    sealed = Sealed(version.key_id, version.key_nonce, version.wrapped_key, version.nonce, version.ciphertext)
    bound = version_binding(version.credential_id, version.version, credential.name, credential.project_id)
    try:
        return Secret(vault.decrypt(sealed, binding=bound).decode())
    except Failed as error:
        told = f"{credential.name} version {version.version}"
        raise Failed(f"credential {told}: {error.message}", hint=error.hint) from error
