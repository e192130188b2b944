"""The wheel in an environment of its own: analysis alone is small, and works from an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from results_folders import SMALL, write_results
from test_tables_of_runs import THREE, runs

ROOT = Path(__file__).parents[1]
PACKAGES = ("analysis", "mfm", "orchestrator", "studies")
MOST_DOWNLOADED = 150  # megabytes of wheels
ASKED = ("--reference", "full", "--minimise", "test_mae", "--smallest-effect", "0.03")
HYDRA = """
import json, hydra

@hydra.main(version_base=None, config_path=None)
def main(config):
    rows = [{"epoch": e, "test_mae": config.error + config.seed / 1000 + 1 / (e + 1)} for e in range(3)]
    with open(hydra.core.hydra_config.HydraConfig.get().runtime.output_dir + "/metrics.json", "w") as file:
        json.dump(rows if config.seed != 4 else rows[:2], file)

main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, so that nothing is left beside them."""
    copy = tmp_path_factory.mktemp("sources")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", copy / "dist", copy],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"pip builds no wheel here: {done.stderr[-300:]}")
    return next((copy / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip(folder / "bin", "--constraint", str(ROOT / "constraints.txt"), str(wheel))
    return folder / "bin"


def pip(programs: Path, *words: str) -> None:
    done = subprocess.run(
        [programs / "python", "-m", "pip", "install", "--quiet", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"pip installs nothing here: {done.stderr[-300:]}")


def run(program: Path, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run([program, *words], cwd=folder, env=own, capture_output=True, text=True, check=False)


def test_analysis_alone_brings_neither_ray_nor_torch_nor_optuna(alone: Path, wheel: Path, tmp_path: Path) -> None:
    there = json.loads(run(alone / "python", "-m", "pip", "list", "--format", "json", folder=tmp_path).stdout)
    assert not {"ray", "torch", "optuna", "scikit-learn"} & {one["name"] for one in there}
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--dest", tmp_path, "-c", ROOT / "constraints.txt", wheel],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        assert sum(path.stat().st_size for path in tmp_path.glob("*.whl")) < MOST_DOWNLOADED * 1e6


def test_it_gives_verdicts_from_an_empty_folder(alone: Path, tmp_path: Path) -> None:
    runs(arms=THREE).to_csv(tmp_path / "runs.csv", index=False)
    done = run(alone / "analysis", "runs.csv", *ASKED, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs_report" / "index.html").is_file()
    again = run(alone / "python", "-m", "analysis", "runs.csv", *ASKED, "--json", folder=tmp_path)
    assert json.loads(again.stdout)["arms"]["worse"]["verdict"] == "worse"


def test_it_draws_a_study_and_says_what_importance_takes(alone: Path, tmp_path: Path) -> None:
    folder = write_results(tmp_path / "study", SMALL)
    done = run(alone / "analysis", str(folder), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (folder / "report" / "index.html").read_text()
    assert "This takes scikit-learn and optuna, not installed here" in page
    assert "Along each hyperparameter" in page


@pytest.mark.parametrize("words", [("studies", "mosi_ablation", "--plan"), ("orchestrator", "status", "x")])
def test_what_runs_studies_says_what_to_install(alone: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(alone / words[0], *words[1:], folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: to run studies takes more than is installed here")
    assert done.stderr.count("\n") == 1


def test_the_commands_of_the_whole_run_from_an_empty_folder(tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    listed = run(programs / "studies", "--help", folder=tmp_path)
    assert "mosi_ablation" in listed.stdout
    planned = run(programs / "studies", "mosi_ablation", "--plan", folder=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert run(programs / "studies", "absent", folder=tmp_path).returncode == 2
    assert run(programs / "orchestrator", "status", "absent", folder=tmp_path).returncode == 2


def test_a_sweep_of_hydra_is_read(alone: Path, tmp_path: Path) -> None:
    pip(alone, "hydra-core==1.3.8")
    (tmp_path / "train.py").write_text(HYDRA)
    for arm, error in (("full", 1.0), ("wide", 1.2)):
        done = run(
            alone / "python", "train.py", "--multirun", f"+arm={arm}", f"+error={error}", "+seed=range(6)",
            f"hydra.sweep.dir=sweep/{arm}", folder=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    told = run(alone / "analysis", "sweep", *ASKED, "--json", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    wide = json.loads(told.stdout)["arms"]["wide"]
    assert (wide["seeds"], wide["failed"]) == (5, 1)  # the fifth stops an epoch early, as a killed one does
    assert wide["delta"] == pytest.approx(0.2)
