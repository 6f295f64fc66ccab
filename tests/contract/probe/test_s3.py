"""S3 keys, tried on a server that knows users, keys and what they may do."""

import json
from collections.abc import Iterator

import boto3
import httpx
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from vpsctl.credentials.kinds.fields import from_fields
from vpsctl.credentials.probe.probe import Probe, probe
from vpsctl.errors import Invalid

WRONG = "cAnArY4MfXzcAnArY4MfXz"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def keys(server: str) -> dict[str, dict[str, str]]:
    """Of a user who may list the bucket shop-backup, and of one who may nothing; from then on the server asks for them."""
    common = {"region_name": "us-east-1", "endpoint_url": server, "config": Config(retries={"total_max_attempts": 1})}
    common |= {"aws_access_key_id": "root", "aws_secret_access_key": "root"}
    s3, iam = boto3.client("s3", **common), boto3.client("iam", **common)
    s3.create_bucket(Bucket="shop-backup")
    found = {}
    for user in ("backup", "nobody"):
        iam.create_user(UserName=user)
        made = iam.create_access_key(UserName=user)["AccessKey"]
        found[user] = {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="backup", PolicyName="list", PolicyDocument=json.dumps(allow))
    s3.close()
    iam.close()
    httpx.post(f"{server}/moto-api/reset-auth", content="0").raise_for_status()
    return found


def tried(fields: dict[str, str], endpoint: str, bucket: str = "shop-backup", seconds: float = 5) -> Probe:
    done = probe("s3", from_fields("s3", fields), {"endpoint": endpoint, "bucket": bucket}, seconds=seconds)
    assert fields["secret_access_key"] not in done.told
    return done


def test_keys_that_may_list_the_bucket(server: str, keys: dict[str, dict[str, str]]) -> None:
    done = tried(keys["backup"], server)
    assert (done.ok, done.told) == (True, f"bucket shop-backup at {server} let itself be listed")


def test_what_the_store_refuses(server: str, keys: dict[str, dict[str, str]]) -> None:
    unknown = {"access_key_id": "AKIAUNKNOWN", "secret_access_key": WRONG}
    for fields, bucket, said in [
        (unknown, "shop-backup", "the keys were refused (InvalidAccessKeyId)"),
        ({**keys["backup"], "secret_access_key": WRONG}, "shop-backup", "the keys were refused (SignatureDoesNotMatch)"),
        (keys["nobody"], "shop-backup", "may not list it"),
        (keys["backup"], "nosuch", "there is no such bucket"),
    ]:
        done = tried(fields, server, bucket)
        assert done.ok is False
        assert said in done.told


def test_a_port_where_nobody_listens(closed_port: int) -> None:
    done = tried({"access_key_id": "AKIAX", "secret_access_key": WRONG}, f"http://127.0.0.1:{closed_port}")
    assert (done.ok, done.reached) == (False, False)
    assert "cannot be reached" in done.told


def test_a_store_that_never_answers(silent_port: int) -> None:
    done = tried({"access_key_id": "AKIAX", "secret_access_key": WRONG}, f"http://127.0.0.1:{silent_port}", seconds=1)
    assert (done.ok, done.reached) == (False, False)
    assert "did not answer within 1 s" in done.told
    assert done.seconds < 2


def test_without_a_bucket_the_option_is_named() -> None:
    with pytest.raises(Invalid, match="--bucket"):
        probe("s3", from_fields("s3", {"access_key_id": "AKIAX", "secret_access_key": WRONG}), {})
