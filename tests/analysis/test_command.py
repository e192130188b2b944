"""`python -m analysis`: on a machine without Ray and PyTorch, with one clear line for bad input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analysis.__main__ import main

BARE = """
import importlib.abc, runpy, sys

ABSENT = {"ray", "torch", "rich", "mfm", "orchestrator", "studies"}

class Bare(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"{name} is not installed here")

sys.meta_path.insert(0, Bare())
sys.argv = ["analysis", *sys.argv[1:]]
runpy.run_module("analysis", run_name="__main__", alter_sys=True)
"""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", BARE, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_the_report_is_written_without_ray_and_pytorch(small_folder: Path) -> None:
    done = run(small_folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"report: {small_folder / 'report' / 'index.html'}"
    assert (small_folder / "report" / "index.html").is_file()


def test_a_folder_of_something_else_is_one_clear_line(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["a", "b", "c"], ["--unknown", "a"], ["a", "--seed", "x"], ["a", "--price-gpu", "-1"]]
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


def test_results_that_cannot_be_written_to_are_one_clear_line(
    small_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").mkdir()
    for name in ("runs", "epochs", "items", "study.json"):
        (tmp_path / "results" / name).symlink_to(small_folder / name)
    (tmp_path / "results" / "report").write_text("not a folder")
    assert main([str(tmp_path / "results")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
