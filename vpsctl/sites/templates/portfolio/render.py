"""Makes the gallery: one page out of works.json and pictures/, written to out/. Nothing to install."""

import json
import shutil
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
KINDS = (".avif", ".gif", ".jpeg", ".jpg", ".png", ".svg", ".webp")


def main() -> None:
    works = json.loads((HERE / "works.json").read_text(encoding="utf-8"))
    pictures = sorted(path.name for path in (HERE / "pictures").iterdir() if path.suffix.lower() in KINDS)
    told = [work["picture"] for work in works["works"]]
    missing = [name for name in told if name not in pictures]
    if missing:
        raise SystemExit(f"works.json names {missing[0]}, which is not in pictures/")
    untold: list[dict[str, str]] = [{"picture": name} for name in pictures if name not in told]
    out = HERE / "out"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(HERE / "pictures", out / "pictures")
    shutil.copy(HERE / "style.css", out)
    page = (HERE / "page.html").read_text(encoding="utf-8")
    for key in ("title", "about", "email"):
        page = page.replace(f"[[{key}]]", escape(works[key]))
    page = page.replace("[[works]]", "\n".join(figure(work) for work in works["works"] + untold))
    (out / "index.html").write_text(page, encoding="utf-8")


def figure(work: dict[str, str]) -> str:
    """A picture that works.json does not tell of is shown under its file's name."""
    title = work.get("title") or Path(work["picture"]).stem.replace("-", " ").capitalize()
    alt, rest = work.get("alt", title), " · ".join(filter(None, (work.get("year"), work.get("text"))))
    return (
        f'<figure><a href="pictures/{escape(work["picture"])}">'
        f'<img src="pictures/{escape(work["picture"])}" alt="{escape(alt)}" loading="lazy"></a>'
        f"<figcaption><strong>{escape(title)}</strong> {escape(rest)}</figcaption></figure>"
    )


main()
