"""The study scripts, as a user calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from scripts import ROOT, TINY, call


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny finished study; its output is kept beside it."""
    results = tmp_path_factory.mktemp("study") / "results"
    done = call("mosi_ablation", "--results", str(results), *TINY)
    assert done.returncode == 0, done.stderr
    (results.parent / "output").write_text(done.stdout)
    return results


def test_a_study_ends_with_a_table_figures_a_page_and_what_to_do_next(finished: Path) -> None:
    output = (finished.parent / "output").read_text()
    assert "no_prior" in output
    assert str(finished / "report" / "index.html") in output
    assert "On real data:" in output
    assert "On a cluster:" in output
    assert (finished / "report" / "index.html").stat().st_size > 10_000
    assert (finished / "report" / "tables" / "ablation.csv").exists()
    assert list((finished / "report" / "figures").glob("*.png"))
    assert (finished / "log.txt").exists()


def test_progress_without_a_terminal_is_one_line_per_event(finished: Path) -> None:
    lines = (finished.parent / "output").read_text().splitlines()
    events = [line for line in lines if "runs over" in line]
    assert len(events) == 4
    assert any("no_prior: confirm 3 of 3 runs over, best valid_mae" in line for line in events)
    assert "12 of 12 runs" in events[-1]


def test_the_same_command_again_says_what_it_found_and_trains_nothing(finished: Path) -> None:
    before = pd.read_parquet(finished / "runs")
    again = call("mosi_ablation", "--results", str(finished), *TINY)
    assert again.returncode == 0
    assert "12 finished runs are kept" in again.stdout
    pd.testing.assert_frame_equal(before, pd.read_parquet(finished / "runs"))


def test_plan_says_what_is_there_and_what_is_missing(finished: Path) -> None:
    arguments = ["--results", str(finished), *TINY]
    arguments[arguments.index("--seeds") + 1] = "5"
    done = call("mosi_ablation", "--plan", *arguments)
    assert done.returncode == 0
    assert "5 (3 there)" in done.stdout
    assert "4 runs of 2 epochs to train" in done.stdout
    assert "from 12 finished runs" in done.stdout


def test_a_plan_for_a_cluster_is_made_here(finished: Path) -> None:
    done = call("mosi_ablation", "--plan", "--cluster", "nowhere.yaml", "--results", str(finished), *TINY[:-1])
    assert done.returncode == 0, done.stderr
    assert "0 runs of 2 epochs to train" in done.stdout


def test_plan_warns_when_no_verdict_is_in_reach() -> None:
    done = call("mosi_ablation", "--plan", "--seeds", "5", "--results", "nowhere")
    assert "No arm can be called worse or better: with 5 seeds" in done.stdout
    assert "--seeds 8 is the least that can" in done.stdout


def test_status_show_and_best_read_the_results(finished: Path) -> None:
    def ask(*arguments: str) -> str:
        command = [sys.executable, "-m", "orchestrator", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "12 of about 12 runs are published" in ask("status", str(finished))
    run = pd.read_parquet(finished / "runs").run_id[0]
    assert run in ask("show", str(finished), run[:8])
    best = ask("best", str(finished), "--arm", "full")
    assert "weights" in best
    weights = Path(next(line.split()[-1] for line in best.splitlines() if line.strip().startswith("weights")))
    assert weights.exists()


def test_the_command_that_best_prints_trains_the_run_to_the_same_bits(finished: Path, tmp_path: Path) -> None:
    rows = pd.read_parquet(finished / "runs")
    run = rows[rows.phase == "confirm"].run_id.iloc[0]
    weights = tmp_path / "weights.safetensors"
    command = [sys.executable, "-m", "orchestrator", "train", str(finished), run, "--weights", str(weights)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    deviation = float(done.stdout.split("Largest deviation from the ledger: ")[1])
    assert deviation < 1e-4, "alone, where the ledger's run had companions"
    assert weights.exists()


PLANTED = ("mosi_objectives", "mosi_sensitivity", "mmmo_ablation", "pom_ablation", "youtube_ablation", "moud_ablation")


@pytest.mark.parametrize("script", [*PLANTED, "iemocap_ablation"])
def test_every_script_runs_on_planted_data(script: str, tmp_path: Path) -> None:
    arguments = [a for a in TINY if a not in ("--arms", "no_prior")] if script == "mosi_sensitivity" else TINY
    done = call(script, "--results", str(tmp_path / "results"), *arguments)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "report" / "index.html").exists()


WRONG: dict[str, tuple[Sequence[str], str]] = {
    "unknown flag": (["--sedes", "3"], "unrecognized arguments: --sedes 3"),
    "abbreviated flag": (["--see", "3"], "unrecognized arguments: --see 3"),
    "unknown preset": (["--preset", "fast"], "invalid choice: 'fast'"),
    "unknown arm": (["--arms", "no_priors"], "arm 'no_priors' is not known; did you mean 'no_prior'?"),
    "seeds that are no number": (["--seeds", "many"], "must be a whole number from 1 on; got 'many'; or auto"),
    "negative trials": (["--trials", "-1"], "must be a whole number from 0 on; got '-1'"),
    "too few seeds for the looks": (["--seeds", "auto", "--max-seeds", "9"], "--max-seeds of at least 14 for 5 arms"),
    "most seeds without auto": (["--max-seeds", "9"], "give --seeds auto with it"),
    "no hours": (["--hours", "0"], "must be a number greater than 0; got '0'"),
    "missing data": (["--data", "no/such/folder"], "no/such/folder"),
    "another address": (["--results", "ftp://host/study"], "results must be a folder or an address of s3://"),
    "a bucket alone": (["--results", "s3://bucket"], "need a bucket and a name"),
    "ray client": (["--address", "ray://head:10001"], "have --cluster FILE for that, with the file of `ray up`"),
    "arms without a name": (["--arms", ""], "must be names of arms, A,B; got ''. Leave it out"),
    "results nowhere": (["--results", ""], "must be a folder or an address, s3://BUCKET/NAME; got ''"),
    "no cluster's file": (["--cluster", "no/such.yaml"], "--cluster no/such.yaml: no such file"),
    "another file": (["--cluster", str(ROOT / "pyproject.toml")], "must be what `ray up` reads"),
    "a cluster and this process": (["--cluster", "any.yaml", "--serial"], "leave --serial out, or --cluster"),
    "a cluster and another": (["--cluster", "any.yaml", "--address", "auto"], "leave --address out, or --cluster"),
    "tri-modal without data": (["--tri-modal"], "--tri-modal needs --data"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_gets_one_clear_line_and_exit_code_2(case: str, tmp_path: Path) -> None:
    arguments, words = WRONG[case]
    script = "mmmo_ablation" if case.startswith("tri") else "mosi_ablation"
    done = call(script, "--results", str(tmp_path / "results"), *arguments)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results" / "runs").exists()


def write_mosi(folder: Path, **changes: np.ndarray) -> Path:
    """A folder in the form of MFN's MOSI files, with something wrong in it."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for fold, num_items in (("train", 12), ("valid", 6), ("test", 6)):
        arrays = {"X": rng.standard_normal((num_items, 4, 325)), "y": rng.uniform(-3, 3, num_items)}
        for name, value in arrays.items():
            with h5py.File(folder / f"{name}_{fold}.h5", "w") as file:
                file["data"] = changes.get(f"{name}_{fold}", value)
    return folder


BAD_DATA = {
    "NaN features": ({"X_train": np.full((12, 4, 325), np.nan)}, "NaN or infinite"),
    "infinite labels": ({"y_valid": np.full(6, np.inf)}, "y_valid.h5"),
    "another length": ({"y_test": np.zeros(5)}, "y_test.h5"),
    "another width": ({"X_valid": np.zeros((6, 4, 320))}, "X_valid.h5"),
    "another number of axes": ({"X_train": np.zeros((12, 325))}, "X_train.h5"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_broken_data_gets_one_clear_line_and_exit_code_2(case: str, tmp_path: Path) -> None:
    changes, words = BAD_DATA[case]
    done = call("mosi_ablation", "--data", str(write_mosi(tmp_path / "data", **changes)), "--plan")
    assert done.returncode == 2, done.stdout
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("text", ["", "not data", "{}"])
def test_a_file_that_is_not_what_its_name_says_is_named(text: str, tmp_path: Path) -> None:
    for name in ("mosi_data.pkl", "mosi_utterances.npz", "X_train.h5"):
        folder = tmp_path / name.replace(".", "_")
        write_mosi(folder) if name.endswith("h5") else folder.mkdir()
        (folder / name).write_text(text)
        done = call("mosi_ablation", "--data", str(folder), "--plan")
        assert done.returncode == 2
        assert name in done.stderr
        assert "Traceback" not in done.stderr


def test_a_results_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = call("mosi_ablation", "--results", str(tmp_path / "file" / "results"), *TINY)
    assert done.returncode == 2
    assert "file/results" in done.stderr
    assert "Traceback" not in done.stderr


def test_results_of_other_data_are_not_mixed(finished: Path, tmp_path: Path) -> None:
    rows = pd.read_parquet(finished / "runs")
    arguments = ["--results", str(finished), "--data", str(write_mosi(tmp_path / "data")), *TINY]
    done = call("mosi_ablation", *arguments)
    assert done.returncode == 2
    assert "holds the study 'mosi_ablation_quick', not 'mosi_ablation'" in done.stderr
    pd.testing.assert_frame_equal(rows, pd.read_parquet(finished / "runs"))


@pytest.mark.data
@pytest.mark.parametrize(
    ("script", "folder", "counts"),
    [
        ("mosi_ablation", "mosi", (1284, 229, 686)),
        ("mmmo_ablation", "mmmo", (220, 40, 80)),
        ("pom_ablation", "pom", (600, 100, 203)),
    ],
)
def test_every_ablation_trains_on_its_real_data(
    script: str, folder: str, counts: tuple[int, int, int], data_dir: Path, tmp_path: Path
) -> None:
    arguments = ["--data", str(data_dir / folder), "--preset", "standard", "--results", str(tmp_path / "results")]
    done = call(
        script, *arguments, "--trials", "2", "--seeds", "2", "--epochs", "1", "--arms", "late_fusion", "--serial"
    )
    assert done.returncode == 0, done.stderr
    study = json.loads((tmp_path / "results" / "study.json").read_text())
    assert tuple(study["about"]["items"].values()) == counts
    rows = pd.read_parquet(tmp_path / "results" / "runs")
    assert (rows.status == "completed").all()
    items = pd.read_parquet(tmp_path / "results" / "items")
    assert items.groupby("run_id").item.nunique().eq(counts[2]).all()


@pytest.mark.data
def test_the_tri_modal_videos_train_by_nested_folds(data_dir: Path, tmp_path: Path) -> None:
    arguments = ["--tri-modal", "--data", str(data_dir / "mmmo"), "--preset", "standard", "--arms", "late_fusion"]
    budget = ["--trials", "10", "--seeds", "10", "--epochs", "1", "--serial", "--results", str(tmp_path / "results")]
    done = call("mmmo_ablation", *arguments, *budget)
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "results" / "runs")
    assert (rows.split == rows.search).all(), "no test video of a split was chosen by"
    items = pd.read_parquet(tmp_path / "results" / "items").merge(rows[["run_id", "arm"]])
    assert items.groupby(["arm", "item"]).size().eq(2).all(), "each video is tested once per repeat"


def test_environment_is_not_needed() -> None:
    """Scripts run from any folder: the packages are installed."""
    done = call("mosi_ablation", "--help", cwd=Path("/"))
    assert done.returncode == 0
    assert "--accept-change" in done.stdout


def test_the_best_of_a_search_are_ranked_again_by_folds(tmp_path: Path) -> None:
    results = tmp_path / "results"
    budget = ("--trials", "4", "--rerank", "2", "--seeds", "2", "--epochs", "1", "--arms", "no_prior", "--serial")
    done = call("mosi_ablation", "--results", str(results), *budget)
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(results / "runs")
    folds = rows[rows.phase == "rerank"]
    assert folds.groupby("arm").size().to_dict() == {"full": 10, "no_prior": 10}
    assert folds.groupby(["arm", "config_id"]).pack_id.nunique().eq(1).all(), "the folds of a configuration are a pack"
    assert folds["metric:test_mae"].isna().all()
    assert folds.groupby(["arm", "config_id"])["metric:valid_mae"].nunique().eq(5).all(), "every fold is another"
    checked = subprocess.run(
        [sys.executable, "-m", "orchestrator", "verify", str(results), "--runs", "28"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
