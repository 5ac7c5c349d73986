"""The report in one file: what is gathered, what is said of what is broken, escaping, size, and no network."""

import itertools
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from small_commands import images
from small_data import lean_compilation
from small_report import DRAWING, NASTY, broken_runs, claim, repository, write

import jaxdeep.cli.main
import jaxdeep.cli.run
from experiments.cifar import CONFIGS
from experiments.record import ROOT
from experiments.report import __main__ as command
from experiments.report.page import report_html
from experiments.report.repository import gather_records
from experiments.report.runs import gather_runs
from jaxdeep.report.page.elements import Names, element, html_of
from jaxdeep.report.page.pictures import Embedder, Picture, embedded
from jaxdeep.report.page.study import KINDS
from jaxdeep.study.stored import STUDY_PICTURES, UNCERTAINTY_PICTURES

NETWORK = re.compile(r'(?:src|href|xlink:href|action|data)="(?!data:|#)|url\((?!data:|#|%23)|@import', re.IGNORECASE)
"""Anything that the browser would fetch, or a link that leaves the page."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the command line, one of them on synthetic images, and everything that can be broken."""
    folder = broken_runs(tmp_path_factory.mktemp("machine") / "runs")
    words = "--config sanity --model.units 8 --epochs 1 --train.batch-size 512"
    with (
        lean_compilation(),
        mock.patch.object(jaxdeep.cli.run, "load_images", images),
        mock.patch.object(jaxdeep.cli.run, "use_compilation_cache"),
    ):
        for name, more in {"real": "--data cifar10", "drawn": "--data synthetic"}.items():
            argv = shlex.split(f"{words} {more} --workdir '{folder / 'cifar' / name}'")
            assert jaxdeep.cli.main.main("cifar", "cifar10", CONFIGS, argv) == 0
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def page(root: Path, runs: Path) -> str:
    return report_html(root, runs)


def section(page: str, name: str) -> str:
    """The part of the page from one section's beginning to the next outermost section."""
    begin = page.index(f'<section id="{name}"')
    ends = [match.start() for match in re.finditer(r'<section id="[\w-]+"[^>]*><h2', page)]
    return page[begin : min([end for end in ends if end > begin], default=len(page))]


def test_what_is_finished_is_gathered(runs: Path) -> None:
    found = gather_runs(runs)
    kinds = {entry.name: entry.kind for entry in found.entries}
    names = ("cifar/real", "cifar/drawn", "quick", "transfer/odd")
    assert kinds == dict(zip(names, ("study", "study", "claim", "record"), strict=True))
    real = next(entry for entry in found.entries if entry.name == "cifar/real")
    assert set(real.origin.pictures or {}) == {"curves", "confusion"}
    assert real.origin.faults == ()


def test_every_picture_of_a_run_has_its_place_on_the_page() -> None:
    assert {Path(name).stem for name in (*STUDY_PICTURES, *UNCERTAINTY_PICTURES)} == set(KINDS)


def test_what_is_broken_is_listed_with_what_is_wrong(page: str, runs: Path) -> None:
    faults = {fault.path: fault.reason for fault in gather_runs(runs).faults}
    assert faults["cifar/half"] == "it is not finished (2 epochs of all runs so far)"
    assert faults["cifar/empty"] == "it holds no run"
    assert faults["transfer/points"] == "it is not finished (1 points so far)"
    assert "cannot be read" in faults["cifar/torn"]
    assert "no study, claim" in faults["cifar/foreign"]
    shown = section(page, "not-shown")
    for path in ("half", "torn", "null", "foreign", "empty", "torn.json"):
        assert f"<code>cifar/{path}</code>" in shown
    assert "<code>transfer/odd</code>" in shown
    assert "its picture is not there" in shown


def test_a_damaged_file_of_a_finished_run_is_named(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "cifar" / "real", tmp_path / "runs" / "real")
    (tmp_path / "runs" / "real" / "curves.png").write_bytes(b"")
    (entry,) = gather_runs(tmp_path / "runs").entries
    assert entry.origin.faults == ("curves.png is not what was written.",)


def test_measured_claims_are_found_and_their_networks_are_no_runs(tmp_path: Path) -> None:
    write(tmp_path / "claims" / "leak.quick.json", claim("leak", quick=True))
    write(tmp_path / "claims" / "leak.quick.svg", DRAWING)
    write(tmp_path / "claims" / "tuned" / "0a1b.json", {"study": {}})
    found = gather_runs(tmp_path)
    assert [(entry.kind, entry.name) for entry in found.entries] == [("claim", "leak")]
    assert found.entries[0].origin.pictures
    assert found.faults == []


def test_the_order_of_the_page(page: str) -> None:
    titles = re.findall(r"<h2[^>]*>([^<]*)", page)
    assert titles == [
        *("Verdicts of the claims", "The chapter's tables and figures", "The experiments"),
        *("Runs on this machine", "The bench", "What is not shown"),
    ]


def test_verdicts_come_with_effect_interval_number_and_command(page: str) -> None:
    shown = section(page, "claims")
    assert "✓ </span>holds" in shown
    assert "✗ </span>fails" in shown
    assert "~ </span>undecided" in shown
    assert "1.20 (0.500 to 1.90) points" in shown
    assert "python -m experiments.claims --claim dead_relu" in shown
    assert "above 0<" in shown
    assert shown.index("<table") < shown.index("<h4")


def test_printed_figures_stand_beside_ours(page: str) -> None:
    shown = section(page, "chapter")
    row = re.sub(r"<[^>]+>", " ", re.search(r"<tr><th[^>]*><div[^>]*><code>elu</code>.*?</tr>", shown)[0])  # type: ignore[index]
    assert "0.4762 (000)" in row
    assert "0.4696 ± 0.0056" in row
    assert "within" in row
    assert "0.9705" in shown
    assert "the exercise&#x27;s author, 2017" in shown or "the exercise's author, 2017" in shown


def test_synthetic_figures_and_quick_claims_are_marked_everywhere(page: str) -> None:
    shown = section(page, "cifar-cifar-drawn")
    shown = shown[: shown.index("</section>")]
    parts = [*re.findall(r"<caption.*?</caption>", shown), *re.findall(r"<figcaption.*?</figcaption>", shown)]
    assert len(parts) >= 4
    assert all("Synthetic images: no result" in part for part in parts)
    quick = section(page, "claims-quick")
    quick = quick[: quick.index("</section>")]
    parts = [*re.findall(r"<caption.*?</caption>", quick), *re.findall(r"<figcaption.*?</figcaption>", quick)]
    assert len(parts) == 3
    assert all("Quick try: no result" in part and "Synthetic" in part for part in parts)
    records = section(page, "claims") + section(page, "chapter") + section(page, "experiments")
    assert "no result</strong>" not in records


def test_names_are_text_and_never_markup(page: str) -> None:
    assert "alert(" in page
    assert "&lt;script&gt;alert" in page
    started: list[str] = []
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, attrs: started.append(tag)  # type: ignore[method-assign]
    reader.feed(page)
    assert started.count("script") == 1


def test_nothing_comes_from_the_network_and_nothing_of_this_machine_is_told(page: str, runs: Path) -> None:
    assert NETWORK.findall(page) == []
    assert "default-src 'none'" in page
    assert str(runs) not in page
    assert str(ROOT) not in page


def test_every_section_has_a_link_and_ids_are_unique(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links <= set(ids)
    assert set(re.findall(r'<section id="([^"]+)"', page)) <= links


def test_tables_have_captions_and_scopes_and_pictures_have_words(page: str) -> None:
    tables = re.findall(r"<table>.*?</table>", page)
    assert all("<caption id=" in table and 'scope="col"' in table for table in tables)
    alts = re.findall(r'<img[^>]*?alt="([^"]*)"', page)
    assert alts
    assert all(len(alt) > 10 for alt in alts)
    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert all(one - other <= 1 for other, one in itertools.pairwise(levels))


def test_the_page_of_the_repository_is_small(tmp_path: Path) -> None:
    page = report_html(ROOT, tmp_path)
    assert len(page.encode()) < 10_000_000
    assert gather_records(ROOT / "experiments" / "results").faults == []
    assert "Everything that was found is shown." in page
    for words in ("cifar --config elu --seeds 10", "fashion_mnist --config bn --seeds 10", "transfer top --record"):
        assert f"<dd><code>python -m experiments.{words}</code></dd>" in page
    table = (ROOT / "README.md").read_text().partition("<!-- table: exercise -->")[2].partition("<!-- end")[0]
    for figure in re.findall(r"\d\.\d{4} ± \d\.\d{4}", table):
        assert figure in page


def test_without_claims_records_and_runs_there_is_a_page(tmp_path: Path) -> None:
    page = report_html(tmp_path, tmp_path / "runs")
    assert "No claim is recorded yet" in page
    assert "bench/RESULTS.md" in page


def test_a_figure_without_room_or_of_another_kind_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.svg", '<svg width="8pt" height="4pt"><path d="M 0 0"/></svg>')
    embedder = Embedder(10)
    said = html_of(embedder.figure(Picture(path, "a line", "A line.")))
    assert "a.svg is left out" in said
    assert embedder.left_out == [path]
    write(tmp_path / "b.svg", "no picture")
    assert "b.svg cannot be shown" in html_of(Embedder(1_000).figure(Picture(tmp_path / "b.svg", "b", "B.")))
    assert embedded(path)[1:] == (11, 5)


def test_the_command_prints_path_and_size_and_errors_are_one_line(root, runs, tmp_path: Path, capsys) -> None:
    out = tmp_path / "there" / "report.html"
    with mock.patch.object(command, "ROOT", root):
        assert command.main(["--runs", str(runs), "--out", str(out)]) == 0
    assert re.fullmatch(rf"{re.escape(str(out))}: \d+\.\d MB\n", capsys.readouterr().out)
    assert out.read_text().startswith("<!DOCTYPE html>")
    write(tmp_path / "file", "")
    for words, line in {
        ("--runs", str(tmp_path / "gone")): "error: --runs is .* is no folder.*",
        ("--out", str(tmp_path)): "error: --out is .* is a folder.*",
        ("--out", str(tmp_path / "file" / "report.html")): "error: .*",
    }.items():
        with mock.patch.object(command, "ROOT", root):
            assert command.main(list(words)) == 2
        assert re.fullmatch(line, capsys.readouterr().err.strip())


def test_ids_of_any_words_are_plain_and_unique() -> None:
    names = Names()
    assert [names.of(word) for word in (NASTY, NASTY, "é/ü", "")] == [
        "script-alert-x-script-so-b",
        "script-alert-x-script-so-b-2",
        "e-u",
        "part",
    ]


def luminance(color: str) -> float:
    """Relative luminance of a colour, as WCAG 2 defines it."""
    shares = (int(color[index : index + 2], 16) / 255 for index in (1, 3, 5))
    linear = [of / 12.92 if of <= 0.04045 else ((of + 0.055) / 1.055) ** 2.4 for of in shares]
    return sum(weight * of for weight, of in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_contrast_of_all_words_is_aa_in_light_and_dark_and_both_ways_to_the_dark_agree() -> None:
    style = (ROOT / "jaxdeep" / "report" / "page" / "style.css").read_text()
    schemes = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part)) for part in re.findall(r"\{([^{}]*)\}", style)]
    light, button, system = [of for of in schemes if "paper" in of]
    assert button == system
    on_paper = [(of, ground) for of in ("ink", "soft", "accent", "no") for ground in ("paper", "panel")]
    badges = [(of, f"{of}-paper") for of in ("yes", "no", "open", "even", "mark")]
    for colors in (light, button):
        for words, ground in (*on_paper, *badges, ("paper", "ink")):
            low, high = sorted((luminance(colors[words]), luminance(colors[ground])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (words, ground)


def test_attributes_are_escaped() -> None:
    heard: list[Any] = []
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, attrs: heard.append((tag, attrs))  # type: ignore[method-assign]
    reader.handle_data = heard.append  # type: ignore[method-assign]
    reader.feed(html_of(element("p", NASTY, title=NASTY)))
    assert heard[0] == ("p", [("title", NASTY)])
    assert "".join(heard[1:]) == NASTY


def test_a_claim_needs_no_more_than_a_statement(tmp_path: Path) -> None:
    write(tmp_path / "experiments" / "results" / "claims" / "a.json", {"statement": "so it is", "verdict": "holds"})
    missing = dict.fromkeys(("data", "machine", "versions", "tables", "questions", "seeds"))
    odd = claim("odd", parts=[{"effect": None}, "x"], **missing)
    write(tmp_path / "experiments" / "results" / "claims" / "odd.json", odd)
    torn = claim("torn", parts=3, questions=1, tables=[7])
    write(tmp_path / "experiments" / "results" / "claims" / "torn.json", torn)
    page = report_html(tmp_path, tmp_path)
    assert "<code>experiments/results/claims/torn.json</code>" in section(page, "not-shown")
    assert "torn: ReLU units" not in page
    assert "so it is" in page
    assert "odd: ReLU units die" in page
