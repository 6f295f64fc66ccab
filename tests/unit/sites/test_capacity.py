"""The sum of the caps, and what still fits."""

from vpsctl.sites.capacity import Cap, Machine, budget, fits

GIB = 1024**3
MACHINE = Machine(2, 4 * GIB)
STANDING = [
    Cap("site", "shop", GIB, 0.5),
    Cap("other", "legacy", None, None),
    Cap("site", "shop", GIB, 0.5),
    Cap("foundation", "postgres", GIB // 2, 1.0),
]


def test_caps_are_added_up_by_their_owner() -> None:
    found = budget(STANDING, MACHINE)
    assert [(item.kind, item.name, item.containers, item.memory, item.cpus, item.uncapped) for item in found.shares] == [
        ("foundation", "postgres", 1, GIB // 2, 1.0, 0),
        ("site", "shop", 2, 2 * GIB, 1.0, 0),
        ("other", "legacy", 1, 0, 0.0, 1),
    ]
    assert (found.memory, found.cpus, found.uncapped) == (2 * GIB + GIB // 2, 2.0, 1)
    assert (found.memory_left, found.cpus_left) == (GIB + GIB // 2, 0.0)


def test_more_than_the_machine_has_is_said_with_the_numbers() -> None:
    found = fits(budget(STANDING, MACHINE), [Cap("site", "blog", 2 * GIB, 0.5)])
    assert not found.fits
    assert found.reasons == ("the memory limits together would be 4.5 GiB of the machine's 4.0 GiB (0.5 GiB too much)",)


def test_a_site_that_is_deployed_again_takes_over_its_own_share() -> None:
    more = [Cap("site", "shop", 3 * GIB + GIB // 2, 0.5)]
    assert fits(budget(STANDING, MACHINE), more, replaces="shop").fits
    assert not fits(budget(STANDING, MACHINE), more).fits
    assert not fits(budget(STANDING, MACHINE), more, replaces="legacy").fits


def test_limits_of_processors_may_add_up_to_more_but_one_may_not_exceed_the_machine() -> None:
    assert fits(budget(STANDING, MACHINE), [Cap("site", "blog", 1, 2.0)]).fits
    found = fits(budget(STANDING, MACHINE), [Cap("site", "blog", 1, 2.5)])
    assert found.reasons == ("blog asks for 2.5 CPUs, the machine has 2",)
