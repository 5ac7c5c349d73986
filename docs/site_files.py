"""The hook by which MkDocs finds the files outside docs/, and the links to them.

A page links to ../experiments/results/..., which a Git host shows. On the site these files lie beside the pages. A link
to another file of the repository becomes its text.
"""

import posixpath
import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parent.parent
SHOWN: Final = ("CHANGELOG.md", "CONTRIBUTING.md", "LOG.md", "bench/RESULTS.md", "experiments/results/**/*.md")
"""Pages outside docs/, below the repository."""
PICTURES: Final = ("experiments/results/**/*.png", "experiments/results/**/*.svg")
LINK: Final = re.compile(r"(!?)\[([^\]\n]*)\]\(([^)\s]+)\)")
CODE: Final = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and the pictures that lie outside docs/.

    Args:
        files: files of the site so far.
        config: configuration of the site.
    """
    for pattern in (*SHOWN, *PICTURES):
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page's text with its links as the site has them.

    Args:
        markdown: text of the page.
        page: the page, which knows its place.
        config: configuration of the site.
        files: files of the site.
    """
    is_outside = page.file.generated_by is not None
    folder = posixpath.dirname(page.file.src_uri)
    in_repository = folder if is_outside else posixpath.join("docs", folder)

    def mended(link: re.Match[str]) -> str:
        mark, text, target = link.groups()
        if re.match(r"[a-z]+:|#", target):
            return link.group()
        path, hash_mark, anchor = target.partition("#")
        found = posixpath.normpath(posixpath.join(in_repository, unquote(path)))
        on_site = found.removeprefix("docs/")
        if files.get_file_from_path(on_site) is None:
            is_known = (ROOT / found).exists() and not mark and not found.startswith("docs/")
            return text if is_known else link.group()
        return f"{mark}[{text}]({_quoted(posixpath.relpath(on_site, folder or '.'))}{hash_mark}{anchor})"

    parts = CODE.split(markdown)
    return "".join(part if index % 2 else LINK.sub(mended, part) for index, part in enumerate(parts))


def _quoted(path: str) -> str:
    return path.replace(" ", "%20")
