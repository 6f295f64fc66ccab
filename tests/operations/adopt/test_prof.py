import time, pytest
from tests.operations.adopt.conftest import *
from tests.operations.adopt.test_adopt import *
from vpsctl.runs import StepFinished
def test_prof(stranger, docker_client, pair):
    t=time.monotonic()
    def rep(e):
        if isinstance(e, StepFinished): print(f"{time.monotonic()-t:6.2f} {e.name} {e.seconds:.2f} {e.detail}")
    app,(web,database)=stranger.app,pair
    wish=stranger.wish(web,database)
    r=adopt(app,wish,report=rep); print("adopted",time.monotonic()-t)
    edit(r,"x-vpsctl:\n",QUICK)
    deploy(app,wish.name,report=rep); print("dep",time.monotonic()-t)
    rollback(app,wish.name,report=rep); print("rb",time.monotonic()-t)
    remove_site(app,wish.name,report=rep); print("rm",time.monotonic()-t)
    print(r.compose); print(r.steps)
