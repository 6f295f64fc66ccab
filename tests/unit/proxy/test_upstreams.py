"""The files Caddy reads: dealt evenly, swapped whole, collected, and safe against a kill."""

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpsctl.errors import Failed, Invalid
from vpsctl.proxy import upstreams as files
from vpsctl.proxy.types import Upstreams

FIRST = Upstreams("7", ("shop-app-r7-1:3000", "shop-app-r7-2:3000"))
SECOND = Upstreams("8", ("shop-app-r8-1:3000", "shop-app-r8-2:3000", "shop-app-r8-3:3000"))


def dialled(root: Path, site: str) -> tuple[str, ...]:
    """What Caddy finds, slot by slot."""
    return tuple((root / site / "current" / str(slot)).read_text() for slot in range(files.SLOTS))


@given(
    st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,20}:[1-9][0-9]{0,3}", fullmatch=True), min_size=1, max_size=12, unique=True)
)
def test_every_address_has_its_share_of_the_slots(addresses: list[str]) -> None:
    dealt = Counter(files.slots(addresses))
    assert sum(dealt.values()) == files.SLOTS
    assert dealt.keys() == set(addresses)
    assert max(dealt.values()) - min(dealt.values()) <= 1


@pytest.mark.parametrize(
    "addresses", [(), tuple(f"a{n}:1" for n in range(13)), ("a",), ("a b:1",), ("a:1\n",), ("{env.X}:1",)]
)
def test_what_is_no_set_of_addresses_is_refused(addresses: tuple[str, ...]) -> None:
    with pytest.raises(Invalid):
        files.slots(addresses)


def test_a_swap_returns_what_was_before_and_is_read_back(tmp_path: Path) -> None:
    assert files.current(tmp_path, "shop") is None
    assert files.swap(tmp_path, "shop", FIRST) is None
    assert dialled(tmp_path, "shop") == files.slots(FIRST.addresses)
    assert files.swap(tmp_path, "shop", SECOND) == FIRST
    assert files.current(tmp_path, "shop") == SECOND
    assert dialled(tmp_path, "shop") == files.slots(SECOND.addresses)


def test_the_last_generation_stays_for_a_request_that_just_resolved_it_and_older_ones_go(tmp_path: Path) -> None:
    files.swap(tmp_path, "shop", FIRST)
    resolved = (tmp_path / "shop" / "current").resolve()
    files.swap(tmp_path, "shop", SECOND)
    assert (resolved / "0").read_text() == FIRST.addresses[0]
    for _ in range(3):
        files.swap(tmp_path, "shop", FIRST)
    assert not resolved.exists()
    assert len(list((tmp_path / "shop").iterdir())) == 3  # the link and two generations


def test_any_user_may_read_the_files(tmp_path: Path) -> None:
    files.swap(tmp_path, "shop", FIRST)
    files.set_maintenance(tmp_path, "shop", "soon")
    generation = (tmp_path / "shop" / "current").resolve()
    assert generation.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in generation.iterdir()} == {0o644}
    assert (tmp_path / "shop" / "maintenance.html").stat().st_mode & 0o777 == 0o644


def test_a_hold_refuses_every_dial_and_names_what_was_served(tmp_path: Path) -> None:
    files.swap(tmp_path, "shop", FIRST)
    assert not files.held(tmp_path, "shop")
    assert files.hold(tmp_path, "shop") == FIRST
    assert set(dialled(tmp_path, "shop")) == {"127.0.0.1:1"}
    assert files.current(tmp_path, "shop") is None
    assert files.held(tmp_path, "shop")
    assert files.swap(tmp_path, "shop", SECOND) is None
    assert not files.held(tmp_path, "shop")


def test_forgetting_removes_the_site_and_no_other(tmp_path: Path) -> None:
    files.swap(tmp_path, "shop", FIRST)
    files.swap(tmp_path, "shop-2", SECOND)
    files.forget(tmp_path, "shop")
    files.forget(tmp_path, "shop")
    assert [path.name for path in tmp_path.iterdir()] == ["shop-2"]
    assert files.current(tmp_path, "shop") is None
    assert not files.held(tmp_path, "shop")
    assert files.current(tmp_path, "shop-2") == SECOND


def test_the_maintenance_page_comes_and_goes_without_the_upstreams(tmp_path: Path) -> None:
    assert files.maintained(tmp_path, "shop") is None
    files.set_maintenance(tmp_path, "shop", None)
    files.set_maintenance(tmp_path, "shop", "<p>schön</p>")
    assert files.maintained(tmp_path, "shop") == "<p>schön</p>"
    files.swap(tmp_path, "shop", FIRST)
    assert files.maintained(tmp_path, "shop") == "<p>schön</p>"
    files.set_maintenance(tmp_path, "shop", None)
    assert files.maintained(tmp_path, "shop") is None
    assert files.current(tmp_path, "shop") == FIRST


def test_a_page_that_caddy_would_cut_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="the maintenance page of shop is 1048577 bytes"):
        files.set_maintenance(tmp_path, "shop", "x" * (files.PAGE_LIMIT + 1))


@pytest.mark.parametrize("site", ["", "..", "a/b", "a}", ".shop", "-shop", "Shop"])
def test_a_name_that_is_no_sites_leads_nowhere(tmp_path: Path, site: str) -> None:
    with pytest.raises(Invalid, match="is not a site's name"):
        files.swap(tmp_path / "root", site, FIRST)
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    files.swap(tmp_path, "shop", FIRST)
    (tmp_path / "shop" / "current" / "state.json").write_text("{")
    with pytest.raises(Failed, match=r"cannot read .*state\.json"):
        files.current(tmp_path, "shop")


def test_killed_at_any_moment_it_leaves_one_whole_set_and_the_next_swap_cleans_up(tmp_path: Path) -> None:
    files.swap(tmp_path, "shop", FIRST)
    endless = f"""
from pathlib import Path
from vpsctl.proxy import upstreams as files
from vpsctl.proxy.types import Upstreams
first, second = {FIRST!r}, {SECOND!r}
print(flush=True)
while True:
    files.swap(Path({str(tmp_path)!r}), "shop", second)
    files.swap(Path({str(tmp_path)!r}), "shop", first)
"""
    for moment in range(5):
        with subprocess.Popen([sys.executable, "-c", endless], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.01 + moment * 0.0071)
            process.send_signal(signal.SIGKILL)
        found = files.current(tmp_path, "shop")
        assert found in (FIRST, SECOND)
        assert dialled(tmp_path, "shop") == files.slots(found.addresses)
    files.swap(tmp_path, "shop", FIRST)
    assert len(list((tmp_path / "shop").iterdir())) <= 3
