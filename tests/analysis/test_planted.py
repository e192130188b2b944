"""What was planted beside what is said, and what is said of hyperparameters that cannot matter."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from results_folders import SMALL_SPACE, Recipe, write_results

from analysis.reporting.report import write
from analysis.results.load import load
from analysis.sections.planted_section import PLANTED, in_words, planted
from analysis.tables.findings import Findings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of five arms, of which one is far worse, the truth of four is declared."""
    arms = {
        "full": ({}, 0.0),
        "without_language": ({"use_language": False}, 0.5),
        "no_prior": ({"prior": "none"}, 0.0),
        "noisy": ({"latent": "noisy"}, 0.4),
        "only_visual": ({"use_acoustic": False}, 0.02),
    }
    truth = {"verdict": "worse", "because": "language alone says what is emphasised"}
    about = {
        "planted": {
            "without_language": truth,
            "noisy": {"verdict": "equivalent", "because": "noise is small"},
            "only_visual": truth,
            "not_run": truth,
        },
        "controls": {"lr": "it is not read", "elsewhere": "it is not searched"},
        "preset": "quick",
    }
    recipe = Recipe(arms=arms, space=SMALL_SPACE, num_items=60, epochs=6, extra={"about": about})
    return write_results(tmp_path_factory.mktemp("planted"), recipe)


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    return planted(Findings(results=load(folder)))


def test_a_word_is_right_wrong_or_not_decided(table: pd.DataFrame) -> None:
    rows = table.set_index("arm")
    assert list(rows.index) == ["without_language", "noisy", "only_visual"], "and none that was not run"
    assert list(rows["outcome"]) == ["right", "wrong", "not decided"]
    assert in_words(table).endswith("1 right, 1 wrong, 1 not decided.")


def test_it_stands_on_the_page_in_a_table_and_not_among_the_facts(folder: Path) -> None:
    page = write(folder).page
    text = page.read_text()
    assert "What was planted, and what was found" in text
    assert "lr is a control: it is not read" in text
    assert "elsewhere" not in text
    assert "<dt>planted</dt>" not in text
    assert "<dt>controls</dt>" not in text
    assert "<dt>preset</dt>" in text
    assert list(pd.read_csv(page.parent / "tables" / "planted.csv")["outcome"]) == ["right", "wrong", "not decided"]


def test_a_study_on_real_data_has_no_such_section(small_folder: Path) -> None:
    found = Findings(results=load(small_folder))
    assert "planted" not in json.loads((small_folder / "study.json").read_text()).get("about", {})
    assert not PLANTED.is_there(found)
