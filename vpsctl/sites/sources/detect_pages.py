"""PHP behind Apache and pages behind nginx, without a Dockerfile. Pure."""

import json

from vpsctl.errors import Invalid
from vpsctl.sites.sources.tree import Detected, Tree

PORT = 80
_ROOTS = ("public", "dist", "build", "_site", "www", "html")


def detect_php(tree: Tree) -> Detected | None:
    if not tree.has("index.php", "public/index.php"):
        return None  # a library, or the tools of another kind of project
    stage, reason = _composer(tree)
    lines, found = [*stage, "FROM php:8.3-apache"], "index.php"
    if tree.has("public/index.php"):
        found = "public/index.php"
        lines.append("RUN sed -ri 's!/var/www/html!/var/www/html/public!g' /etc/apache2/sites-available/*.conf")
    lines += ["RUN a2enmod rewrite", "COPY . /var/www/html/"]
    lines += ["COPY --from=vendor /app/vendor/ /var/www/html/vendor/"] if stage else []
    lines += [f"EXPOSE {PORT}"]
    return Detected("php", (f"{found}: served by Apache", *reason), "\n".join(lines) + "\n", PORT)


def _composer(tree: Tree) -> tuple[list[str], list[str]]:
    """A stage of its own, as the PHP image has neither Composer nor unzip."""
    if not tree.has("composer.json"):
        return [], []
    try:
        required = json.loads(tree.text("composer.json")).get("require", {})
    except (ValueError, AttributeError) as error:
        raise Invalid(f"composer.json is not JSON: {error}", hint="correct it, or write a Dockerfile") from error
    packages = [name for name in required if "/" in name]
    if not packages:
        return [], ["composer.json: no packages to install"]
    if tree.has("vendor/"):
        return [], ["vendor/: the packages of composer.json are there"]
    files = "composer.json composer.lock" if tree.has("composer.lock") else "composer.json"
    install = "RUN composer install --no-dev --no-scripts --no-interaction --prefer-dist --ignore-platform-reqs"
    lines = ["FROM composer:2 AS vendor", "WORKDIR /app", f"COPY {files} ./", install, ""]
    return lines, [f"composer.json: {len(packages)} packages installed by Composer"]


def detect_static(tree: Tree) -> Detected | None:
    roots = [name for name in _ROOTS if tree.has(f"{name}/index.html")]
    if tree.has("index.html"):
        return _pages(".", "index.html: pages without a program")
    if len(roots) > 1:
        both = " and ".join(f"{name}/index.html" for name in roots)
        raise Invalid(
            f"there is no Dockerfile, and both {both} could be the site", hint="write a Dockerfile that copies one"
        )
    return _pages(f"{roots[0]}/", f"{roots[0]}/index.html: pages without a program") if roots else None


def _pages(copied: str, why: str) -> Detected:
    lines = ["FROM nginx:alpine", f"COPY {copied} /usr/share/nginx/html/", f"EXPOSE {PORT}"]
    return Detected("static", (why,), "\n".join(lines) + "\n", PORT)
