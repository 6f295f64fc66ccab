"""Counts clicks. An event stays in `taken` until it is counted, so a worker that dies loses none."""

import json
import logging
import os
import signal
from threading import Event

from redis import Redis
from redis.exceptions import RedisError

logging.basicConfig(level=logging.INFO, format="%(message)s")
log = logging.getLogger("worker")
# The read waits 2 s for an event, and its timeout must be longer.
store = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True, socket_timeout=10)
stopping = Event()


def stop(number: int, frame: object) -> None:
    stopping.set()


def count(event: str) -> None:
    """Both at once: an event is counted and gone, or neither."""
    with store.pipeline(transaction=True) as together:
        together.hincrby("clicks", json.loads(event)["code"], 1).lrem("taken", 1, event).execute()


def main() -> None:
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log.info("the worker of version %s counts", os.environ.get("VERSION", "1"))
    while not stopping.is_set():
        try:
            for event in store.lrange("taken", 0, -1):
                count(event)
            event = store.blmove("events", "taken", 2, "LEFT", "RIGHT")
            if event is not None:
                count(event)
        except RedisError as error:
            log.warning("redis: %s", error)
            stopping.wait(1)
    log.info("the worker ends")


if __name__ == "__main__":
    main()
