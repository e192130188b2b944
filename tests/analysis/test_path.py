"""The ablation path: each step against the one before, from rows whose differences are known."""

from __future__ import annotations

from pathlib import Path

import pytest
from path_results import WALKED, write

from analysis.reporting import report
from analysis.statistics.paired_tests import holm
from analysis.statistics.sign_flips import sign_flip_p
from analysis.tables import ablation_path
from analysis.tables.ablation import compare
from analysis.words import methods_paragraph


def test_every_step_is_compared_with_the_one_before(tmp_path: Path) -> None:
    results = write(tmp_path)
    table = ablation_path.path(results)
    assert list(table["removed"]) == ["", "b", "c", "a"]
    assert table["delta"].tolist()[1:] == pytest.approx([0.0, 0.2, 0.0], abs=0.02)
    assert table["total"].tolist()[1:] == pytest.approx([0.0, 0.2, 0.2], abs=0.02)
    assert list(table["verdict"]) == ["", "equivalent", "worse", "equivalent"]
    assert list(table["next_best"]) == ["", "c", "a", ""]
    value = results.confirm.pivot_table(index="seed", columns="arm", values="metric:test_x")
    pairs = [("no_b", "full"), ("no_b+c", "no_b"), ("no_a+b+c", "no_b+c")]
    p = [sign_flip_p((value[arm] - value[before]).to_numpy()) for arm, before in pairs]
    assert table["p_holm"].tolist()[1:] == pytest.approx(holm(p))


def test_arms_that_were_only_weighed_are_no_hypotheses(tmp_path: Path) -> None:
    results = write(tmp_path)
    assert results.study.others == ["no_b", "no_b+c", "no_a+b+c"]
    assert {row.arm for row in compare(results)} == {arm for arm, *_ in WALKED}


def test_a_path_that_is_not_over_shows_the_steps_so_far(tmp_path: Path) -> None:
    results = write(tmp_path, steps=1)
    assert list(ablation_path.path(results)["arm"]) == ["full", "no_b"]
    assert "no_b" in report.write(tmp_path).page.read_text()


def test_the_report_tells_the_order_the_first_loss_and_that_arms_were_not_searched(tmp_path: Path) -> None:
    results = write(tmp_path)
    written = report.write(tmp_path)
    said = " ".join(written.text.split())
    assert "Removed in this order: b, c and a. The first shown loss comes after 1 component" in said
    assert (tmp_path / "report" / "tables" / "path.csv").exists()
    assert not (tmp_path / "report" / "tables" / "effects.csv").exists()
    page = written.page.read_text()
    assert "fewer search runs" not in page.lower(), "the others have none by design"
    assert "Only full was tuned" in " ".join(methods_paragraph.methods(results))


def test_a_study_whose_path_has_not_begun_says_so(tmp_path: Path) -> None:
    results = write(tmp_path, steps=0)
    assert ablation_path.headline(ablation_path.path(results), results.study) == ""
    assert ablation_path.in_words(ablation_path.path(results), results.study) == [
        "No step of the path is decided so far."
    ]
    report.write(tmp_path)
