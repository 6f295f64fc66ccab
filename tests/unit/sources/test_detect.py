"""What each kind of directory is taken for, what its Dockerfile says, and what is refused rather than guessed."""

import json
from pathlib import Path

import pytest

from vpsctl.errors import Invalid
from vpsctl.sites.sources.detect import detect, detect_app
from vpsctl.sites.sources.tree import Detected, Tree, read_tree


def tree(*paths: str, **texts: str) -> Tree:
    """Files by name; a text's keyword is its name with _ for . (package_json)."""
    named = {key.replace("_", ".", 1) if key != "Procfile" else key: text for key, text in texts.items()}
    return Tree(frozenset({*paths, *named}), named)


def package(**keys: object) -> str:
    return json.dumps(keys)


NODE = package(scripts={"start": "node server.js"}, dependencies={"pg": "8"})
FLASK = "from flask import Flask\n\napp = Flask(__name__)\n"


@pytest.mark.parametrize(
    ("given", "kind", "port", "command"),
    [
        (tree(package_json=NODE), "node", 3000, 'CMD ["node", "server.js"]'),
        (tree(package_json=package(scripts={"start": "next start"})), "node", 3000, 'CMD ["npm", "start"]'),
        (tree(package_json=package(scripts={"start": "node a.js && rm -rf /"})), "node", 3000, 'CMD ["npm", "start"]'),
        (tree("lib/", "lib/run.js", package_json=package(main="./lib/run.js")), "node", 3000, 'CMD ["node", "lib/run.js"]'),
        (tree("index.js", "index.html", package_json=package(name="x")), "node", 3000, 'CMD ["node", "index.js"]'),
        (tree("app.py", requirements_txt="flask\ngunicorn", app_py=FLASK), "python", 8000, '"app:app"]'),
        (tree(requirements_txt="flask", main_py="def create_app():\n"), "python", 8000, '"main:create_app()"]'),
        (tree(requirements_txt="fastapi", main_py="api: FastAPI = FastAPI()\n"), "python", 8000, '"8000", "main:api"]'),
        (tree("manage.py", "shop/", "shop/wsgi.py", requirements_txt="django"), "python", 8000, '"shop.wsgi:application"]'),
        (tree(requirements_txt="", Procfile="worker: w\nweb: gunicorn a:b -b :$PORT \r\n"), "python", 8000,
         "CMD exec gunicorn a:b -b :$PORT"),
        (tree(requirements_txt="", Procfile="web: cd src && python x.py"), "python", 8000, "CMD cd src && python x.py"),
        (tree(app_py="import http.server\n"), "python", 8000, 'CMD ["python", "app.py"]'),
        (tree(pyproject_toml='[project]\ndependencies = ["flask>=3"]', app_py=FLASK), "python", 8000, '"app:app"]'),
        (tree("index.php"), "php", 80, "FROM php:8.3-apache"),
        (tree("public/", "public/index.php", composer_json='{"require": {"php": ">=8", "a/b": "1"}}'), "php", 80,
         "COPY --from=vendor /app/vendor/"),
        (tree("index.html", "style.css"), "static", 80, "COPY . /usr/share/nginx/html/"),
        (tree("public/", "public/index.html"), "static", 80, "COPY public/ /usr/share/nginx/html/"),
        (tree("dist/", "dist/index.html", package_json=package(devDependencies={"prettier": "3"})), "static", 80,
         "COPY dist/"),
        (tree("index.html", package_json=package(scripts={"build": "vite build"}, devDependencies={"vite": "6"})),
         "static", 80,
         "COPY --from=build /app/dist/ /usr/share/nginx/html/"),
        (tree("public/", "public/index.html", package_json=package(
            scripts={"start": "react-scripts start", "build": "react-scripts build"}, dependencies={"react-scripts": "5"})),
         "static", 80, "COPY --from=build /app/build/ /usr/share/nginx/html/"),
    ],
)  # fmt: skip
def test_each_kind_is_recognised(given: Tree, kind: str, port: int, command: str) -> None:
    found = detect(given)
    assert (found.kind, found.port) == (kind, port)
    assert command in found.dockerfile
    assert found.reason
    assert found.dockerfile.endswith("\n")
    assert f"EXPOSE {port}\n" in found.dockerfile


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (tree(), "is no app we know; looked for package.json"),
        (tree("README.md", "src/"), "is no app we know"),
        (tree(package_json=NODE, app_py=FLASK), r"could be node \(package.json: the start script .* and python \(app.py"),
        (tree("index.php", package_json=NODE), "could be node .* and php"),
        (tree("public/", "public/index.html", "dist/", "dist/index.html"), "public/index.html and dist/index.html could"),
        (tree(package_json="{"), "package.json is not JSON"),
        (tree("yarn.lock", package_json=NODE), "locked by yarn.lock"),
        (tree(requirements_txt="flask"), "does not say how it starts"),
        (tree(pyproject_toml="[tool.poetry.dependencies]\nflask = '3'", app_py=FLASK), "for Poetry only"),
        (tree(pyproject_toml="[", app_py=FLASK), "is not TOML"),
        (tree("manage.py", "a/wsgi.py", "b/wsgi.py", requirements_txt="django"), "there are 2 wsgi.py instead of one"),
        (tree("index.php", composer_json="["), "composer.json is not JSON"),
    ],
)
def test_what_is_not_certain_is_refused(given: Tree, words: str) -> None:
    with pytest.raises(Invalid, match=words) as raised:
        detect(given)
    assert "Dockerfile" in raised.value.hint


def test_a_lock_decides_how_node_installs() -> None:
    locked = detect(tree("package-lock.json", package_json=NODE))
    assert "COPY package.json package-lock.json ./\nRUN npm ci --omit=dev\n" in locked.dockerfile
    assert "RUN npm install --omit=dev" in detect(tree(package_json=NODE)).dockerfile
    assert "npm" not in detect(tree(package_json=package(scripts={"start": "node x.js"}))).dockerfile


def test_a_node_build_script_has_its_development_packages_only_while_it_runs() -> None:
    scripts = {"start": "next start", "build": "next build"}
    found = detect(tree("package-lock.json", package_json=package(scripts=scripts, dependencies={"next": "15"})))
    lines = found.dockerfile.splitlines()
    assert lines.index("RUN npm ci --include=dev") < lines.index("RUN npm run build && npm prune --omit=dev")


@pytest.mark.parametrize(
    ("requirements", "copied"),
    [
        ("flask", "COPY requirements*.txt ./"),
        ("-r requirements-base.txt", "COPY requirements*.txt ./"),
        ("-r requirements/base.txt", "COPY . ."),
        ("-e .", "COPY . ."),
        ("./vendor/x", "COPY . ."),
        ("x @ file:vendor/x", "COPY . ."),
        ("-c constraints.txt", "COPY . ."),
    ],
)
def test_requirements_that_name_other_files_have_them_when_pip_runs(requirements: str, copied: str) -> None:
    lines = detect(tree(requirements_txt=requirements, app_py=FLASK)).dockerfile.splitlines()
    assert lines[lines.index("RUN pip install --no-cache-dir -r requirements.txt") - 1] == copied


def test_a_missing_server_is_added_and_said() -> None:
    bare = detect(tree(requirements_txt="Flask>=3\n", app_py=FLASK))
    assert 'RUN ["pip", "install", "--no-cache-dir", "gunicorn>=23"]' in bare.dockerfile
    assert any("gunicorn>=23 is added" in line for line in bare.reason)
    assert "gunicorn>=23" not in detect(tree(requirements_txt="flask\nGunicorn[gevent]==27\n", app_py=FLASK)).dockerfile


def test_names_cannot_break_out_of_the_dockerfile() -> None:
    name = 'shop"\nRUN id\n'
    given = tree("manage.py", f"{name}/wsgi.py", requirements_txt="django")
    assert "\nRUN id" not in detect(given).dockerfile
    hostile = tree(pyproject_toml='[project]\ndependencies = ["x\\nRUN id"]', app_py=FLASK)
    assert "\nRUN id" not in detect(hostile).dockerfile


@pytest.mark.parametrize(
    "given", [tree(package_json=NODE), tree(requirements_txt="flask", app_py=FLASK), tree("index.html"), tree("index.php")]
)
def test_generated_dockerfiles_need_no_frontend_and_leave_secrets_out(given: Tree) -> None:
    found = detect(given)
    assert "# syntax" not in found.dockerfile
    assert "<<" not in found.dockerfile
    assert {"**/.env", "**/.git", "compose.yaml"} <= set(found.ignore)
    if found.kind in ("node", "python"):
        assert "USER 1000:1000" in found.dockerfile


def test_reading_a_directory_does_not_follow_links_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "index.html").write_text("x")
    site = tmp_path / "site"
    site.mkdir()
    (site / "public").symlink_to(outside)
    (site / "package.json").symlink_to("/etc/passwd")
    assert read_tree(site).paths == frozenset()
    (site / "index.html").write_text("x")
    (site / "node_modules").mkdir()
    (site / "node_modules" / "wsgi.py").write_text("x")
    assert read_tree(site).paths == {"index.html", "node_modules/"}
    assert isinstance(detect_app(site), Detected)
