"""What the documents show works as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from orchestrator.study.failures import FAILURES

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def call(*arguments: str, cwd: Path) -> str:
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=True).stdout


@pytest.mark.ray
def test_the_studies_of_ones_own_model_run_and_go_on(tmp_path: Path) -> None:
    function, command, packs, together = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "own_model.md").read_text(), re.DOTALL
    )
    (tmp_path / "first_study.py").write_text(function)
    (tmp_path / "packs.py").write_text(packs)
    (tmp_path / "momentum.py").write_text(command)
    (tmp_path / "together.py").write_text(together)
    told = call("first_study.py", cwd=tmp_path)
    assert "54 of 54 runs" in told
    assert re.search(r"^no_momentum +10 .* worse +short_search one_search$", told, re.MULTILINE)
    assert "54 finished runs are kept" in call("first_study.py", cwd=tmp_path)
    call("-m", "orchestrator", "verify", "results/momentum", "--runs", "2", cwd=tmp_path)
    call("-m", "analysis", "results/momentum", cwd=tmp_path)
    table = pd.read_csv(tmp_path / "results/momentum/report/tables/ablation.csv").set_index("arm")
    assert table.loc["no_momentum", "verdict"] == "worse"
    assert re.search(r"^no_momentum +10 .* worse\b", call("packs.py", cwd=tmp_path), re.MULTILINE)
    assert "54 finished runs are kept" in call("momentum.py", "--serial", cwd=tmp_path), "the same study"
    assert "momentum × decay,interaction,8," in call("together.py", cwd=tmp_path)


@pytest.mark.ray
def test_the_studies_of_a_program_run_and_go_on(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "programs.md").read_text()
    script, train = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "script_study.py").write_text(script)
    (tmp_path / "train.py").write_text(train)
    told = call("script_study.py", cwd=tmp_path)
    assert re.search(r"^no_dropout +8 .* worse +short_search one_search$", told, re.MULTILINE)
    assert "24 finished runs are kept" in call("script_study.py", cwd=tmp_path)
    line = re.search(r"^    python (-m orchestrator script .*?)\n\n", text, re.DOTALL | re.MULTILINE)
    assert line
    told = call(*shlex.split(line[1].replace("\\\n", " ")), "--serial", cwd=tmp_path)
    assert re.search(r"^no_dropout +8 .* worse", told, re.MULTILINE)


def test_the_study_of_ones_own_data_runs(tmp_path: Path) -> None:
    found = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "data.md").read_text(), re.DOTALL)
    assert found
    (tmp_path / "mood_ablation.py").write_text(found[1])
    rng = np.random.default_rng(0)
    arrays = {"words": rng.standard_normal((40, 5, 300)), "pulse": rng.standard_normal((40, 5, 4))}
    number = np.arange(40)
    np.savez(
        tmp_path / "mood.npz",
        **{name: values.astype(np.float32) for name, values in arrays.items()},
        mood=number % 2,
        item=number.astype(str),
        speaker=(number // 4).astype(str),
        fold=np.repeat(["train", "valid", "test"], [24, 8, 8]),
    )
    budget = ["--trials", "2", "--seeds", "2", "--epochs", "1", "--arms", "only_pulse,late_fusion", "--serial"]
    call("mood_ablation.py", "--data", ".", *budget, cwd=tmp_path)
    table = pd.read_csv(tmp_path / "results/mood_ablation/report/tables/ablation.csv")
    assert set(table[table.role == "primary"].metric) == {"test_accuracy"}
    assert set(table.arm) == {"full", "late_fusion", "only_pulse"}


def test_every_link_leads_to_a_file() -> None:
    for document in DOCUMENTS:
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_every_file_that_a_document_names_exists() -> None:
    for document in DOCUMENTS:
        named = re.findall(
            r"`((?:studies|orchestrator|analysis|mfm|benchmarks|docs|tests)/[\w/.*-]+)`", document.read_text()
        )
        for name in named:
            assert list(ROOT.glob(name)), f"{document.name}: {name}"


def test_the_table_of_failures_has_every_kind() -> None:
    table = (ROOT / "docs" / "ledger.md").read_text().split("**Failures are rows**")[1].split("\n**")[0]
    named = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    assert named == FAILURES.keys() - {"drained"}, "a study that was stopped has no row"
