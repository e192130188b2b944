"""The pages of docs/frameworks: each runs as it stands there, and what it trains keeps the contract of objectives."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = Path(__file__).parent.parent.parent / "docs" / "frameworks"
# Page -> what it needs, and the files that its blocks are.
FRAMEWORKS = {
    "scikit_learn": ("sklearn", ["forest"]),
    "xgboost": ("xgboost", ["boosting"]),
    "lightning": ("pytorch_lightning", ["dropout", "lightning_model"]),
    "jax": ("jax", ["momentum_jax"]),
    "hugging_face": ("transformers", ["warmup", "hugging_face_model"]),
}
CONTRACT = """
from dataclasses import replace
from {0} import study, train
from orchestrator import FunctionObjective, check_objective
if __name__ == "__main__":
    check_objective(replace(study, epochs=min(study.budget.epochs, 2)), FunctionObjective(train))
    print("kept")
"""


def call(*words: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_page_is_known() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == FRAMEWORKS.keys()


@pytest.mark.parametrize("page", FRAMEWORKS)
def test_the_page_runs_and_its_function_keeps_the_contract(page: str, tmp_path: Path) -> None:
    package, files = FRAMEWORKS[page]
    pytest.importorskip(package, reason=f"{package} is not installed: docs/frameworks/{page}.md is NOT tested")
    blocks = re.findall(r"```python\n(.*?)```", (PAGES / f"{page}.md").read_text(), re.DOTALL)
    for name, code in zip(files, blocks, strict=True):
        (tmp_path / f"{name}.py").write_text(code)
    adaptor, _, _ = blocks[0].partition("study = Study(")
    assert sum(bool(line.strip()) for line in adaptor.splitlines()) < 30, "what adapts, without the question"
    epochs = [] if page == "scikit_learn" else ["--epochs", "2"]
    told = call(f"{files[0]}.py", "--serial", "--trials", "2", "--seeds", "2", *epochs, cwd=tmp_path)
    assert re.search(r"^full +2 .*reference$", told, re.MULTILINE)
    (tmp_path / "contract.py").write_text(CONTRACT.format(files[0]))
    assert "kept" in call("contract.py", cwd=tmp_path)
