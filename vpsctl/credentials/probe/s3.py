"""Try S3 keys on a bucket."""

from collections.abc import Mapping

from vpsctl.credentials.probe.outcome import Outcome, needed, sentence, silent, unreachable

DEFAULT_REGION = "us-east-1"
REFUSED = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "InvalidClientTokenId")


def try_s3(keys: Mapping[str, str], details: Mapping[str, str], seconds: float) -> Outcome:
    """Lists one object of the bucket. Without an endpoint the store is Amazon's. Raises Invalid without a bucket."""
    import boto3  # type: ignore[import-untyped]
    from botocore import exceptions  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    bucket = needed(details, "bucket", "give --bucket NAME, and --endpoint https://… for a store that is not Amazon's")
    endpoint = details.get("endpoint")
    where = f"bucket {bucket} at {endpoint or 'Amazon S3'}"
    config = Config(
        connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 1},
        ignore_configured_endpoint_urls=True, s3={"addressing_style": "path" if endpoint else "auto"},
    )  # fmt: skip
    try:
        client = boto3.client(
            "s3",
            aws_access_key_id=keys["access_key_id"],
            aws_secret_access_key=keys["secret_access_key"],
            aws_session_token=keys.get("session_token"),
            region_name=details.get("region") or keys.get("region") or DEFAULT_REGION,
            endpoint_url=endpoint,
            config=config,
        )
        try:
            client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        finally:
            client.close()
    except exceptions.ClientError as error:
        return Outcome(False, f"{where}: {_answer(str(error.response.get('Error', {}).get('Code', 'unknown')))}")
    except (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError):
        return silent(where, seconds)
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        return unreachable(where, error)
    except (exceptions.BotoCoreError, ValueError) as error:
        return Outcome(False, f"{where}: {sentence(error)}")
    return Outcome(True, f"{where} let itself be listed")


def _answer(code: str) -> str:
    """What an error code of S3 means for the keys."""
    if code in REFUSED:
        return f"the keys were refused ({code})"
    if code == "AccessDenied":
        return "the keys are known, but may not list it (AccessDenied)"
    if code == "NoSuchBucket":
        return "there is no such bucket"
    if code in ("PermanentRedirect", "AuthorizationHeaderMalformed", "301"):
        return f"it is in another region: give --region ({code})"
    return f"the store answered {code}"
