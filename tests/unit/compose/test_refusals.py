"""Everything that is refused: the sentence names the key and the exact line, and the hint says what to do."""

import pytest

from tests.unit.compose.reading import BODY, app, refused, site
from vpsctl.sites.compose.spec import Allowances

# (body of the service `app`, its first line is line 5; path; line; words of the message; words of the hint)
SERVICE = [
    ("imgae: x", "imgae", 5, "vpsctl does not support 'imgae' here", "did you mean image?"),
    ("init: true\nfoo: 1", "foo", 6, "vpsctl does not support 'foo' here", "remove it or prefix it with x-"),
    ("container_name: x", "container_name", 5, "does not support", "service name"),
    ("secrets: [a]", "secrets", 5, "does not support", "x-vpsctl.secrets"),
    ("cap_add: [NET_ADMIN]", "cap_add", 5, "does not support", "remove it"),
    ("devices: [/dev/sda]", "devices", 5, "does not support", "remove it"),
    ("extends: {service: b}", "extends", 5, "does not support", "<<: *name"),
    ("build: .", "image", 4, "image and build together", "remove image"),
    ("command: {a: b}", "command", 5, "must be a single value, not a mapping", ""),
    ("command: a 'b", "command", 5, "cannot be split into words", "list"),
    ("command: echo 'a && b' \\; \"c;d\" ; e", "command", 5, "no shell reads it", ""),
    ("command: a && b", "command", 5, "no shell reads it", 'write ["sh", "-c"'),
    ("command: wget http://h/?a=1&b=2", "command", 5, "no shell reads it", "quotes"),
    ("command:\n  - a\n  -", "command[1]", 7, "has no value", "remove line 7"),
    ("command: [[a]]", "command[0]", 5, "must be a single value, not a list", ""),
    ("entrypoint: a | b", "entrypoint", 5, "no shell reads it", ""),
    # environment
    ("environment:\n  A: 1\n  B: [1]", "environment.B", 7, "must be a single value, not a list", ""),
    ("environment:\n  - A=1\n  - A=2", "environment[1]", 7, "A is set twice", "keep one"),
    ("environment:\n  - A: 1", "environment[0]", 6, "KEY=value", "- KEY=value"),
    ("environment:\n  - A =1", "environment.'A '", 6, "'A ' is not a variable's name", "NAME=value"),
    ("environment:\n  ? A B\n  : 1", "environment.'A B'", 6, "is not a variable's name", ""),
    ("environment: text", "environment", 5, "must be a mapping of keys, not a single value", ""),
    ("environment:\n  A: ${B}", "environment.A", 6, "B has no value", "vpsctl env set shop B=VALUE, or: vpsctl cred set B"),
    ("environment:\n  A: ${B:?say why}", "environment.A", 6, "B has no value: say why", "vpsctl env set shop B"),
    ("environment:\n  B:", "environment.B", 6, "B has no value", "vpsctl env set shop B"),
    ("environment:\n  - B", "environment.B", 6, "B has no value", "vpsctl env set shop B"),
    ("environment:\n  A: ${", "environment.A", 6, "after ${ must come a variable's name", "$$"),
    ("environment:\n  A: ${B", "environment.A", 6, "must be closed with }", "$$"),
    ("environment:\n  A: ${B!}", "environment.A", 6, "must be closed with }", "$$"),
    ("environment:\n  A: ${B:}", "environment.A", 6, "must be closed with }", "$$"),
    ("environment:\n  A: ${B:-x", "environment.A", 6, "must be closed with }", "$$"),
    ("environment:\n  A: ${1}", "environment.A", 6, "after ${ must come a variable's name", "$$"),
    # env_file
    ("env_file: a.env", "env_file", 5, "there is no file 'a.env'", "required: false"),
    ("env_file:\n  - {path: a.env, required: true}", "env_file[0]", 6, "there is no file 'a.env'", ""),
    ("env_file: ../a.env", "env_file", 5, "not a file in the site's directory", "beside compose.yaml"),
    ("env_file: /etc/passwd", "env_file", 5, "not a file in the site's directory", "beside compose.yaml"),
    ("env_file: ${A}.env", "env_file", 5, "must be written out", ""),
    ("env_file:\n  - {path: a, format: raw}", "env_file[0].format", 6, "does not support 'format'", ""),
    ("env_file:\n  - {required: true}", "env_file[0]", 6, "has no path", ""),
    ("env_file:\n  - {path: a, required: maybe}", "env_file[0].required", 6, "not true or false", ""),
    # ports
    ("ports: 80", "ports", 5, "must be a list, not a single value", ""),
    ("ports:\n  - '80'\n  - '080:80'", "ports[1]", 7, "'080' is not a plain whole number", ""),
    ("ports: ['70000']", "ports[0]", 5, "those go from 1 to 65535", ""),
    ("ports: ['0']", "ports[0]", 5, "is not a port", ""),
    ("ports: ['a:80']", "ports[0]", 5, "'a:80' is not a port", '"8080:80"'),
    ("ports: ['80/sctp']", "ports[0]", 5, "'sctp' is not tcp or udp", ""),
    ("ports: ['8000-8002:80-81']", "ports[0]", 5, "differ in length", ""),
    ("ports: ['8000-8002:80']", "ports[0]", 5, "differ in length", ""),
    ("ports: ['9-8']", "ports[0]", 5, "not a range of 1 to 100 ports", ""),
    ("ports: ['1-1000']", "ports[0]", 5, "not a range of 1 to 100 ports", ""),
    ("ports: ['1-']", "ports[0]", 5, "is not a plain whole number", ""),
    ("ports: ['1.2.3:80:80']", "ports[0]", 5, "'1.2.3' is not an IP address", "127.0.0.1"),
    ("ports: ['80', '80']", "ports", 5, "port 80 stands there twice", ""),
    ("ports:\n  - {published: 80}", "ports[0]", 6, "has no target", ""),
    ("ports:\n  - {target: 80, mode: host}", "ports[0].mode", 6, "does not support 'mode'", "one machine"),
    ("ports:\n  - {target: 0x50}", "ports[0].target", 6, "'0x50' is not a plain whole number", ""),
    # volumes
    ("volumes: [data]", "volumes[0]", 5, "'data' is not an absolute path in the container", ""),
    ("volumes: ['data:/']", "volumes[0]", 5, "'/' is not an absolute path", ""),
    ("volumes: ['a:/b:ro:x']", "volumes[0]", 5, "is not a volume", "data:/var/lib/data"),
    ("volumes: ['a:/b:z']", "volumes[0]", 5, "'z' is not ro or rw", ""),
    ("volumes: ['~/x:/b']", "volumes[0]", 5, "'~/x' is not a path", "./data"),
    ("volumes: ['a b:/b']", "volumes[0]", 5, "'a b' is not a volume's name", "./"),
    ("volumes: ['./a:/b', './c:/b']", "volumes[1]", 5, "two volumes are mounted at /b", ""),
    ("volumes:\n  - data:/data", "volumes", 5, "the volume data is not declared", "volumes: {data: {}}"),
    ("volumes:\n  - {type: volume}", "volumes[0]", 6, "has no target", ""),
    ("volumes:\n  - {type: bind, target: /a}", "volumes[0]", 6, "has no source", ""),
    ("volumes:\n  - {type: npipe, target: /a}", "volumes[0].type", 6, "not one of volume, bind, tmpfs", ""),
    ("volumes:\n  - {type: tmpfs, target: /a, source: b}", "volumes[0].source", 6, "a tmpfs has no source", ""),
    ("volumes:\n  - {type: bind, target: /a, source: ./b, tmpfs: {}}", "volumes[0].tmpfs", 6, "type: tmpfs", ""),
    ("volumes:\n  - {type: volume, target: /a, volume: {nocopy: true}}", "volumes[0].volume", 6, "does not support", ""),
    ("tmpfs: run", "tmpfs", 5, "'run' is not an absolute path", ""),
    ("tmpfs: ['/run:size=1m;x']", "tmpfs[0]", 5, "is not an absolute path", ""),
    # health check
    ("healthcheck: {test: [curl]}", "healthcheck.test", 5, "is not a test", "CMD-SHELL"),
    ("healthcheck: {test: []}", "healthcheck.test", 5, "is not a test", ""),
    ("healthcheck: {test: [CMD-SHELL, a, b]}", "healthcheck.test", 5, "is not a test", ""),
    ("healthcheck: {test: ''}", "healthcheck.test", 5, "is empty", "disable: true"),
    ("healthcheck:\n  interval: 30", "healthcheck.interval", 6, "'30' is not a duration", ""),
    ("healthcheck:\n  start_interval: 5s", "healthcheck.start_interval", 6, "does not support", "engines before 25"),
    ("healthcheck: {retries: 03}", "healthcheck.retries", 5, "'03' is not a plain whole number", ""),
    ("healthcheck: {retries: 0}", "healthcheck.retries", 5, "0 is not from 1 to 1000", ""),
    ("healthcheck: {disable: yes}", "healthcheck.disable", 5, "'yes' is not true or false", "write true or false"),
    # resources
    ("deploy:\n  replicas: 012", "deploy.replicas", 6, "'012' is not a plain whole number", ""),
    ("deploy: {replicas: 13}", "deploy.replicas", 5, "13 is not from 0 to 12", ""),
    ("deploy: {update_config: {}}", "deploy.update_config", 5, "does not support", "x-vpsctl.update"),
    ("deploy: {restart_policy: {}}", "deploy.restart_policy", 5, "does not support", "restart:"),
    ("deploy: {resources: {limits: {memory: lots}}}", "deploy.resources.limits.memory", 5, "'lots' is not a size", ""),
    ("deploy: {resources: {limits: {memory: 1M}}}", "deploy.resources.limits.memory", 5, "below the 6M", ""),
    ("deploy: {resources: {limits: {cpus: 0}}}", "deploy.resources.limits.cpus", 5, "not a number of CPUs", ""),
    ("deploy: {resources: {reservations: {cpus: 1}}}", "deploy.resources.reservations.cpus", 5, "does not", "limit CPUs"),
    (
        "deploy:\n  resources:\n    limits: {memory: 64M}\n    reservations:\n      memory: 65M",
        "deploy.resources.reservations.memory", 9, "more memory is reserved", "",
    ),
    ("mem_limit: 64m\ndeploy: {resources: {limits: {memory: 65M}}}", "mem_limit", 5,
     "differs from services.app.deploy", "one of the two"),
    ("deploy: {resources: {limits: {cpus: 1}}}\ncpus: 2", "cpus", 6, "limits.cpus on line 5", "one of the two"),
    ("pids_limit: 5", "pids_limit", 5, "does not support", "limits: {pids: N}"),
    # the rest
    ("restart: sometimes", "restart", 5, "is not one of no, always", ""),
    ("restart: always:3", "restart", 5, "is not one of no, always", ""),
    ("labels: {vpsctl.site: x}", "labels.vpsctl.site", 5, "vpsctl's own", ""),
    ("labels: [=x]", "labels.''", 5, "is not a label's name", ""),
    ("logging: {driver: jsonfile}", "logging.driver", 5, "not one of json-file", "did you mean json-file?"),
    ("stop_grace_period: 1 minute", "stop_grace_period", 5, "is not a duration", ""),
    ("stop_grace_period: 99999h", "stop_grace_period", 5, "longer than a year", ""),
    ("stop_signal: SIGNAL", "stop_signal", 5, "is not a signal", "" ),
    ("user: 'a b'", "user", 5, "'a b' is not a user", ""),
    ("working_dir: app", "working_dir", 5, "'app' is not an absolute path", ""),
    ("read_only: on", "read_only", 5, "'on' is not true or false", ""),
    ("cap_drop: [net_raw]", "cap_drop[0]", 5, "is not a capability", ""),
    ("security_opt: [seccomp=./x.json]", "security_opt[0]", 5, "a seccomp profile of its own", ""),
    ("security_opt: [what]", "security_opt[0]", 5, "is not a security option", ""),
    ("extra_hosts: [db]", "extra_hosts[0]", 5, "'db' is not a host", ""),
    ("extra_hosts: ['db:nowhere']", "extra_hosts[0]", 5, "'db:nowhere' is not a host name and an address", ""),
    ("shm_size: 1x", "shm_size", 5, "'1x' is not a size", ""),
    ("ulimits: {files: 5}", "ulimits.files", 5, "does not support 'files'", ""),
    ("ulimits: {nofile: {soft: 5}}", "ulimits.nofile", 5, "needs soft and hard", ""),
    ("ulimits: {nofile: {soft: 5, hard: 4}}", "ulimits.nofile.soft", 5, "above the hard one", ""),
    ("ulimits: {nofile: {soft: -1, hard: 4}}", "ulimits.nofile.soft", 5, "above the hard one", ""),
    ("networks: [back]", "networks", 5, "the network back is not declared", "networks: {back: {}}"),
    ("networks:\n  back:\n    ipv4_address: 10.0.0.1", "networks.back.ipv4_address", 7, "does not support", "by name"),
    ("networks: [A]", "networks", 5, "'A' is not a network's name", ""),
    ("depends_on:\n  - db", "depends_on", 5, "there is no service 'db'", "services: app"),
    ("depends_on:\n  db: {}", "depends_on.db", 6, "there is no service 'db'", "services: app"),
    ("depends_on: {app: {condition: ready}}", "depends_on.app.condition", 5, "is not one of service_started", ""),
    ("depends_on: {app: {restart: true}}", "depends_on.app.restart", 5, "does not support", ""),
    ("depends_on: [app]", "depends_on", 5, "wait for each other: app → app", ""),
    ("network_mode: bridge", "network_mode", 5, "does not support 'bridge' here", ""),
    ("network_mode: none\nports: [80]", "ports", 6, "no meaning beside network_mode: none", ""),
    ("profiles: [a]", "", 0, "there is no service to run", "x-vpsctl: {profiles"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "path", "line", "words", "hint"), SERVICE, ids=[repr(row[0]) for row in SERVICE])
def test_a_service_is_refused(body: str, path: str, line: int, words: str, hint: str) -> None:
    error = refused(app(body))
    if path:
        assert error.message.startswith(f"compose.yaml: services.app.{path}, line {line}: ")
    assert words in error.message
    assert hint in error.hint


BUILD = [
    ("build: ..", "build", "outside the site's directory"),
    ("build: /srv", "build", "outside the site's directory"),
    ("build: https://host.example/x.git", "build", "is not a directory"),
    ("build: {context: a, dockerfile: ../../Dockerfile}", "build.dockerfile", "outside the site's directory"),
    ("build: {dockerfile_inline: FROM x}", "build.dockerfile_inline", "does not support"),
    ("build: {args: {A B: 1}}", "build.args.'A B'", "is not a build argument's name"),
    ("build: {args: {A: }}", "build.args.A", "A has no value"),
    ("init: true", "", "has neither image nor build"),
]


@pytest.mark.parametrize(("body", "path", "words"), BUILD, ids=[row[0] for row in BUILD])
def test_a_build_is_refused(body: str, path: str, words: str) -> None:
    error = refused(f"name: a\nservices:\n  app:\n    {body}\n")
    line = 4 if path else 3
    assert error.message.startswith(f"compose.yaml: services.app{'.' if path else ''}{path}, line {line}: ")
    assert words in error.message


MACHINE = [
    ("privileged: true", "privileged", "privileged"),
    ("network_mode: host", "network_mode", "host_namespaces"),
    ("pid: host", "pid", "host_namespaces"),
    ("ipc: host", "ipc", "host_namespaces"),
    ("security_opt: ['seccomp:unconfined']", "security_opt[0]", "privileged"),
    ("security_opt: [apparmor=unconfined]", "security_opt[0]", "privileged"),
    ("volumes: ['/var/run/docker.sock:/s']", "volumes[0]", "docker_socket"),
    ("volumes: ['/run/docker.sock:/s:ro']", "volumes[0]", "docker_socket"),
    ("volumes: ['//var/run/../run/docker.sock:/s']", "volumes[0]", "docker_socket"),
    ("volumes: [{type: bind, source: /run, target: /r}]", "volumes[0].source", "docker_socket"),
    ("volumes: ['/var/run:/r']", "volumes[0]", "docker_socket"),
    ("volumes: ['/:/host']", "volumes[0]", "docker_socket"),
    ("volumes: ['/srv:/srv']", "volumes[0]", "outside_binds"),
    ("volumes: ['./../x:/x']", "volumes[0]", "outside_binds"),
    ("volumes: ['..:/x']", "volumes[0]", "outside_binds"),
    ("ports: ['0.0.0.0:80:80']", "ports[0]", "public_ports"),
    ("ports: ['[::]:80:80']", "ports[0]", "public_ports"),
    ("ports: [{target: 80, host_ip: 10.0.0.1}]", "ports[0].host_ip", "public_ports"),
]


@pytest.mark.parametrize(("body", "path", "flag"), MACHINE, ids=[row[0] for row in MACHINE])
def test_what_hands_over_the_machine_is_refused(body: str, path: str, flag: str) -> None:
    every_other = {name: name != flag for name in Allowances.__dataclass_fields__}
    error = refused(app(body), allow=Allowances(**every_other))
    assert error.message.startswith(f"compose.yaml: services.app.{path}, line {BODY}: ")
    assert f'allow = ["{flag}"] into /etc/vpsctl/config.toml' in error.hint


def test_the_socket_stays_closed_where_only_outside_binds_are_open() -> None:
    for source in ("/", "/var", "/run", "/var/run", "/run/docker.sock", "/opt/podman.sock"):
        assert "docker_socket" in refused(app(f"volumes: ['{source}:/s']"), allow=Allowances(outside_binds=True)).hint


# (whole file, line, words of the message)
FILE = [
    ("", None, "compose.yaml is empty"),
    ("- a", 1, "a compose file is a mapping of keys"),
    ("version: '3'\nservices: {}", 1, "does not support 'version' here"),
    ("name: shop", 1, "there are no services"),
    ("name: shop\nservices:", 2, "must be a mapping of keys, not nothing"),
    ("name: shop\nservices: {}", 2, "there is no service to run"),
    ("services: {a: {image: b}}", 1, "the site has no name"),
    ("name: Shop\nservices: {a: {image: b}}", 1, "'Shop' is not a site's name"),
    ("name: ${X}\nservices: {a: {image: b}}", 1, "must be written out"),
    ("name: a\nservice: {}", 2, "does not support 'service' here"),
    ("name: a\nservices:\n  App: {image: b}", 3, "'App' is not a service's name"),
    ("name: a\nservices:\n  app:", 3, "must be a mapping of keys, not nothing"),
    ("name: a\nservices:\n  app: {image: 'A B'}", 3, "'A B' is not an image reference"),
    ("name: a\nservices:\n  app: {image: --privileged}", 3, "is not an image reference"),
    (app("image: c"), 5, "duplicate key 'image', first on line 4"),
    (app("labels:\n  a: 1\n  'a': 2"), 7, "duplicate key 'a', first on line 6"),
    (app("<<: *nothing"), 5, "found undefined alias"),
    (app("<<: text"), 5, "<< takes mappings only"),
    (app("? [a]\n: b"), 5, "a key must be a plain word"),
    (app("user: !!binary aGk="), 5, "the tag '!!binary' is not supported"),
    (app("ports: !reset []"), 5, "the tag '!reset' is not supported"),
    (app("user: !!python/object:os.system {}"), 5, "is not supported"),
    (app('user: "\\0"'), 5, "NUL"),
    (app('user: "\\ud800"'), 5, "surrogate"),
    (app('user: "\\U99999999"'), None, "not valid YAML"),
    (app("user: [a"), 5, "not valid YAML: while parsing a flow sequence"),
    ("name: a\nservices:\n\tapp: {image: b}", 3, "not valid YAML: while scanning for the next token"),
    (app("user: a\x07"), 5, "character U+0007 is not allowed"),
    (app('user: "a\u2028b"'), 5, "U+2028 ends a line in YAML 1.1 and does not in 1.2"),
    ("name: a\n---\nname: b", 2, "not valid YAML"),
    ("x-a: &a\n  b: *a\nname: a\nservices: {}", 1, "endless"),
    (app("labels: " + "[" * 40), 5, "nested deeper than 32 levels"),
    ("x" * (256 * 1024 + 1), None, "larger than 256 KiB"),
    (app(rest="volumes: {data: {driver_opts: {o: bind}}}"), 5, "does not support 'driver_opts'"),
    (app(rest="volumes:\n  data:\n    name: other"), 7, "vpsctl names volumes after the site"),
    (app(rest="volumes: {data: {driver: nfs}}"), 5, "the volume driver 'nfs' is not supported"),
    (app(rest="volumes: {'a b': }"), 5, "'a b' is not a volume's name"),
    (app(rest="networks: {a: {external: true}}"), 5, "does not support 'external'"),
    (app(rest="networks: {a: {driver: overlay}}"), 5, "the network driver 'overlay' is not supported"),
    (app(rest="x-vpsctrl: {}"), 5, "looks like x-vpsctl misspelt"),
    (app(rest="X-Vpsctl: {}"), 5, "does not support 'X-Vpsctl'"),
    (app("depends_on: [b]", "  b: {image: c, depends_on: [d]}\n  d:\n    image: c\n    depends_on: [b]"), 6,
     "wait for each other: b → d → b"),
    (app("depends_on: [b]", "  b: {image: c, profiles: [dev]}"), 5, "b is left out here by its profiles"),
    (
        app("depends_on:\n  b: {condition: service_healthy}", "  b: {image: c, healthcheck: {disable: true}}"),
        6, "never becomes healthy",
    ),
    (
        app("depends_on:\n  b: {condition: service_completed_successfully}", "  b:\n    image: c\n    restart: always"),
        9, "others wait for b to complete",
    ),
    (app("ports: ['8080:80', '80']\ndeploy:\n  replicas: 2", "x-vpsctl: {web: false}"), 7, "publishes port 8080"),
    (app("ports: ['8080:80']", "  b:\n    image: c\n    ports: ['8080:81']\nx-vpsctl: {web: false}"), 8,
     "port 8080 is published by app as well"),
    (app(rest="  db:\n    image: postgres:15-alpine\n    deploy: {replicas: 2}"), 7, "db is a database"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "words"), FILE, ids=[repr(row[0][-40:]) for row in FILE])
def test_a_file_is_refused(text: str, line: int | None, words: str) -> None:
    error = refused(text)
    assert words in error.message
    assert line is None or f", line {line}: " in error.message


def test_the_file_is_called_what_the_caller_calls_it() -> None:
    assert refused(app("foo: 1"), name="foundation.yaml").message.startswith("foundation.yaml: services.app.foo, line 5: ")
    assert refused("name: [", name="a.yaml").message.startswith("a.yaml, line 1: ")


def test_a_bomb_of_aliases_is_refused_quickly() -> None:
    levels = "\n".join(f"x-{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 20))
    error = refused(f"name: a\nx-0: &a0 [b]\n{levels}\nservices: {{app: {{image: b}}}}")
    assert "endless or too large" in error.message


def test_a_bomb_of_long_scalars_is_refused() -> None:
    many = ", ".join(["*a"] * 100)
    error = refused(f"name: a\nx-0: &a {'b' * 20_000}\nx-1: [{many}]\nservices: {{app: {{image: b}}}}")
    assert "too large" in error.message


def test_aliases_that_repeat_a_block_for_many_services_are_fine() -> None:
    services = "\n".join(f"  s{i}:\n    <<: *base" for i in range(100))
    text = f"name: a\nx-base: &base {{image: b, environment: {{A: 1, B: 2}}, labels: [a, b]}}\nservices:\n{services}\n"
    assert len(site(text).services) == 100
