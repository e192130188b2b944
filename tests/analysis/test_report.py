"""The report: one page that needs nothing else, whole at every moment, whatever the study holds."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from results_folders import SMALL_SPACE, TWO_ARMS, Recipe, schema_of, write_results, write_table

from analysis.reporting import latex, terminal
from analysis.reporting.report import Report, figure, write
from analysis.results.load import Results
from analysis.tables import overview

VOID = {"meta", "img", "source", "br", "link", "input"}


class Page(HTMLParser):
    """A page as its tags and its text; it checks that every tag is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def report(mosi_folder: Path) -> Report:
    return write(mosi_folder)


@pytest.fixture(scope="module")
def page(report: Report) -> Page:
    return Page(report.page)


def test_the_page_needs_no_network_and_no_other_file(page: Page) -> None:
    loaded = [attrs["src"] for attrs in page.all("img")] + [attrs["srcset"] for attrs in page.all("source")]
    assert len(loaded) >= 12
    assert all(str(source).startswith("data:image/") for source in loaded)
    assert not page.all("script")
    assert not page.all("link")
    assert not re.search(r"https?://(?!www\.w3\.org)", re.sub(r"base64,[^\"]*", "", page.source))


def test_items_that_come_in_something_else_than_videos_are_called_so(
    page: Page, mosi_folder: Path, tmp_path: Path
) -> None:
    assert "new videos too" in page.text
    folder = shutil.copytree(mosi_folder, tmp_path / "pairs")
    declared = json.loads((folder / "study.json").read_text())
    declared["about"] = {**declared.get("about", {}), "group": "pair"}
    (folder / "study.json").write_text(json.dumps(declared))
    text = Page(write(folder).page).text
    assert "new pairs too" in text
    assert "Pairs: the wider interval covers new test pairs too." in text
    assert "video" not in text.lower()


def test_every_link_leads_somewhere(page: Page, report: Report) -> None:
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    for link in page.all("a"):
        target = str(link["href"])
        assert target[1:] in ids if target.startswith("#") else (report.page.parent / target).is_file(), target


def test_every_picture_is_described_and_every_table_has_headers(page: Page) -> None:
    assert all(len(str(attrs["alt"])) > 30 for attrs in page.all("img"))
    assert all(attrs.get("scope") in ("row", "col") for attrs in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]


def test_the_page_is_made_for_light_and_dark_and_for_narrow_screens(page: Page) -> None:
    assert "prefers-color-scheme: dark" in page.source
    assert any(attrs.get("name") == "viewport" for attrs in page.all("meta"))
    assert "max-width: 46rem" in page.source


def test_the_verdicts_come_first_and_are_words(page: Page) -> None:
    titles = ("Worse: ", "Each arm against full", "Worse than full by", "Cost and fairness of the search")
    order = [page.text.index(title) for title in titles]
    assert order == sorted(order)
    assert "Worse than full by" in page.text
    assert "what an arm removes helps" in page.text


def test_the_page_says_what_its_numbers_rest_on(page: Page) -> None:
    for fact in (
        "With 12 pairs the smallest possible corrected p is 0.0059",
        "the word is about these configurations",
        "Holm's correction over 12 arms",
        "5 confirm runs of the arms failed",
        "All differences share the reference's noise",
        "videos are counted and not items",
        "The data is planted",
        "Only 19 runs of its search were completed: too few",
    ):
        assert fact in page.text, fact


def test_all_figures_and_tables_are_written(report: Report) -> None:
    folder = report.page.parent
    names = {path.name for path in (folder / "figures").iterdir()}
    for drawn in ("forest", "seeds", "importance", "sensitivity", "interaction", "parallel", "curves", "history"):
        assert {f"{drawn}.png", f"{drawn}.svg"} <= names
    importance = pd.read_csv(folder / "tables" / "importance.csv")
    assert list(importance.columns) == ["arm", "param", "method", "importance", "spread_low", "spread_high", "floor"]
    assert list(pd.read_csv(folder / "tables" / "ablation.csv").columns) == overview.ABLATION_COLUMNS
    assert list(pd.read_csv(folder / "tables" / "fairness.csv").columns) == overview.FAIRNESS_COLUMNS


def test_the_text_for_the_terminal_fits_it(report: Report) -> None:
    width = min(100, shutil.get_terminal_size(fallback=(100, 24)).columns)
    assert max(len(line) for line in report.text.splitlines()) <= width


@pytest.mark.parametrize(
    ("width", "header"),
    [
        (140, "arm n failed mean ± sd difference [95 %] p Holm it is"),
        (90, "arm n mean ± sd difference [95 %] p Holm it is"),
        (80, "arm n difference [95 %] p Holm it is"),
        (60, "arm difference p Holm it is"),
    ],
)
def test_columns_go_before_a_name_is_cut(width: int, header: str, mosi: Results) -> None:
    table = overview.ablation(mosi)
    lines = terminal.verdicts(table, mosi.study, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0].split() == header.split()
    named = [line.split()[0] for line in lines[2:]]
    assert set(table["arm"]) <= set(named), "every name, whole"


def test_the_latex_table_is_bold_only_where_the_verdict_says_so(report: Report, mosi: Results) -> None:
    lines = (report.page.parent / "tables" / "ablation.tex").read_text(encoding="utf-8").splitlines()
    table = overview.ablation(mosi)
    verdicts = table[(table["role"] == "primary") & (table["arm"] != "full")].set_index("arm")["verdict"]
    for arm, verdict in verdicts.items():
        row = next(line for line in lines if line.startswith(str(arm).replace("_", " ") + " &"))
        assert (r"\textbf" in row) == (verdict != "undecided")
    assert r"\toprule" in lines
    assert latex.escape("50% of a_b & <c>") == r"50\% of a\_b \& $<$c$>$"


ONE_PARAM = {"lr": SMALL_SPACE["lr"]}
EDGES: dict[str, tuple[Recipe, str]] = {
    "no runs": (Recipe(trials=0, seeds=0), "There are no pairs of confirm runs so far"),
    "one arm": (Recipe(arms={"full": ({}, 0.0)}), "There is nothing to compare"),
    "one seed": (Recipe(arms=TWO_ARMS, seeds=1), "Fewer than 2 pairs (1) so far"),
    "a failed arm": (Recipe(arms=TWO_ARMS, failed_seeds={"no_prior": range(10)}), "10 pairs are lost, 0 left"),
    "a failed reference": (Recipe(arms=TWO_ARMS, failed_seeds={"full": range(10)}), "has no finished confirm run"),
    "classes": (Recipe(arms=TWO_ARMS, classes=10), "test accuracy, higher is better"),
    "no search": (Recipe(arms=TWO_ARMS, trials=0), "No search was run: every arm is taken as it is."),
    "few trials": (Recipe(arms=TWO_ARMS, trials=5), "Importance needs at least 10 search runs"),
    "one param": (Recipe(arms=TWO_ARMS, space=ONE_PARAM, conditions={}), "needs two hyperparameters that every run"),
    "no confirm runs": (Recipe(arms=TWO_ARMS, seeds=0), "No confirm run counts so far: there is no claim."),
    "two searches": (Recipe(arms=TWO_ARMS, searches=2), "2 independent searches that share its budget"),
    "splits": (Recipe(arms=TWO_ARMS, splits=5), "overlapping splits whose sizes are not recorded"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_what_a_study_lacks_is_a_sentence_and_no_error(name: str, tmp_path: Path) -> None:
    recipe, sentence = EDGES[name]
    small = Recipe(**{**recipe.__dict__, "num_items": 60, "epochs": 8})
    if recipe.space is Recipe().space:
        small = Recipe(**{**small.__dict__, "space": SMALL_SPACE})
    page = Page(write(write_results(tmp_path, small)).page)
    assert sentence in page.text
    assert not re.search(r"\bnan\b", page.text.replace("got nan at epoch 2", ""))


def test_a_study_without_items_or_epochs_is_reported(tmp_path: Path) -> None:
    folder = write_results(tmp_path, Recipe(arms=TWO_ARMS, space=SMALL_SPACE, trials=12, num_items=30, epochs=4))
    shutil.rmtree(folder / "items")
    shutil.rmtree(folder / "epochs")
    page = Page(write(folder).page)
    assert "Videos: not covered" in page.text
    assert "There are no finished confirm runs with a curve so far." in page.text


def test_names_and_errors_cannot_inject_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    arms: dict[str, tuple[dict[str, Any], float]] = {"full": ({}, 0.0), evil: ({"<b>": "</td><img src=x>"}, 0.1)}
    extra = {"title": f"{evil} & co", "notes": [evil], "about": {evil: evil}}
    recipe = Recipe(arms=arms, space=SMALL_SPACE, trials=0, num_items=30, epochs=4, extra=extra)
    folder = write_results(tmp_path, recipe)
    runs = pd.read_parquet(folder / "runs")
    error = pd.Series([evil, '"><img src=y onerror=z>'] * (len(runs) // 2))
    bad = runs.assign(run_id="x" + runs["run_id"], seed=1, status="failed", error_kind="<i>", error=error)
    write_table(folder / "more", bad, schema=schema_of("runs", recipe), parts=1)
    (folder / "more" / "part-000001.parquet").rename(folder / "runs" / "part-000009.parquet")
    page = Page(write(folder).page)
    assert not page.all("script")
    assert not page.all("b")
    assert not page.all("i")
    assert all(str(attrs["src"]).startswith("data:") for attrs in page.all("img"))
    assert "<script>alert(1)</script>" in page.text


def test_a_report_replaces_the_last_one_and_leaves_nothing_behind(small_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small_folder, tmp_path / "results"))
    first = write(folder)
    (first.page.parent / "figures" / "of_an_older_version.png").touch()
    before = {path: path.read_bytes() for path in first.page.parent.rglob("*.*") if path.suffix != ".html"}
    second = write(folder)
    assert second.page == first.page
    assert not (first.page.parent / "figures" / "of_an_older_version.png").exists()
    assert sorted(path.name for path in folder.iterdir()) == sorted(["epochs", "items", "report", "runs", "study.json"])
    for path, content in before.items():
        if path.exists():
            assert path.read_bytes() == content, f"{path.name} differs between two reports of the same results"


def test_a_report_that_fails_leaves_the_last_one_whole(small_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small_folder, tmp_path / "results"))
    page = write(folder).page
    before = page.read_bytes()
    (folder / "runs" / "part-000001.parquet").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="part-000001"):
        write(folder)
    assert page.read_bytes() == before


def test_a_report_of_a_running_study_says_how_far_it_is_and_what_it_is_about(
    small_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(small_folder, tmp_path / "results"))
    part = folder / "runs" / "part-000003.parquet"
    pq.write_table(pq.read_table(part).slice(0, 5), part)
    declared = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(
        json.dumps({**declared, "about": {"preset": "quick", "sizes": [1284, 229, 686]}})
    )
    text = Page(write(folder).page).text
    assert "The study is not complete: here are 59 of 60 search runs" in text
    assert "preset quick" in text
    assert "sizes [1284, 229, 686]" in text


def test_a_chosen_configuration_without_a_search_is_the_default(tmp_path: Path) -> None:
    folder = write_results(tmp_path, Recipe(arms=TWO_ARMS, space=SMALL_SPACE, trials=0, num_items=30, epochs=4))
    assert "The default configuration." in Page(write(folder).page).text


def test_one_figure_can_be_had_alone(small: Results) -> None:
    assert figure(small, "forest").get_size_inches()[0] == pytest.approx(3.4)
    assert (
        figure(small, "sensitivity").get_size_inches()[0]
        > 2 * figure(small, "sensitivity", for_column=True).get_size_inches()[0]
    )
    with pytest.raises(ValueError, match=r"must be one of forest, seeds, .*; got 'woods'"):
        figure(small, "woods")


def test_a_figure_that_has_nothing_to_show_says_why(tmp_path: Path) -> None:
    folder = write_results(tmp_path, Recipe(arms=TWO_ARMS, space=SMALL_SPACE, trials=0, num_items=30, epochs=4))
    with pytest.raises(ValueError, match="cannot be drawn: No search was run"):
        figure(folder, "history")
