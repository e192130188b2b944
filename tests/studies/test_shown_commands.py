"""Every command that the documents show: its program is there and knows its flags; studies make their plan with them.

Blocks of Python are run whole, each by the test that is named in BLOCKS.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = {
    "docs/data.md": "tests/studies/test_documents.py",
    "docs/figures.md": "tests/analysis/test_figure_page.py",
    "docs/judge.md": "tests/analysis/test_judge.py",
    "docs/own_model.md": "tests/studies/test_documents.py",
    "docs/programs.md": "tests/studies/test_documents.py",
    "docs/verdicts.md": "tests/imported/test_verdicts_documents.py",
    "docs/frameworks/hugging_face.md": "tests/studies/test_frameworks.py",
    "docs/frameworks/jax.md": "tests/studies/test_frameworks.py",
    "docs/frameworks/lightning.md": "tests/studies/test_frameworks.py",
    "docs/frameworks/scikit_learn.md": "tests/studies/test_frameworks.py",
    "docs/frameworks/xgboost.md": "tests/studies/test_frameworks.py",
}
# Programs of others, and what only a cluster has: tests/cluster runs them as their document shows them.
OTHERS = ("make", "ray", "cd", "sbatch", "pip", "git", "kubectl")
PLACES = {"DIR", "FILE", "BUCKET", "RESULTS", "POOL"}


def commands() -> list[tuple[str, list[str]]]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text().replace("\\\n", " ")
        for line in re.findall(
            r"^    ((?:\.venv/bin/)?(?:python|analysis|orchestrator|studies) .*)$", text, re.MULTILINE
        ):
            words = shlex.split(line.split("   ")[0].replace("[", "").replace("]", ""), comments=True)
            found.append((document.relative_to(ROOT).as_posix(), words[1:]))
    return found


@cache
def help_of(*program: str) -> str:
    done = subprocess.run([sys.executable, *program, "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("document", "words"), commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_command_that_is_shown_is_one_that_works(document: str, words: list[str]) -> None:
    if words[:2] == ["-m", "pip"] or words[:2] == ["-m", "pytest"] or words[0] in ("first_study.py", "momentum.py"):
        return  # run by .ci/run and tests/studies/test_documents.py
    module = words[:2] if words[0] == "-m" else words[:1]
    rest = words[len(module) :]
    if module in (["-m", "orchestrator"], ["-m", "analysis"]) and rest and re.fullmatch(r"[a-z]+", rest[0]):
        module, rest = [*module, rest[0]], rest[1:]
    told = help_of(*module)
    for flag in (word.partition("=")[0] for word in rest if word.startswith("--")):
        assert flag in told, f"{document}: {flag} is no flag of {' '.join(module)}"


@pytest.mark.parametrize(
    ("document", "words"),
    [(d, w) for d, w in commands() if w[0].startswith("studies/") and "--cluster" not in w],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_study_that_is_shown_makes_its_plan(document: str, words: list[str], tmp_path: Path) -> None:
    kept: list[str] = []
    for word in words[1:]:
        kept = kept[:-1] if word in PLACES or "://" in word or word.startswith("/") else [*kept, word]
    done = subprocess.run(
        [sys.executable, ROOT / words[0], *kept, "--plan"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{document}: {done.stderr}"


def test_every_block_of_python_has_a_test_that_runs_it() -> None:
    having = {d.relative_to(ROOT).as_posix() for d in DOCUMENTS if "```python" in d.read_text()}
    assert having == BLOCKS.keys()
    for document, test in BLOCKS.items():
        assert Path(document).name in (ROOT / test).read_text() or Path(document).stem in (ROOT / test).read_text()


def test_what_others_programs_are_given_is_there() -> None:
    for document in DOCUMENTS:
        for line in re.findall(rf"^    (?:{'|'.join(OTHERS)}) .*$", document.read_text(), re.MULTILINE):
            for name in re.findall(r"\bcluster[\w-]*\.yaml|docs/recipes/\w+\.sh|studies/\w+\.py", line):
                assert (ROOT / name).exists(), f"{document.name}: {name}"


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", ROOT / "docs", tmp_path]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {path.relative_to(tmp_path).with_suffix("").as_posix() for path in tmp_path.rglob("*.html")}
    documents = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert documents <= pages
