"""Try a connection URL of Redis."""

from urllib.parse import urlsplit

from vpsctl.credentials.probe.outcome import Outcome, sentence, silent, unreachable


def try_redis(url: str, seconds: float) -> Outcome:
    """Connects, which gives the user and password, and sends PING."""
    from redis import Redis, exceptions
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    where = f"Redis at {urlsplit(url).hostname}"
    try:
        client = Redis.from_url(url, socket_connect_timeout=seconds, socket_timeout=seconds, retry=Retry(NoBackoff(), 0))
    except ValueError:
        return Outcome(False, f"{where}: its client cannot read the URL")
    try:
        with client:
            client.ping()
    except exceptions.TimeoutError:
        return silent(where, seconds)
    except exceptions.NoPermissionError:
        return Outcome(True, f"{where} let this user in, and does not let it PING")
    except exceptions.AuthenticationError:
        given = urlsplit(url).password
        return Outcome(
            False, f"{where}: {'the password was refused' if given else 'it asks for a password, and none was given'}"
        )
    except exceptions.ConnectionError as error:
        return unreachable(where, error)
    except exceptions.RedisError as error:
        return Outcome(False, f"{where}: {sentence(error)}")
    return Outcome(True, f"{where} answered PING")
