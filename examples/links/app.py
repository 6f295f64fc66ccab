"""Short links: `POST /` makes one, `GET /<code>` follows it and hands the click to the worker."""

import json
import os
import secrets
import time
from urllib.parse import urlsplit

from flask import Flask, Response, abort, redirect, render_template, request
from redis import Redis
from redis.exceptions import RedisError
from werkzeug.wrappers import Response as Answer

VERSION = os.environ.get("VERSION", "1")
store = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True, socket_timeout=3, socket_connect_timeout=3)
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 16 * 1024


@app.get("/")
def index() -> str:
    codes = store.lrange("links", 0, 49)
    links = [(code, store.get(f"link:{code}"), int(store.hget("clicks", code) or 0)) for code in codes]
    return render_template("index.html", links=links, version=VERSION)


@app.post("/")
def add() -> Answer:
    target = request.form.get("target", "").strip()
    if urlsplit(target).scheme not in ("http", "https") or len(target) > 2000:
        abort(400, "a link begins with http:// or https://")
    code = secrets.token_urlsafe(5)
    with store.pipeline() as together:
        together.set(f"link:{code}", target).lpush("links", code).execute()
    return redirect("/", 303)


@app.get("/<code>")
def follow(code: str) -> Answer:
    target = store.get(f"link:{code}")
    if target is None:
        abort(404)
    store.rpush("events", json.dumps({"code": code, "at": time.time()}))
    return redirect(target, 302)


@app.get("/healthz")
def health() -> Response:
    store.ping()
    return Response("ok\n", mimetype="text/plain")


@app.errorhandler(RedisError)
def unavailable(error: RedisError) -> Response:
    app.logger.error("redis: %s", error)
    return Response("the store does not answer\n", 503, mimetype="text/plain")


@app.after_request
def headers(response: Response) -> Response:
    response.headers["X-Version"] = VERSION
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"
    return response
