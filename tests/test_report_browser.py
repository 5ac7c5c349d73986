"""The report in headless Chromium: no errors, all sections reached, figures drawn, a phone's width, keyboard, axe.

Playwright drives the browser of the system, and axe-core looks for barriers: `pip install -e '.[page]'`.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_report import broken_runs, repository

from experiments.record import ROOT
from experiments.report.page import report_html

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}
SCHEMES = ("light", "dark")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install -e '.[page]'")
    program = os.environ.get("JAXDEEP_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium: install it, or name it in JAXDEEP_CHROMIUM")
    with sync.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a few records, three claims, and broken runs, among them a claim on synthetic images."""
    folder = tmp_path_factory.mktemp("small")
    page = report_html(repository(folder / "root"), broken_runs(folder / "runs"))
    (folder / "report.html").write_text(page)
    return folder / "report.html"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of all records."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "report.html").write_text(report_html(ROOT, folder))
    return folder / "report.html"


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    """Open a file in a tab of its own, and hear what it complains of and what it asks the network for."""
    contexts = []

    def visited(path: Path, scheme: str = "light", size: dict[str, int] = DESKTOP) -> tuple[Any, list[str]]:
        context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        contexts.append(context)
        tab, heard = context.new_page(), []
        tab.on("console", lambda message: heard.append(message.text))
        tab.on("pageerror", lambda error: heard.append(str(error)))
        tab.on(
            "request", lambda asked: heard.append(asked.url) if not asked.url.startswith(("file:", "data:")) else None
        )
        tab.goto(path.as_uri())
        return tab, heard

    yield visited
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_whole_page_is_drawn_without_an_error_and_without_the_network(visit, whole: Path, scheme: str) -> None:
    tab, heard = visit(whole, scheme)
    pictures = tab.evaluate(
        "Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth, () => 0)))"
    )
    assert len(pictures) > 50
    assert min(pictures) > 0
    assert tab.evaluate("[...document.images].filter(i => i.getBoundingClientRect().width < 100).length") == 0
    assert heard == []


def test_a_script_of_another_is_refused(visit, small: Path) -> None:
    tab, heard = visit(small)
    tab.evaluate(
        "() => { const s = document.createElement('script'); s.text = 'window.x = 1'; document.body.append(s); }"
    )
    assert tab.evaluate("window.x") is None
    assert len(heard) == 1


def test_every_section_is_reached_from_the_contents(visit, whole: Path) -> None:
    tab, heard = visit(whole)
    sections = tab.evaluate("[...document.querySelectorAll('section')].map(s => s.id)")
    links = tab.evaluate("[...document.querySelectorAll('nav a')].map(a => a.hash.slice(1))")
    assert sections
    assert set(sections) == set(links)
    tab.evaluate("document.querySelectorAll('nav details').forEach(d => { d.open = true })")
    for name in (*sections[:3], *sections[3::20], sections[-1]):
        tab.click(f"nav a[href='#{name}']")
        top = tab.evaluate("id => document.getElementById(id).getBoundingClientRect().top", name)
        assert -2 <= top < DESKTOP["height"], name
    assert heard == []


@pytest.mark.parametrize("path", ["whole", "small"])
def test_nothing_is_wider_than_a_phone(visit, path: str, request: pytest.FixtureRequest) -> None:
    tab, _ = visit(request.getfixturevalue(path), size=PHONE)
    tab.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    tab.evaluate("window.scrollTo(500, 0)")
    assert tab.evaluate("window.scrollX") == 0


def test_the_contents_fold_on_a_phone_and_close_behind_a_link(visit, small: Path) -> None:
    tab, _ = visit(small, size=PHONE)
    assert not tab.evaluate("document.getElementById('contents').open")
    tab.click("#contents > summary")
    tab.click("nav a[href='#bench']")
    assert not tab.evaluate("document.getElementById('contents').open")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_colours_follow_the_system_and_the_button_turns_them(visit, small: Path, scheme: str) -> None:
    tab, _ = visit(small, scheme)
    paper = "getComputedStyle(document.body).backgroundColor"
    button, before = tab.locator("#theme"), tab.evaluate(paper)
    assert (sum(map(int, before[4:-1].split(","))) < 200) == (scheme == "dark")
    assert button.get_attribute("aria-pressed") == str(scheme == "dark").lower()
    button.click()
    assert tab.evaluate(paper) != before
    assert button.get_attribute("aria-pressed") == str(scheme == "light").lower()
    button.click()
    assert tab.evaluate(paper) == before


def test_the_keyboard_skips_to_the_content_and_presses_the_button(visit, small: Path) -> None:
    tab, _ = visit(small)
    focused = "document.activeElement.id || document.activeElement.className"
    tab.keyboard.press("Tab")
    assert tab.evaluate(focused) == "skip"
    assert tab.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    tab.keyboard.press("Enter")
    assert tab.evaluate(focused) == "main"
    tab.reload()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    assert tab.evaluate(focused) == "theme"
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_link_opens_the_fold_in_which_its_target_stands(visit, small: Path) -> None:
    tab, _ = visit(small)
    name = tab.evaluate("document.querySelector('main details caption').id")
    is_open = "name => document.getElementById(name).closest('details').open"
    assert not tab.evaluate(is_open, name)
    tab.evaluate("name => new Promise(done => { onhashchange = () => done(); location.hash = name })", name)
    assert tab.evaluate(is_open, name)


@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)], ids=["desktop", "phone"])
def test_axe_finds_no_barrier(visit, small: Path, scheme: str, size: dict[str, int]) -> None:
    axe = pytest.importorskip("axe_playwright_python.base", reason="no axe-core: pip install -e '.[page]'")
    tab, _ = visit(small, scheme, size)
    tab.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    tab.evaluate(axe.AXE_FILE_PATH.read_text())
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    said = [
        (of["id"], of["impact"], [node["html"][:200] for node in of["nodes"][:3]])
        for of in found["violations"]
        if of["impact"] in ("serious", "critical", "moderate")
    ]
    assert said == []
    assert len(found["passes"]) > 10
