"""Moving the traffic to the new release, seeing it arrive, and letting the old one finish what it is doing."""

import time

from vpsctl.errors import Failed, Unavailable
from vpsctl.proxy.types import Upstreams
from vpsctl.sites import naming
from vpsctl.sites.releases import mark_serving
from vpsctl.sites.stopping import stop_all
from vpsctl.sites.undo import web_address
from vpsctl.sites.work import Work

CONFIRM_TRIES = 5


def switch(work: Work) -> None:
    """The one moment at which the traffic moves: an atomic rename. From here on the work goes on without the ledger."""
    work.lock.check()
    route, addresses = work.route(), work.web_addresses()
    proxy = work.app.proxy
    if route is not None:
        target = Upstreams(str(work.release), addresses)
        known = proxy.current(work.site) is not None or proxy.held(work.site)
        if known:
            proxy.ensure_routes([route])
        work.run.detach()
        work.switched = True
        begin = time.monotonic()
        proxy.switch(work.site, target)
        work.switch_time = time.monotonic() - begin
        if not known:
            proxy.ensure_routes([route])
    else:
        work.run.detach()
        work.switched = True
        proxy.ensure_routes([], remove=[work.site])
        proxy.forget(work.site)
    try:
        mark_serving(work.app, work.task.site.id, work.release_id)
    except Unavailable as error:
        work.run.log(f"not recorded, the proxy's files say what serves: {error.message}")


def confirm(work: Work) -> None:
    """A request through the proxy must be answered by the new release. Raises Failed when it is not."""
    route = work.route()
    if route is None:
        return
    probe = work.spec.intent.probe
    wanted = set(work.web_addresses())
    low, high = probe.expect_status
    said = ""
    for _ in range(CONFIRM_TRIES):
        answer = work.app.proxy.fetch(route, probe.path, timeout=probe.timeout)
        if answer.upstream in wanted and low <= answer.status <= high:
            work.run.log(f"{answer.upstream} answered {answer.status} through the proxy")
            return
        said = f"{answer.upstream or 'the proxy itself'} answered {answer.status}"
        time.sleep(0.1)
    raise Failed(f"r{work.release} of {work.site} does not answer through the proxy: {said}", hint="vpsctl proxy show")


def drain(work: Work) -> None:
    """Wait until the old containers have no request in flight; those left at drain_timeout are cut, and counted."""
    old = [web_address(item) for item in work.stale() if item.labels.get(naming.ROLE) == "web"]
    if not old:
        return
    left = work.app.proxy.drain(old, timeout=work.spec.intent.update.drain_timeout)
    if left:
        work.run.log(f"{left} requests were still in flight after drain_timeout and are cut")


def stop_old(work: Work) -> None:
    """The old containers stop and stay, for logs and for the way back."""
    stop_all(work.app.engine, work.stale(), work.spec)
