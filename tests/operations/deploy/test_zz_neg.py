import pytest

import vpsctl.sites.lifecycle as l
import vpsctl.sites.rollout as r
from tests.operations.deploy.test_review import *  # noqa
from tests.operations.deploy.test_review import test_a_database_that_is_renamed_over_its_volume as t1
from tests.operations.deploy.test_review import test_starting_after_a_kill_that_left_the_new_database as t2


def test_neg(make_site, docker_client, monkeypatch):
    monkeypatch.setattr(r, "obsolete_holders", lambda *a: [])
    with pytest.raises(AssertionError) as e:
        t1(make_site, docker_client)
    print(e.value)
    assert "2 == 1" in str(e.value)


def test_neg2(make_site, docker_client, monkeypatch):
    monkeypatch.setattr(l, "settle", lambda *a, **k: None)
    with pytest.raises(AssertionError) as e:
        t2(make_site, start_site, docker_client)
    print(e.value)
