"""docs/verdicts.md and docs/ci.md: what they show works, and gives what they show."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from analysis.imported.sources import SOURCES
from analysis.tables.cautions import MEANINGS

DOCS = Path(__file__).parents[2] / "docs"
PAGE, CI = (DOCS / "verdicts.md").read_text(), (DOCS / "ci.md").read_text()
TRAIN = """
import numpy as np, pandas as pd
rng = np.random.default_rng(0)
arms = {"main": 0, "change": DELTA}
rows = [{"arm": a, "seed": s, "test_mae": 1 + d + rng.normal(0, .01)} for a, d in arms.items() for s in range(8)]
pd.DataFrame(rows).to_csv("runs.csv", index=False)
"""


def call(words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *shlex.split(words)[1:]],
        cwd=folder,
        env=os.environ | {"COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the example."""
    folder = tmp_path_factory.mktemp("example")
    use, make = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (folder / "make.py").write_text(make)
    (folder / "use.py").write_text(use)
    assert call("python make.py", folder).returncode == 0
    return folder


def test_the_commands_of_the_page_give_what_it_shows(folder: Path) -> None:
    table, items = re.findall(r"^    (python -m analysis .*)$", PAGE, re.MULTILINE)
    done = call(table, folder)
    shown = re.search(r"^    arm +seeds.*?(?=\n\n)", PAGE, re.MULTILINE | re.DOTALL)
    assert shown
    assert done.stdout.startswith(re.sub(r"^    ", "", shown[0], flags=re.MULTILINE))
    told = call("python use.py", folder).stdout
    assert [re.search(rf"^{arm} .*", told, re.MULTILINE) is not None for arm in ("full", "no_text", "wide")] == [
        True
    ] * 3
    assert call(items, folder).stdout.startswith("b is worse than a, by MAE")


def test_the_page_has_every_kind_of_record_and_every_caution() -> None:
    assert len([source for source in SOURCES if source.name]) == 7
    for name in ("MLflow", "Optuna", "Ray Tune", "W&B", "TensorBoard", "folders of runs", "CSV"):
        assert f"| {name}" in PAGE
    every = PAGE + (DOCS / "statistics.md").read_text()
    for caution in MEANINGS:
        assert f"`{caution}`" in every, caution


@pytest.mark.parametrize("form", ["GitHub", "GitLab"])
@pytest.mark.parametrize(("delta", "code"), [(0.2, 1), (0.0, 0)])
def test_the_jobs_fail_where_a_change_is_worse(form: str, delta: float, code: int, tmp_path: Path) -> None:
    written = re.search(rf"## {form}\n\n```yaml\n(.*?)```", CI, re.DOTALL)
    assert written
    job = yaml.safe_load(written[1])
    steps = (
        job["verdict"]["script"]
        if form == "GitLab"
        else [s["run"] for s in job["jobs"]["verdict"]["steps"] if "run" in s]
    )
    (tmp_path / "train_seeds.py").write_text(TRAIN.replace("DELTA", str(delta)))
    codes = [call(step, tmp_path).returncode for step in steps if step.startswith("python")]
    assert codes == [0, code]
    assert [step for step in steps if not step.startswith("python")] == ["pip install WHEEL"]
    assert (tmp_path / "verdict" / "index.html").is_file()
