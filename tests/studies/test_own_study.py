"""A study of one's own, without a command line of its own: its commands, its messages and its code."""

from __future__ import annotations

import linecache
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from orchestrator.process.command_line import as_options
from orchestrator.process.source_hash import _needed, code_sha256

SCRIPT = """
import sys

import numpy as np
from optuna.distributions import FloatDistribution

from helper import noise
from orchestrator.study.objective import PlainEpoch, PlainOutcome
from orchestrator.runners.run import Options, run
from orchestrator.study.study import Study

STUDY_OF_MINE = Study(
    name="mine", title="mine", params={"lr": 0.1, "drop": 0.1},
    arms={"full": {}, "no_drop": {"drop": 0.0}},
    space={"lr": FloatDistribution(0.01, 1.0, log=True), "drop": FloatDistribution(0.0, 0.5)},
    minimise=("valid_loss", "test_loss"), smallest_effect=0.1, trials=4, seeds=8, epochs=2,
)


class Mine:
    data_sha256 = "drawn"

    def describe(self):
        return {"device": "cpu"}

    def train(self, pack, state=None):
        def loss(run):
            return (np.log10(run.params["lr"]) + 1) ** 2 + (0.5 if run.params["drop"] == 0 else 0) + noise(run.seed)

        for _ in range(pack.epochs):
            yield PlainEpoch(metrics={run.run_id: {"valid_loss": loss(run)} for run in pack})
        both = {run.run_id: {"valid_loss": loss(run), "test_loss": loss(run)} for run in pack}
        return {run: PlainOutcome(best_epoch=1, metrics=metrics) for run, metrics in both.items()}


if __name__ == "__main__":
    results, *options = sys.argv[1:]
    run(STUDY_OF_MINE, Mine(), Options(results=results, serial=True, retry_failed="retry" in options))
"""
HELPER = """
import numpy as np


def noise(seed):
    return 0.01 * float(np.random.default_rng(seed).standard_normal())
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "helper.py").write_text(HELPER)
    path = tmp_path / "project" / "mine.py"
    path.write_text(SCRIPT)
    return path


def call(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)


def test_every_command_works_on_a_study_of_ones_own(script: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = call(script, results, cwd=tmp_path)
    assert done.returncode == 0
    assert f"Complete. Table, figures and page: python -m analysis {results}" in done.stdout
    run_id = pd.read_parquet(results / "runs").query("phase == 'confirm'").run_id.iloc[0]

    def command(*words: str) -> str:
        done = call("-m", "orchestrator", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "24 of about 24 runs are published" in command("status", str(results))
    assert "metric:test_loss" in command("show", str(results), run_id)
    best = command("best", str(results))
    assert f"python -m orchestrator train {results}" in best
    assert "weights" not in best, "this objective keeps none"
    assert "Largest deviation from the ledger: 0" in command("train", str(results), run_id)
    assert "3 of 18 completed runs trained again; largest deviation 0" in command("verify", str(results))


def test_an_edit_of_the_code_or_of_what_it_imports_is_noticed(script: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert call(script, results, cwd=tmp_path).returncode == 0
    helper = script.with_name("helper.py")
    helper.write_text(HELPER.replace("0.01", "0.02"))
    refused = call(script, results, cwd=tmp_path)
    assert refused.returncode == 1
    assert "was begun with something else: the model's code changed" in refused.stderr
    assert "fresh=True" in refused.stderr
    assert "--" not in refused.stderr.splitlines()[-1], "there is no command line"
    verified = call("-m", "orchestrator", "verify", results, cwd=tmp_path)
    assert verified.returncode == 2
    assert "the run was trained with another code than is there now" in verified.stderr
    helper.write_text(HELPER)
    assert call(script, results, cwd=tmp_path).returncode == 0


def test_a_script_that_is_gone_is_named(script: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert call(script, results, cwd=tmp_path).returncode == 0
    script.unlink()
    done = call("-m", "orchestrator", "verify", results, cwd=tmp_path)
    assert done.returncode == 2
    assert f"{script} is not" in done.stderr


def test_what_a_study_asks_may_change_in_the_file_of_its_model(script: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert call(script, results, cwd=tmp_path).returncode == 0
    script.write_text(SCRIPT.replace("seeds=8", "seeds=9").replace('title="mine"', 'title="Mine"'))
    assert call(script, results, cwd=tmp_path).returncode == 0
    assert pd.read_parquet(results / "runs").query("phase == 'confirm'").seed.nunique() == 9
    script.write_text(SCRIPT.replace("0.5 if", "0.6 if"))
    assert "the model's code changed" in call(script, results, cwd=tmp_path).stderr


def test_modules_that_training_imports_late_and_scripts_of_packages_are_found_again(tmp_path: Path) -> None:
    package = tmp_path / "project" / "pkg"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text(HELPER)
    late = SCRIPT.replace("from helper import noise\n", "").replace(
        "        def loss(run):", "        from .helper import noise\n\n        def loss(run):"
    )
    (package / "mine.py").write_text(late)
    results = tmp_path / "results"
    done = call("-m", "pkg.mine", results, cwd=tmp_path / "project")
    assert done.returncode == 0, done.stderr
    verified = call("-m", "orchestrator", "verify", results, cwd=tmp_path)
    assert "largest deviation 0, within" in verified.stdout, verified.stderr


def test_two_studies_of_one_script_are_told_apart_by_their_folders(script: Path, tmp_path: Path) -> None:
    text = SCRIPT.replace(
        "    run(STUDY_OF_MINE, Mine(), Options(results=results,",
        "    for part in ('a', 'b'):\n"
        "        one = Mine()\n        one.data_sha256 = part\n"
        "        run(STUDY_OF_MINE, one, Options(results=f'{results}/{part}',",
    )
    script.write_text(text)
    assert call(script, tmp_path / "results", cwd=tmp_path).returncode == 0
    for part in "ab":
        done = call("-m", "orchestrator", "verify", tmp_path / "results" / part, cwd=tmp_path)
        assert "largest deviation 0, within" in done.stdout, done.stderr


def test_commands_count_the_declared_study_alone_and_read_any_name(script: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    script.write_text(SCRIPT.replace('title="mine"', 'title="odd [/x] title"'))
    assert call(script, results, cwd=tmp_path).returncode == 0
    script.write_text(SCRIPT.replace("epochs=2", "epochs=3").replace("seeds=8", "seeds=4"))
    assert call(script, results, cwd=tmp_path).returncode == 0
    status = call("-m", "orchestrator", "status", results, cwd=tmp_path)
    assert status.returncode == 0, status.stderr
    assert "of another declaration" in status.stdout
    assert "mean of 4 confirm seeds" in call("-m", "orchestrator", "best", results, cwd=tmp_path).stdout


def test_data_without_a_name_are_refused(script: Path, tmp_path: Path) -> None:
    for bad in ("5", "None", '""', 'b"a"'):
        script.write_text(SCRIPT.replace('data_sha256 = "drawn"', f"data_sha256 = {bad}"))
        done = call(script, tmp_path / "results", cwd=tmp_path)
        assert "an objective must have data_sha256, a text" in done.stderr


LIBRARY = """
def make(loss):
    def train(params):
        return loss(params)
    return train
def train(params, loss=None):
    return loss(params)
class Holder:
    def __init__(self, held):
        self.held = held
    def train(self, pack, state=None):
        yield
"""
LOSSES = """
def loss(params):
    return 1.0
class Loss:
    def step(self, params):
        return 1.0
"""


@pytest.mark.parametrize(
    "objective",
    [
        "lib.make(losses.loss)", "partial(lib.train, loss=losses.loss)", "lib.Holder(losses.loss)",
        "lib.Holder({'one': [losses.loss]})", "lib.Holder(losses.Loss())", "lib.Holder(losses.Loss().step)",
        "lib.Holder(losses.Loss)", "lib.Holder(lib.Holder({losses.loss}))", "losses.Loss().step",
    ],
)  # fmt: skip
def test_an_edit_of_what_an_objective_was_handed_is_noticed(objective: str, tmp_path: Path) -> None:
    (tmp_path / "lib.py").write_text(LIBRARY)
    program = (
        "import sys; sys.path.insert(0, '.')\nimport lib, losses\nfrom functools import partial\n"
        f"from orchestrator.process.source_hash import code_sha256\nprint(code_sha256({objective}))"
    )

    def hashed(text: str) -> str:
        (tmp_path / "losses.py").write_text(text)
        done = call("-c", program, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert hashed(LOSSES) == hashed(LOSSES) != hashed(LOSSES.replace("1.0", "10.0"))


def test_messages_advise_settings_where_there_is_no_command_line() -> None:
    assert as_options("with --fresh, or --results DIR") == "with fresh=True, or results=DIR"
    assert as_options("Start one with 'ray start --head'") == "Start one with 'ray start --head'"
    assert as_options("--arms runs some; --address local") == "selected runs some; address=local"


MODULE = '''"""Doc."""
import numpy as np
import random
random.seed(0)
SCALE = 2
def scale(by): return lambda f: f
@scale(2)
def registered(x): return -1
if __name__ != "__main__": BIAS = 0
else: BIAS = 1
def loss(x): return np.abs(SCALE * x)
def unused(x): return x
STUDY = dict(trials=3)
class Mine:
    def train(self): return loss(1)
if __name__ == "__main__":
    print(STUDY)
'''


def test_a_hash_follows_what_is_used_and_nothing_else() -> None:
    kept = _needed(MODULE, "Mine")
    for old, new in (
        ("trials=3", "trials=4"),
        ("Doc", "Text"),
        ("unused(x)", "unused(y, x)"),
        ("print(STUDY)", "pass"),
    ):
        assert _needed(MODULE.replace(old, new), "Mine") == kept
    for old, new in (
        ("SCALE = 2", "SCALE = 3"),
        ("@scale(2)", "@scale(3)"),
        ("return -1", "return -2"),
        ("else: BIAS = 1", "else: BIAS = 2"),
        ("np.abs", "np.sqrt"),
        ("seed(0)", "seed(1)"),
        ("loss(1)", "loss(2)"),
    ):
        assert _needed(MODULE.replace(old, new), "Mine") != kept


def test_status_says_of_failures_what_happened_and_what_helps(script: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    script.write_text(SCRIPT.replace("return (np", 'return float("nan") if run.params["drop"] == 0 else (np'))
    assert call(script, results, cwd=tmp_path).returncode == 0
    status = call("-m", "orchestrator", "status", results, cwd=tmp_path)
    told = " ".join(status.stdout.split())
    assert re.search(r"\d+ failed \(nan\): a metric was not finite\. What helps: a smaller learning rate", told)


TYPED = """
import numpy as np
WIDTH, TABLE, NAMES = 3, np.arange(3), {"a": [1, 2]}
UNUSED = 1
def loss(x):
    return x * WIDTH + TABLE.sum() + len(NAMES)
def train(params):
    return loss(params["x"])
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("WIDTH, TABLE, NAMES = 3", "WIDTH, TABLE, NAMES = 4"), ("np.arange(3)", "np.arange(1, 4)"), ("[1, 2]", "[1, 3]"),
     ("x * WIDTH", "x + WIDTH"), ('params["x"]', 'params["y"]')],
)  # fmt: skip
def test_an_edit_of_a_cell_is_noticed_and_one_of_what_is_not_used_is_not(
    old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hashed(text: str) -> str:
        name = f"<cell {hash(text)}>"  # as a notebook keeps its cells
        monkeypatch.setitem(linecache.cache, name, (len(text), None, text.splitlines(keepends=True), name))
        typed: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(text, name, "exec"), typed)
        return code_sha256(typed["train"])

    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    assert hashed(TYPED) == hashed(TYPED.replace("UNUSED = 1", "UNUSED = 2"))
    assert hashed(TYPED) != hashed(TYPED.replace(old, new))
