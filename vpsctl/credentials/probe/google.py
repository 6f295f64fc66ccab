"""Try a service account: a token for BigQuery, and a query that is planned but not run."""

import json
from dataclasses import replace
from functools import partial

from vpsctl.credentials.probe.http import origin
from vpsctl.credentials.probe.outcome import Outcome, sentence, silent, unreachable

SCOPE = "https://www.googleapis.com/auth/bigquery"
BIGQUERY = "https://bigquery.googleapis.com"


def try_service_account(document: str, endpoint: str | None, seconds: float) -> Outcome:
    """Gets a token where the file says, and shows it to BigQuery, or to what stands in for it at `endpoint`."""
    from google.auth import exceptions
    from google.auth.transport.requests import Request
    from google.oauth2.service_account import Credentials

    account = json.loads(document)
    name, asked = account["client_email"], origin(account["token_uri"])
    try:
        credentials = Credentials.from_service_account_info(account, scopes=[SCOPE])  # type: ignore[no-untyped-call]
        credentials.refresh(partial(Request(), timeout=seconds))
    except exceptions.RefreshError as error:
        return Outcome(
            False, f"{asked}: the key of {name} was refused ({sentence(str(error.args[0]) if error.args else error)})"
        )
    except exceptions.TransportError as error:
        return silent(asked, seconds) if "timed out" in str(error) else unreachable(asked, error)
    except (exceptions.GoogleAuthError, ValueError) as error:
        return Outcome(False, f"{asked}: {sentence(error)}")
    return _try_bigquery(name, account["project_id"], str(credentials.token), endpoint or BIGQUERY, seconds)


def _try_bigquery(name: str, project: str, token: str, endpoint: str, seconds: float) -> Outcome:
    """A dry run of SELECT 1 in the account's project (jobs.query, dryRun), which costs nothing."""
    import httpx

    where, known = origin(endpoint), f"the key of {name} is good"
    url = f"{endpoint.rstrip('/')}/bigquery/v2/projects/{project}/queries"
    try:
        query = {"query": "SELECT 1", "dryRun": True, "useLegacySql": False}
        response = httpx.post(url, json=query, headers={"Authorization": f"Bearer {token}"}, timeout=seconds)
    except httpx.TimeoutException:
        return replace(silent(where, seconds), told=f"{known}, but {silent(where, seconds).told}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return replace(unreachable(where, error), told=f"{known}, but {unreachable(where, error).told}")
    if response.status_code == 200:
        return Outcome(True, f"BigQuery lets {name} query in project {project}")
    return Outcome(
        False, f"{known}, but BigQuery answered {response.status_code} for project {project}: {_message(response.text)}"
    )


def _message(text: str) -> str:
    try:
        return sentence(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"
