"""Which services may run twice side by side, and so how a deploy replaces each of them."""

from typing import Literal

from vpsctl.sites.compose.spec import Port, Service, SiteSpec

Order = Literal["start-first", "stop-first", "recreate"]

_DATABASES = frozenset({
    "postgres", "postgresql", "postgis", "pgvector", "timescaledb", "timescaledb-ha", "mysql", "mysql-server",
    "mariadb", "percona", "redis", "redis-stack", "redis-stack-server", "valkey", "keydb", "dragonfly", "mongo",
    "mongodb", "mongodb-community-server", "clickhouse", "clickhouse-server", "cassandra", "scylla", "couchdb",
    "influxdb", "elasticsearch", "opensearch", "meilisearch", "typesense", "rabbitmq", "nats", "kafka", "neo4j",
    "minio", "cockroach", "etcd", "memcached", "qdrant", "mssql",
})  # fmt: skip


def holds_data(service: Service) -> bool:
    """Whether it writes to a place that its successor would write to as well: a named volume or a bind, not read-only.

    An anonymous volume or a tmpfs belongs to one container alone.
    """
    return any(item.kind != "tmpfs" and item.source is not None and not item.read_only for item in service.volumes)


def is_stateful(service: Service) -> bool:
    """Whether two containers of it at once would ruin its data, or each serve half of it: a known database, cache, search
    engine or broker, by any part of the image's path.

    A database owns its files: two of them over one volume corrupt it, and two with a volume each answer in turn with
    different rows. A volume alone does not say that: a web service with an `uploads` volume may run twice, since
    its processes already share those files with each other.
    """
    if service.image is None or service.image.startswith("sha256:"):
        return False
    *hosts, last = service.image.partition("@")[0].split("/")
    return not _DATABASES.isdisjoint((*hosts, last.partition(":")[0]))


def beside_web(spec: SiteSpec, service: Service) -> tuple[Port, ...]:
    """The ports it really publishes: the web port is the proxy's way in, which needs none on the machine."""
    web = spec.intent.web
    return tuple(port for port in service.ports if web is None or (service.name, port.target) != (web.service, web.port))


def runs_once(spec: SiteSpec, name: str) -> bool:
    """Whether some service waits for this one to complete."""
    return any(service.depends_on.get(name) == "service_completed_successfully" for service in spec.services.values())


def update_order(spec: SiteSpec, service: Service) -> Order:
    """How a deploy replaces its containers.

    * start-first: the new ones run beside the old ones, then the old ones go. The web service and workers.
    * stop-first: the old ones go first, at every deploy. The web service and workers when they publish a port, which one
      container at a time can hold, or when `update.order` says so; a database that is itself the web service.
    * recreate: stop-first, and only when the definition changed. Databases, and any other service that writes to a
      volume or a bind: whether it stands a second writer is unknown, so it is not tried.
    """
    is_web = spec.intent.web is not None and spec.intent.web.service == service.name
    if not is_web and (is_stateful(service) or holds_data(service)):
        return "recreate"
    alone = is_stateful(service) or service.network_mode == "host" or bool(beside_web(spec, service))
    return "stop-first" if alone or spec.intent.update.order == "stop-first" else "start-first"
