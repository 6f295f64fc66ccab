"""Tables on a terminal: nothing longer than it, no word broken that has room, no cell lost."""

from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from vpsctl.cli.table import NARROWEST, draw

CREDENTIALS = ("NAME", "PROJECT", "KIND", "VERSION", "CHANGED", "DUE", "USED BY", "WAITS FOR A DEPLOY OF")
ROW = ("DB_PASSWORD", "(all)", "password", "3", "2026-11-20 20:37:34", "", "shop blog", "")
AUDIT = ("ROW", "AT", "BY", "FROM", "ACTION", "TARGET", "FIELDS", "RUN")
words = st.text(st.sampled_from("ab日é-"), min_size=1, max_size=NARROWEST // 2 - 4)
texts = st.lists(words, max_size=8).map(" ".join)
tables = st.integers(1, 6).flatmap(
    lambda count: st.tuples(
        st.lists(words, min_size=count, max_size=count),
        st.lists(st.lists(texts, min_size=count, max_size=count), max_size=4),
    )
)


@given(tables, st.integers(NARROWEST, 120))
@example((["A", "B"], [["", ""]]), NARROWEST)
def test_it_fits_with_every_word_of_every_cell_in_one_piece(table: tuple[list[str], list[list[str]]], width: int) -> None:
    columns, rows = table
    lines = draw(columns, rows, width)
    assert all(cell_len(line) <= width for line in lines)
    shown = [word for line in lines for word in line.split()]
    for word in {word for row in rows for cell in row for word in cell.split() if cell != "-"}:
        wanted = sum(cell.split().count(word) for row in rows for cell in row if cell != "-")
        assert shown.count(word) >= wanted


def test_one_that_fits_has_all_its_columns() -> None:
    assert draw(("NAME", "DUE"), [("TOKEN", "")], 80) == ["NAME   DUE", "──────────", "TOKEN"]


def test_one_that_does_not_fit_leaves_out_columns_that_are_empty_everywhere() -> None:
    heading, *_ = draw(CREDENTIALS[:7], [ROW[:7]], 75)
    assert heading == "NAME         PROJECT  KIND      VERSION  CHANGED              USED BY"
    assert "DUE" in draw(CREDENTIALS[:7], [ROW[:7]], 90)[0]


def test_the_last_columns_go_below_their_row_under_their_headings() -> None:
    second = (*ROW[:5], "2026-12-01", "shop blog reports", "shop")
    assert draw(CREDENTIALS, [ROW, second], 80)[2:] == [
        "DB_PASSWORD  (all)    password  3        2026-11-20 20:37:34",
        "    USED BY shop blog",
        "DB_PASSWORD  (all)    password  3        2026-11-20 20:37:34  2026-12-01",
        "    USED BY shop blog reports   WAITS FOR A DEPLOY OF shop",
    ]
    row = ("120", "2026-11-20 20:37:34", "root", "cli", "credential.set", "credential:acme/DB_PASSWORD", "version: 3", "")
    assert draw(AUDIT, [row], 80)[2:] == [
        "120  2026-11-20 20:37:34  root  cli   credential.set",
        "    TARGET credential:acme/DB_PASSWORD   FIELDS version: 3",
    ]


def test_the_widest_text_is_wrapped_in_its_column_where_it_has_room() -> None:
    assert draw(("PROVIDER", "BECAUSE"), [("systemd", "this machine has no systemd-creds and starts none")], 40) == [
        "PROVIDER  BECAUSE",
        "─" * 40,
        "systemd   this machine has no",
        "          systemd-creds and starts none",
    ]


def test_what_is_longer_than_a_line_is_broken_in_the_last_column_only() -> None:
    assert draw(("KEY", "VALUE"), [("mac", "f" * 50)], 40)[2:] == ["mac  " + "f" * 35, "     " + "f" * 15]
    assert draw(("VALUE", "KEY"), [("f" * 50, "mac")], 40)[2:] == ["f" * 40, "f" * 10, "    KEY mac"]


def test_colours_take_no_room() -> None:
    painted = draw(("STATE", "N"), [("ok", "1")], 80, lambda shown, cell: f"<{shown}>" if cell == "ok" else shown)
    assert painted[2] == "<ok   >  1"
