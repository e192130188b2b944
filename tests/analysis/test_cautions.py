"""What stands beside a verdict: each caution where it is due, in the table, the terminal, the page and the figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from results_folders import SMALL, write_results
from test_figures import words

from analysis import figures, report
from analysis.reporting import latex
from analysis.results.load import load
from analysis.results.paired_runs import Pairs
from analysis.tables import cautions
from analysis.tables.findings import Findings


def pairs_of(arm: list[float], reference: list[float]) -> Pairs:
    ids = pd.Series([str(i) for i in range(len(arm))])
    return Pairs(
        arm="a", arm_S=np.array(arm), reference_S=np.array(reference), arm_ids=ids, reference_ids=ids,
        num_lost=0, num_failed=0, overlap=0.0,
    )  # fmt: skip


FINE = [1.00, 1.01, 0.99, 1.02, 0.98, 1.00, 1.01, 0.99, 1.00, 1.01]


@pytest.mark.parametrize(("lower", "sign"), [(True, 1), (False, -1)])
def test_seeds_that_end_far_below_the_others_of_their_arm_are_collapses(lower: bool, sign: int) -> None:
    arm = [*FINE[:8], 1 + sign * 0.5, 1 + sign * 0.6]
    found = pairs_of(arm, FINE)
    assert cautions.collapsed(found, lower_is_better=lower, margin=0.03) == (2, 0)
    assert cautions.collapsed(found, lower_is_better=not lower, margin=0.03) == (0, 0), "better is no collapse"
    assert cautions.collapsed(found, lower_is_better=lower, margin=0.3) == (0, 0), "not far enough to matter"


def test_noise_is_no_collapse() -> None:
    rng = np.random.default_rng(0)
    counts = [
        cautions.collapsed(pairs_of(rng.normal(1, 0.02, 10).tolist(), rng.normal(1, 0.02, 10).tolist()),
                           lower_is_better=True, margin=0.01)
        for _ in range(500)
    ]  # fmt: skip
    assert sum(own + reference for own, reference in counts) <= 5


def test_the_test_of_collapses_is_fishers_with_holm() -> None:
    arms = [pairs_of(FINE, FINE), pairs_of(FINE, FINE)]
    assert cautions.collapse_p(arms, [(5, 0), (2, 0)]) == pytest.approx([2 * 0.0325077, 0.4736842], abs=1e-6)
    assert cautions.collapse_p(arms, [(0, 0), (0, 0)]) == pytest.approx([1, 1])


def test_cautions_stand_wherever_the_verdict_stands(tmp_path: Path) -> None:
    written = report(write_results(tmp_path / "r", SMALL))
    found = Findings(results=load(tmp_path / "r"))
    rows = found.compared
    assert rows["cautions"].str.contains("one_search").all(), "no runs with the reference's hyperparameters"
    text = "the word is about these configurations"
    assert text in " ".join(written.text.split())
    assert text in written.page.read_text()
    assert text in latex.ablation(found.ablation, found.results.study)
    drawn = figures.forest(found.ablation, found.results.study).figure
    assert isinstance(drawn, Figure)
    assert any("Cautions (*: of some arms): one search" in " ".join(word.get_text().split()) for word in words(drawn))
    table = pd.read_csv(tmp_path / "r" / "report" / "tables" / "ablation.csv")
    assert set(" ".join(table["cautions"].dropna()).split()) <= set(cautions.MEANINGS)


def test_a_collapse_is_told_first_and_with_its_test(tmp_path: Path) -> None:
    row = {
        "arm": "a", "n_seeds": 10, "collapsed": 2, "collapsed_reference": 0, "p_collapse": 0.474,
        "cautions": "collapse one_search",
    }  # fmt: skip
    study = load(write_results(tmp_path / "r", SMALL)).study
    lines = cautions.in_words(pd.DataFrame([row]), study)
    assert lines[0] == (
        f"Of a, 2 of 10 seeds collapse, of {study.reference} none (p = 0.47, Fisher's exact test, Holm over arms)."
    )
    assert lines[1].startswith("Collapse (a): some seeds end far")
    assert lines[2].startswith("One search (a): ")


def test_the_mark_is_for_what_not_all_arms_have() -> None:
    rows = pd.DataFrame({"verdict": ["", "worse", "equivalent"], "cautions": ["", "failures one_search", "one_search"]})
    assert cautions.marked(rows) == ["", "worse*", "equivalent"]
    assert cautions.marked(rows.iloc[:2]) == ["", "worse*"], "one arm: its own"
