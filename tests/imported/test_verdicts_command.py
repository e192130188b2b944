"""`python -m analysis` on runs that were made elsewhere: page, figures, LaTeX, JSON and exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from test_tables_of_runs import THREE, runs

import analysis
from analysis.command.main import main

SCHEMA = json.loads((Path(analysis.__file__).parent / "schemas" / "verdicts-1.json").read_text())
ASKED = ["--reference", "full", "--minimise", "test_mae", "--smallest-effect", "0.03"]


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    frame = runs(arms=THREE)
    frame.loc[(frame["arm"] == "same") & (frame["seed"] == 7), "test_mae"] = float("nan")
    frame.to_csv("results.csv", index=False)
    return tmp_path / "results.csv"


def test_a_table_of_runs_becomes_a_page_with_figures_latex_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results.csv", *ASKED]) == 0
    told = capsys.readouterr().out
    assert re.search(r"^worse +12 +0 .* worse$", told, re.MULTILINE)
    assert "same seed 7 (test_mae is nan)" in told
    assert told.splitlines()[-1] == "report: results_report/index.html"
    there = {path.relative_to("results_report").as_posix() for path in Path("results_report").rglob("*.*")}
    assert {
        "index.html", "verdicts.json", "figures/forest.svg", "figures/seeds.png", "tables/ablation.csv",
        "tables/ablation.tex",
    } <= there  # fmt: skip
    page = Path("results_report/index.html").read_text()
    assert "were made elsewhere and read from results.csv" in page
    assert "search" not in page.partition("<main")[2].partition("<footer")[0].replace("research", "")
    assert "n = 11 to 12 paired seeds" in Path("results_report/tables/ablation.tex").read_text()


def test_json_is_printed_alone_and_keeps_its_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results.csv", *ASKED, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told, SCHEMA)
    assert told["arms"]["worse"]["verdict"] == "worse"
    assert told["arms"]["same"]["failed"] == 1
    assert not Path("results_report").exists()
    assert main(["results.csv", *ASKED, "--json", "--report", "out"]) == 0
    assert json.loads(Path("out/verdicts.json").read_text()) == json.loads(capsys.readouterr().out)


def test_the_json_of_a_study_and_of_two_models_keep_the_schema(
    small_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(small_folder), "--json"]) == 0
    jsonschema.validate(json.loads(capsys.readouterr().out), SCHEMA)
    for name in "ab":
        frame = runs(arms={"x": 0.0}, seeds=30, seed=ord(name))
        frame.assign(item=frame["seed"], y=1.0, prediction=frame["test_mae"]).drop(columns=["arm", "seed"]).to_csv(
            f"{name}.csv", index=False
        )
    assert main(["a.csv", "b.csv", "--minimise", "mae", "--smallest-effect", ".02", "--json"]) == 0
    jsonschema.validate(json.loads(capsys.readouterr().out), SCHEMA)
    assert main(["a.csv", "b.csv", "--minimise", "mae", "--smallest-effect", ".02", "--reference", "b"]) == 0
    assert capsys.readouterr().out.startswith("a is ")


@pytest.mark.parametrize(("named", "code"), [([], 0), (["worse"], 1), (["undecided"], 0), (["undecided", "worse"], 1)])
def test_the_exit_code_says_what_a_job_is_to_fail_on(named: list[str], code: int) -> None:
    assert main(["results.csv", *ASKED, "--json", *(word for one in named for word in ("--fail-on", one))]) == code


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["results.csv"], "must be said: --reference ARM; --minimise METRIC or --maximise METRIC; --smallest-effect X"),
        (["absent.csv", *ASKED], "absent.csv is not there"),
        (["results.csv", *ASKED[2:], "--reference", "base"], "column arm has full, worse, same"),
        (["results.csv", *ASKED, "--seed-column", "n"], "--seed-column must name one of arm, seed, test_mae"),
        (["results.csv", "absent.csv", *ASKED[2:]], "results.csv must have the columns item, y, prediction"),
        (["results.csv", *ASKED, "--items", "results.csv"], "it lacks item, y, prediction"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert told in error


def test_what_a_study_has_declared_is_not_said_again(small_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(small_folder), *ASKED]) == 2
    assert "which declared them before its runs" in capsys.readouterr().err


def test_a_report_takes_no_folder_that_holds_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    mine = Path("pictures/figures/mine.png")
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    assert main(["results.csv", *ASKED, "--report", "pictures"]) == 2
    assert "must have a folder of its own" in capsys.readouterr().err
    assert mine.exists()
    assert main(["results.csv", *ASKED, "--report", "new"]) == 0
    assert main(["results.csv", *ASKED, "--report", "new"]) == 0
