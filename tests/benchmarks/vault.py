"""The vault with 10,000 credentials, against what the database and the cipher themselves take in the same run.

Measured on 2026-11-20 on two cores that others were using (load 5):

    list of 10000 credentials        psycopg, all columns 111 ms    list_credentials 194 ms         1.8x
    one value opened                 AES-256-GCM 0.4 us             Vault.decrypt 7 us
                                     open_credential 2.3 ms, of which the queries are nearly all
    master key over 10100 values     one UPDATE 65 ms               rotate_key 1.5 s                 23x
    audit trail of 10000 rows        psycopg 71 ms                  verify_audit 417 ms             5.9x

A profile of `rotate_key`: two fifths are the statements, a quarter the cipher with its bindings, a tenth the ORM's rows.
`dataclasses.asdict` was a seventh, and is not used there any more.
"""

import os
from collections.abc import Callable

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.benchmarks.figures import interleaved, milliseconds, print_table, timed, times
from tests.benchmarks.ground import engine_client, machine
from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.audit.verify import verify_audit
from vpsctl.credentials.list import list_credentials
from vpsctl.credentials.read import open_credential, read_credentials
from vpsctl.credentials.set import add_version, set_credential
from vpsctl.keys.rotate import rotate_key
from vpsctl.secret import Secret
from vpsctl.vault.sealed import binding

COUNT, ROUNDS, ROWS = 10_000, 7, 10_000
SELECT = "SELECT * FROM credentials JOIN credential_versions ON credential_id = id ORDER BY name"


def main() -> None:
    with engine_client() as client, machine(client) as app:
        fill(app)
        listed(app)
        opened(app)
        rotated(app)
        audited(app)


def fill(app: App) -> None:
    with app.database.transaction() as session:
        for number in range(COUNT):
            add_version(app, session, f"TOKEN_{number:05}", Secret(f"value {number} {'x' * 40}"), project_id=None)
        record(app, session, "credential.import", "credential:many", {"count": COUNT})
    for number in range(0, COUNT, 100):  # some have a history
        set_credential(app, f"TOKEN_{number:05}", Secret("another"))


def listed(app: App) -> None:
    with psycopg.connect(place(app)) as connection:
        acts: dict[str, Callable[[], object]] = {
            "psycopg: the rows, ciphertext too": lambda: connection.execute(SELECT).fetchall(),
            "list_credentials": lambda: list_credentials(app),
        }
        found = interleaved(acts, ROUNDS)
    base = found["psycopg: the rows, ciphertext too"]
    rows = [(name, milliseconds(seconds), times(seconds, base)) for name, seconds in found.items()]
    print_table(f"list of {COUNT} credentials, median of {ROUNDS}", ("", "time", "to psycopg"), rows)


def opened(app: App) -> None:
    names = [f"TOKEN_{number:05}" for number in range(0, COUNT, 20)]
    key, nonce = AESGCM(AESGCM.generate_key(256)), os.urandom(12)
    text, bound = key.encrypt(nonce, b"x" * 64, b"bound"), binding("bench", 1)
    sealed = app.vault.encrypt(b"x" * 64, binding=bound)

    def cipher() -> None:
        for _ in range(1000):
            key.decrypt(nonce, text, b"bound")

    def vault() -> None:
        for _ in range(1000):
            app.vault.decrypt(sealed, binding=bound)

    many = {"AES-256-GCM alone": cipher, "Vault.decrypt": vault}
    found = {name: seconds / 1000 for name, seconds in interleaved(dict(many), ROUNDS).items()}
    found["open_credential, with three queries"] = interleaved({"one": lambda: open_credential(app, names[0])}, 50)["one"]
    together = interleaved({"all": lambda: read_credentials(app, names)}, ROUNDS)["all"]
    found[f"read_credentials of {len(names)}, each"] = together / len(names)
    base = found["AES-256-GCM alone"]
    rows = [(name, f"{seconds * 1e6:.0f} us", times(seconds, base)) for name, seconds in found.items()]
    print_table("one value opened", ("", "time", "to the cipher"), rows)


def rotated(app: App) -> None:
    with psycopg.connect(place(app)) as connection:
        count = connection.execute("SELECT count(*) FROM credential_versions").fetchone()
        written = timed(lambda: connection.execute("UPDATE credential_versions SET nonce = nonce"))
        connection.rollback()
    taken = [timed(lambda: rotate_key(app)) for _ in range(3)]
    rows = [
        ("UPDATE of the same rows in one statement", milliseconds(written), "1.00x"),
        ("rotate_key, median of 3", milliseconds(sorted(taken)[1]), times(sorted(taken)[1], written)),
    ]
    print_table(f"master key rotated over {count and count[0]} stored values", ("", "time", "to UPDATE"), rows)


def audited(app: App) -> None:
    with app.database.transaction() as session:
        for number in range(ROWS):
            record(app, session, "bench.row", f"site:{number}", {"number": number})
    with psycopg.connect(place(app)) as connection:
        acts: dict[str, Callable[[], object]] = {
            "psycopg: the rows": lambda: connection.execute("SELECT * FROM audit ORDER BY id").fetchall(),
            "verify_audit": lambda: verify_audit(app),
        }
        found = interleaved(acts, ROUNDS)
    base = found["psycopg: the rows"]
    rows = [(name, milliseconds(seconds), times(seconds, base)) for name, seconds in found.items()]
    print_table(f"audit trail of {ROWS} rows, median of {ROUNDS}", ("", "time", "to psycopg"), rows)


def place(app: App) -> str:
    from vpsctl.db.locate import find_url

    url = find_url(app.settings, owner=True).reveal()
    return url.replace("postgresql+psycopg", "postgresql")


if __name__ == "__main__":
    main()
