"""A program as what a study trains: what it says, how it ends, what it leaves behind, and who ends it."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from optuna.distributions import FloatDistribution
from rich.console import Console

from orchestrator import FunctionObjective, Script, Study, check_objective, run
from orchestrator.objectives.program_run import KEPT, LAST

PROGRAM = """
import argparse, json, os, subprocess, sys, time
from losses import loss
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float); parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--epochs", type=int, default=2); parser.add_argument("--how", default="json")
args = parser.parse_args()
print("loading ...")
said = []
for epoch in range(1, args.epochs + 1):
    value = loss(args.lr, epoch, args.seed)
    said.append({"epoch": epoch, "valid_loss": value})
    if args.how == "json": print(json.dumps({**said[-1], "note": "fine"}))
    if args.how == "pattern": print(f"epoch {epoch}: valid {value:.6f}")
    if args.how in ("hang", "killed", "fails", "memory"): print(json.dumps(said[-1]))
    if args.how == "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        open("pids", "w").write(f"{os.getpid()} {child.pid}")
        time.sleep(1000)
    if args.how == "killed": os.kill(os.getpid(), 9)
    if args.how == "fails": sys.exit("the data are odd")
    if args.how == "memory": sys.exit("CUDA error: out of memory")
    if args.how == "file.jsonl": open("file.jsonl", "a").write(json.dumps(said[-1]) + "\\n")
if args.how == "loud":
    print("x" * 99, file=sys.stderr)
    for _ in range(30000): print("y" * 99)
test = value + 1
if args.how == "loud": print(json.dumps({**said[-1], "test_loss": test}))
if args.how == "json": print(json.dumps({"test_loss": test}))
if args.how == "pattern": print(f"test {test:.6f}")
if args.how == "file.jsonl": open("file.jsonl", "a").write(json.dumps({"test_loss": test}) + "\\n")
if args.how == "file.json": json.dump([*said[:-1], {**said[-1], "test_loss": test}], open("file.json", "w"))
if args.how == "file.csv":
    rows = "".join(f"{one['epoch']},{one['valid_loss']},{test}\\n" for one in said)
    open("file.csv", "w").write("epoch,valid_loss,test_loss\\n" + rows)
"""
LOSSES = "def loss(lr, epoch, seed):\n    return abs(lr - 0.03) / epoch + 0.001 * (seed % 5)\n"
PATTERN = re.compile(r"valid (?P<valid_loss>[\d.]+)|test (?P<test_loss>[\d.]+)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text(PROGRAM)
    (tmp_path / "code" / "losses.py").write_text(LOSSES)
    return tmp_path / "code"


def study(**changes: Any) -> Study:
    settings = {
        "name": "programs", "params": {"lr": 0.01}, "arms": {"full": {}, "fast": {"lr": 0.1}},
        "minimise": ("valid_loss", "test_loss"), "smallest_effect": 0.01, "trials": 0, "seeds": 2, "epochs": 2,
    }  # fmt: skip
    return Study(**{**settings, **changes})


def program(folder: Path, how: str = "json", **settings: Any) -> Script:
    command = "python train.py --lr {lr} --seed {seed} --epochs {epochs} --how " + how
    return Script(command, folder=folder, **settings)


def rows_of(folder: Path, script: Script, *, serial: bool = True, **changes: Any) -> pd.DataFrame:
    results = folder.parent / "results"
    run(study(**changes), script, results=results, serial=serial, console=Console(quiet=True))
    return pd.read_parquet(results / "runs")


@pytest.mark.parametrize("how", ["json", "pattern", "file.json", "file.jsonl", "file.csv"])
def test_metrics_come_from_its_output_or_from_a_file(how: str, folder: Path) -> None:
    metrics = {"json": None, "pattern": PATTERN}.get(how, how)
    rows = rows_of(folder, program(folder, how, metrics=metrics)).set_index(["arm", "seed"]).sort_index()
    assert set(rows["status"]) == {"completed"}
    assert set(rows["epochs"]) == {2}
    for (arm, seed), row in rows.iterrows():
        due = abs({"full": 0.01, "fast": 0.1}[arm] - 0.03) / 2 + 0.001 * (seed % 5)
        assert row["metric:valid_loss"] == pytest.approx(due, abs=1e-6)
        assert row["metric:test_loss"] == pytest.approx(due + 1, abs=1e-6)


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("fails", "bug", "the program ended with exit code 1; its last lines:\nthe data are odd"),
        ("memory", "oom", "no memory left"),
        ("killed", "crash", "the program was ended by SIGKILL"),
        (
            "silent",
            "bug",
            'the program never said valid_loss: its standard output must have lines as {"valid_loss": 0.5}',
        ),
        ("hang", "timeout", "the program took longer than its time limit of 1 s"),
    ],
)
def test_how_it_fails_is_a_row_of_the_right_kind(how: str, kind: str, words: str, folder: Path) -> None:
    rows = rows_of(folder, program(folder, how, time_limit=1 if how == "hang" else None), seeds=1)
    assert list(rows["error_kind"]) == [kind, kind]
    assert rows["error"].str.contains(words, regex=False).all()


def test_a_fast_program_in_a_file_is_never_missed(folder: Path) -> None:
    """Its last records may come after the last look that found it running."""
    for _ in range(5):
        shutil.rmtree(folder.parent / "results", ignore_errors=True)
        assert set(rows_of(folder, program(folder, "file.jsonl", metrics="file.jsonl"), seeds=1)["epochs"]) == {2}


def alive(pids: Path) -> list[int]:
    found = [int(word) for word in pids.read_text().split()]
    return [pid for pid in found if Path(f"/proc/{pid}").exists() and "Z" not in _state(pid)]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def wait_for(what: Callable[[], bool]) -> None:
    for _ in range(300):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen in 15 s")


def one_run(folder: Path, script: Script, root: Path, state: Any = None) -> Iterator[Any]:
    bound = script.bound(study(), root)
    return bound(
        params={"lr": 0.01}, seed=0, epochs=4, split=0, fold=None, phase="search", state=state, run_id="one"
    )  # fmt: skip


def test_a_run_that_is_given_up_ends_with_all_that_it_has_started(folder: Path, tmp_path: Path) -> None:
    training = one_run(folder, program(folder, "hang", keep_files=True), tmp_path)
    next(training)
    pids = tmp_path / "one" / "pids"
    wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    assert len(alive(pids)) == 2
    training.close()  # type: ignore[attr-defined]
    wait_for(lambda: not alive(pids))


def test_when_its_worker_is_killed_it_ends_too(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(
        "import sys\nfrom pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_programs import one_run, program\n"
        "code, root = map(Path, sys.argv[1:])\n"
        "next(training := one_run(code, program(code, 'hang', keep_files=True), root)); next(training)\n"
    )
    worker = subprocess.Popen([sys.executable, tmp_path / "worker.py", folder, tmp_path])
    pids = tmp_path / "one" / "pids"
    wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_for(lambda: not alive(pids))


RESUMING = """
import json, os, sys, time
start = int(open("checkpoint").read()) if os.path.exists("checkpoint") else 0
print("from", start)
for epoch in range(start + 1, 5):
    print(json.dumps({"epoch": epoch, "valid_loss": 1 / epoch, "lr": 1}))
    if epoch == 2 and start == 0: time.sleep(1000)
    open("checkpoint", "w").write(str(epoch))
print(json.dumps({"test_loss": 2.0}))
"""


def test_a_program_with_checkpoints_gets_its_folder_back(folder: Path, tmp_path: Path) -> None:
    (folder / "resume.py").write_text(RESUMING)
    script = Script("python resume.py {lr} {seed}", folder=folder, resumes=True)
    first = one_run(folder, script, tmp_path)
    said = [next(first), next(first)]
    assert [metrics["valid_loss"] for metrics, _ in said] == [1, 0.5]
    first.close()  # type: ignore[attr-defined]
    state = said[-1][1]
    again = one_run(folder, script, tmp_path, state=state)
    assert [metrics["valid_loss"] for metrics, _ in again] == [1 / 3, 1 / 4], "epoch 2 comes again, and counts once"
    assert "from 1" in (tmp_path / "one" / "output.txt").read_text()


def test_a_program_without_begins_in_an_empty_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "left.bin").touch()
    assert len(list(one_run(folder, program(folder), tmp_path))) == 4
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["output.txt"], "and leaves its output alone"


def test_its_output_is_kept_and_bounded(folder: Path, tmp_path: Path) -> None:
    list(one_run(folder, program(folder, "loud"), tmp_path))
    size = (tmp_path / "one" / "output.txt").stat().st_size
    assert KEPT < size < KEPT + LAST * 300
    text = (tmp_path / "one" / "output.txt").read_text()
    assert text.startswith("loading ...")
    assert text.rstrip().endswith("}"), "its last line"
    assert (tmp_path / "one" / "errors.txt").read_text() == "x" * 99 + "\n"


def test_values_are_words_of_their_own_and_read_by_no_shell(folder: Path) -> None:
    script = Script("echo {text} --flag={flag} {{literal}} {here}", here="/a b", folder=folder)
    assert script.command({"text": "two words; $(true)", "flag": True}) == [
        "echo", "two words; $(true)", "--flag=true", "{literal}", "/a b",
    ]  # fmt: skip


def test_a_change_of_the_program_or_of_what_it_imports_is_other_code(folder: Path, tmp_path: Path) -> None:
    known = program(folder).code_sha256
    (folder / "unused.py").write_text("x = 1")
    assert program(folder).code_sha256 == known
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert program(moved).code_sha256 == known
    (folder / "losses.py").write_text(LOSSES.replace("0.001", "0.002"))
    assert program(folder).code_sha256 != known
    assert program(moved, "pattern").code_sha256 != known
    assert program(moved, code=["unused.py"]).code_sha256 != known


def test_other_metrics_and_other_constants_are_other_code_and_another_place_is_not(folder: Path) -> None:
    def made(**settings: Any) -> str:
        return Script("python {here}/train.py {lr} {seed} {kind}", folder=folder, **settings).code_sha256

    known = made(here=Path("a"), kind="words")
    assert made(here=Path("b"), kind="words") == known
    assert made(here=Path("a"), kind="sounds") != known
    assert made(here=Path("a"), kind="words", metrics="out.csv") != known
    patterns = [re.compile(text) for text in (r"(?P<valid_loss>\d)", r"loss (?P<valid_loss>\d)")]
    assert len({made(here=Path("a"), kind="words", metrics=pattern) for pattern in patterns}) == 2


def test_a_file_that_is_written_over_counts_as_it_is_at_the_end(folder: Path) -> None:
    (folder / "over.py").write_text(
        "import json, time\n"
        "for loss in (3.0, 2.0):\n"
        "    json.dump({'valid_loss': loss, 'test_loss': loss}, open('m.json', 'w'))\n"
        "    time.sleep(0.5)\n"
    )
    rows = rows_of(folder, Script("python over.py {lr} {seed}", folder=folder, metrics="m.json"), seeds=1)
    assert set(rows["metric:valid_loss"]) == {2.0}
    assert set(rows["epochs"]) == {1}


def test_the_last_row_of_a_table_needs_no_end_of_line(folder: Path) -> None:
    (folder / "table.py").write_text("open('m.csv', 'w').write('valid_loss,test_loss\\n3,3\\n2,2')")
    rows = rows_of(folder, Script("python table.py {lr} {seed}", folder=folder, metrics="m.csv"), seeds=1)
    assert set(rows["metric:valid_loss"]) == {2.0}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda f: Script("python train.py --lr {lrr}", folder=f), "lrr"),
        (lambda f: Script("python trian.py --lr {lr} --seed {seed}", folder=f), "the program trian.py cannot be found"),
        (lambda f: Script("python train.py --lr {lr}", folder=f), "the command must use the seed of a run"),
        (
            lambda f: Script("python train.py --seed {seed}", folder=f),
            "arm fast changes lr, which the command never uses",
        ),
        (lambda f: Script("nowhere-at-all {lr} {seed}", folder=f), "the program nowhere-at-all cannot be found"),
        (lambda f: Script("python train.py {lr:.3f}", folder=f), "a place is a name in braces"),
        (lambda f: Script("python train.py {lr", folder=f), "cannot be filled in"),
        (lambda f: Script("python train.py {lr}", folder=f, metrics="out.txt"), "metrics must be a file .json"),
        (lambda f: Script("python train.py {lr}", folder=f, metrics=re.compile("x")), "needs named groups"),
    ],
)
def test_mistakes_are_met_before_anything_runs(make: Callable[[Path], Script], words: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        rows_of(folder, make(folder))
    assert not (folder.parent / "results").exists()


def test_it_keeps_the_contract_of_objectives(folder: Path, tmp_path: Path) -> None:
    small = study(seeds=1)
    check_objective(small, FunctionObjective(program(folder).bound(small, tmp_path)))


def test_a_pruned_search_and_a_second_call(folder: Path) -> None:
    space = {"lr": FloatDistribution(1e-3, 1.0, log=True)}
    changes = {"space": space, "arms": {"full": {}, "other": {"extra": 1}}, "params": {"lr": 0.01, "extra": 0}}
    script = Script("python train.py --lr {lr} --seed {seed} --epochs {epochs}", folder=folder, append=False)
    with pytest.raises(ValueError, match="arm other changes extra"):
        rows_of(folder, script, **changes, trials=6, epochs=4)
    script = Script("env X={extra} python3 train.py --lr {lr} --seed {seed} --epochs {epochs}", folder=folder)
    rows = rows_of(folder, script, **changes, trials=6, epochs=4)
    assert {"completed", "pruned"} == set(rows["status"])
    again = rows_of(folder, script, **changes, trials=6, epochs=4)
    assert len(again) == len(rows), "nothing is trained twice"


def command(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)


LINE = (
    "-m", "orchestrator", "script", "python train.py --lr {lr} --seed {seed} --epochs {epochs}",
    "--space", "lr=1e-3..1e-1:log", "--arm", "patterned:how=pattern", "--minimise", "valid_loss,test_loss",
    "--smallest-effect", ".01", "--serial", "--trials", "2", "--seeds", "3", "--epochs", "2",
)  # fmt: skip


def test_a_study_from_the_command_line_alone(folder: Path) -> None:
    (folder / "train.py").write_text(
        PROGRAM.replace("{value:.6f}", "{value}").replace('"pattern": print', '"x": print')
    )
    words = [word.replace("patterned:how=pattern", "slower:lr=0.001") for word in LINE]
    done = command(*words, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "slower" in done.stdout
    assert "Page: " in done.stdout
    assert "8 finished runs are kept" not in done.stdout
    again = command(*words, cwd=folder)
    assert "finished runs are kept" in again.stdout
    verified = command("-m", "orchestrator", "verify", "results/script", cwd=folder)
    assert "largest deviation 0" in verified.stdout, verified.stdout + verified.stderr


def test_a_program_may_have_its_own_number_of_epochs(folder: Path) -> None:
    words = [
        word.replace(" --epochs {epochs}", "").replace("patterned:how=pattern", "slower:lr=0.001") for word in LINE
    ]
    done = command(*words[: words.index("--epochs")], cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(folder / "results" / "script" / "runs")
    assert set(rows["epochs"]) == {2}
    assert set(rows["status"]) == {"completed"}
    unsaid = command(*LINE[: LINE.index("--epochs")], cwd=folder)
    assert "give their number with --epochs N" in unsaid.stderr


def test_more_epochs_than_the_study_has_are_a_failed_run_that_says_what_to_do(folder: Path) -> None:
    rows = rows_of(folder, Script("python train.py --lr {lr} --seed {seed} --epochs 3", folder=folder), seeds=1)
    assert set(rows["error_kind"]) == {"bug"}
    assert rows["error"].str.contains("must say at most 2 epochs, those of the study", regex=False).all()


def test_what_an_arm_sets_and_the_command_does_not_name_is_added_to_it(folder: Path) -> None:
    done = command(*LINE, cwd=folder)
    rows = pd.read_parquet(folder / "results" / "script" / "runs")
    assert set(rows.loc[rows["arm"] == "patterned", "error_kind"]) == {"bug"}, "which prints no JSON: the option came"
    assert set(rows.loc[rows["arm"] == "full", "status"]) <= {"completed", "pruned"}
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--space", "lr=high", "--space must be NAME=LOW..HIGH"),
        ("--arm", "no_colon", "--arm must be NAME:PARAM=VALUE"),
        ("--minimise", "valid_loss", "--minimise must be two metrics"),
        ("--metrics", "x.txt", "metrics must be a file"),
    ],
)
def test_a_command_line_that_cannot_be_read_is_one_line(option: str, value: str, words: str, folder: Path) -> None:
    line = [*LINE]
    if option in line:
        line[line.index(option) + 1] = value
    else:
        line += [option, value]
    done = command(*line, cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (folder / "results").exists()


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_on_ray_it_gives_the_rows_of_the_serial_runner(folder: Path, ray_address: str) -> None:
    names = ["arm", "seed", "status", "metric:valid_loss", "metric:test_loss"]
    here = rows_of(folder, program(folder))[names].sort_values(["arm", "seed"]).reset_index(drop=True)
    shutil.rmtree(folder.parent / "results")
    run(study(), program(folder), results=folder.parent / "results", address=ray_address, console=Console(quiet=True))
    there = pd.read_parquet(folder.parent / "results" / "runs")[names]
    pd.testing.assert_frame_equal(here, there.sort_values(["arm", "seed"]).reset_index(drop=True))


def _command_lines() -> Iterator[bytes]:
    """Of all processes; one may end while it is looked at."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()


def test_an_interrupted_study_of_a_program_leaves_none_running_and_goes_on(folder: Path) -> None:
    slow = PROGRAM.replace("    value = loss", "    time.sleep(0.5)\n    value = loss")
    (folder / "train.py").write_text(slow)
    words = [word.replace("patterned:how=pattern", "slower:lr=0.001") for word in LINE]
    start = ["env", "--default-signal=INT", sys.executable, *words]  # a shell's background job would not hear it
    study = subprocess.Popen(start, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    programs = folder / "results" / "script" / "programs"
    wait_for(lambda: programs.is_dir() and any(programs.iterdir()))
    study.send_signal(signal.SIGINT)
    told, errors = study.communicate(timeout=60)
    assert study.returncode == 130, errors
    assert "Interrupted in good order by SIGINT" in told
    assert "Traceback" not in told + errors
    running = list(_command_lines())
    assert not [line for line in running if str(folder / "train.py").encode() in line]
    again = command(*words, cwd=folder)
    assert again.returncode == 0, again.stderr
    assert "Resuming" in again.stdout
