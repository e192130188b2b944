"""The contract of a runner, kept by the serial one and by Ray Tune."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import safetensors.numpy
from conftest import ray_head
from rich.console import Console
from toy import EPOCHS, Toy, toy_study

from orchestrator.cluster.placement import Placement
from orchestrator.ledger.ledger import Ledger
from orchestrator.process.git_commit import Commit
from orchestrator.process.signals import handlers_kept
from orchestrator.runners.coordinator import Coordinator, StudyError
from orchestrator.runners.run import Options, run
from orchestrator.storage.results_folder import Folder
from orchestrator.study.design import Arm
from orchestrator.study.runs import Fingerprint


class Unreadable(Toy):
    """It travels, and does not arrive."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _unreadable, ()


def _unreadable() -> None:
    raise RuntimeError("this objective cannot be unpickled")


def counts(rows: pd.DataFrame) -> dict[tuple[str, str], int]:
    return rows.groupby(["arm", "phase"]).size().to_dict()


def test_every_planned_run_is_one_row(run_study: Callable, runs: Callable) -> None:
    ended = run_study(toy_study())
    assert ended.complete
    rows = runs()
    assert rows.run_id.is_unique
    assert counts(rows) == {(arm, p): n for arm in ("full", "square") for p, n in (("search", 6), ("confirm", 4))}
    assert set(rows.status) <= {"completed", "pruned"}
    assert (rows[rows.phase == "confirm"].status == "completed").all()


def test_a_run_leaves_its_epochs_items_and_weights(run_study: Callable, runs: Callable, tmp_path: Path) -> None:
    run_study(toy_study())
    rows, epochs = runs(), pd.read_parquet(tmp_path / "results" / "epochs")
    assert (
        epochs.groupby("run_id")
        .epoch.apply(list)
        .equals(rows.set_index("run_id").epochs.apply(lambda n: list(range(1, n + 1))).sort_index().rename("epoch"))
    )
    confirm = rows[rows.phase == "confirm"]
    items = pd.read_parquet(tmp_path / "results" / "items")
    assert set(items.run_id) == set(confirm.run_id), "test items belong to confirm runs only"
    assert rows[rows.phase == "search"]["metric:test_loss"].isna().all()
    for row in confirm.itertuples():
        weights = safetensors.numpy.load_file(tmp_path / "results" / "models" / f"{row.run_id}.safetensors")
        assert weights["w"][0] == pytest.approx(confirm.set_index("run_id").loc[row.run_id, "metric:test_loss"])


def test_the_same_command_again_repeats_nothing(run_study: Callable, runs: Callable, tmp_path: Path) -> None:
    run_study(toy_study(), Toy(diary=tmp_path / "diary"))
    before, trained = runs(), (tmp_path / "diary").read_text()
    assert run_study(toy_study(), Toy(diary=tmp_path / "diary")).complete
    assert (tmp_path / "diary").read_text() == trained
    pd.testing.assert_frame_equal(before, runs())


def test_checkpoints_of_packs_that_are_over_go(run_study: Callable, tmp_path: Path) -> None:
    """A driver may die after it has stored a pack's last run, and before it has removed the pack's checkpoints."""
    run_study(toy_study())
    left = tmp_path / "results" / "checkpoints" / "p000001" / "0001"
    left.mkdir(parents=True)
    (left / "000002-0123456789abcdef.safetensors").write_bytes(b"")
    run_study(toy_study())
    assert not left.parent.exists()


def test_more_trials_seeds_and_arms_extend_a_study_in_place(run_study: Callable, runs: Callable) -> None:
    run_study(toy_study(trials=4, seeds=2, selected=("full",)))
    before = set(runs().run_id)
    run_study(toy_study(trials=6, seeds=5))
    rows = runs()
    assert before < set(rows.run_id)
    search = rows[rows.phase == "search"]
    assert search.groupby("arm").size().to_dict() == {"full": 6, "square": 6}
    chosen = json.loads((run_study(toy_study(trials=6, seeds=5)).folder.study).read_text())["chosen"]
    confirm = rows[(rows.phase == "confirm") & (rows.config_id == rows.arm.map(chosen))]
    assert confirm.groupby("arm").size().to_dict() == {"full": 5, "square": 5}


def test_what_was_under_way_goes_on_from_its_checkpoint(run_study: Callable, runs: Callable, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    toy = Toy(epoch_seconds=0.15, diary=diary)
    first = run_study(toy_study(), toy, hours=0.5 / 3600)
    assert not first.complete
    assert first.reason == "the hours are spent"
    assert not run_study(toy_study(), toy, hours=1.5 / 3600).complete
    assert run_study(toy_study(), toy).complete
    trained = Counter(diary.read_text().split("\n"))
    trained.pop("")
    assert set(trained.values()) == {1}, "a drained study trains no epoch twice"
    assert counts(runs()) == {(arm, p): n for arm in ("full", "square") for p, n in (("search", 6), ("confirm", 4))}
    assert not list((tmp_path / "results" / "checkpoints").glob("*/*/*")), "checkpoints go when rows are durable"


def test_a_run_that_diverges_fails_alone(run_study: Callable, runs: Callable) -> None:
    study = toy_study(trials=0, arms=(Arm(name="full"), Arm(name="bad", pins={"trouble": "diverges"})))
    run_study(study)
    rows = runs().set_index("arm")
    assert set(rows.loc["bad"].status) == {"failed"}
    assert set(rows.loc["bad"].error_kind) == {"nan"}
    assert rows.loc["bad"].error.str.contains("epoch 2: valid_loss").all()
    assert set(rows.loc["full"].status) == {"completed"}


def test_an_exception_becomes_rows_with_its_traceback(run_study: Callable, runs: Callable) -> None:
    run_study(toy_study(trials=0, arms=(Arm(name="full"), Arm(name="bad", pins={"trouble": "raises"}))))
    rows = runs().set_index("arm")
    assert set(rows.loc["bad"].status) == {"failed"}
    assert set(rows.loc["bad"].error_kind) == {"bug"}
    assert rows.loc["bad"].error.str.contains("RuntimeError: the toy is broken").all()
    assert set(rows.loc["full"].status) == {"completed"}


def test_failed_runs_can_be_tried_again_as_new_rows(run_study: Callable, runs: Callable) -> None:
    study = toy_study(trials=0, arms=(Arm(name="full"), Arm(name="bad", pins={"trouble": "raises"})))
    run_study(study)
    run_study(study, retry_failed=True)
    bad = runs().set_index("arm").loc["bad"]
    assert sorted(bad.retry) == [0] * 4 + [1] * 4
    assert bad.run_id.is_unique


def test_the_same_error_again_and_again_stops_the_study(run_study: Callable, runs: Callable) -> None:
    base = toy_study().params | {"trouble": "raises"}
    with pytest.raises(StudyError, match="the toy is broken"):
        run_study(toy_study(params=base, trials=40, completions=1))
    assert len(runs()) < 20


def test_data_that_cannot_be_read_is_tried_once_more(run_study: Callable, runs: Callable) -> None:
    ended = run_study(toy_study(trials=0, params=toy_study().params | {"trouble": "unreadable"}))
    assert set(runs().status) == {"completed"}
    assert "ended by data" in ended.folder.log.read_text()


def test_a_pack_too_big_for_memory_is_divided(run_study: Callable, runs: Callable) -> None:
    run_study(toy_study(trials=0, params=toy_study().params | {"trouble": "too big"}))
    rows = runs()
    assert set(rows.status) == {"completed"}
    assert rows.pack_id.value_counts().max() == 1


def test_a_metric_that_was_not_declared_stops_the_study(run_study: Callable) -> None:
    study = toy_study(
        modes={"valid_loss": "min", "test_loss": "min", "valid_x": "min"},
        epoch=("valid_x",),
        search="valid_x",
    )
    with pytest.raises(StudyError, match="metric 'valid_loss', which the objective reports and the study must decl"):
        run_study(study)


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("runner", ["ray"], indirect=True)
def test_a_worker_that_dies_is_tried_again(run_study: Callable, runs: Callable) -> None:
    run_study(toy_study(trials=2, params=toy_study().params | {"trouble": "dies"}), checkpoint_seconds=0.0)
    rows = runs()
    assert rows.run_id.is_unique
    assert (rows[rows.phase == "confirm"].status == "completed").all()
    assert (rows[rows.status == "completed"].epochs == EPOCHS).all()


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_worker_that_ray_kills_for_want_of_memory_has_its_pack_divided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray ends Tune's loop with it: what the other worker held is run again, too, and uses up no retry."""
    total, available = (
        int(re.findall(rf"^{name}: *(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)[0])
        for name in ("MemTotal", "MemAvailable")
    )
    monkeypatch.setenv("RAY_memory_usage_threshold", str(1.08 - available / total))
    study = toy_study(trials=0, arms=(Arm(name="full"), Arm(name="bad", pins={"trouble": "eats"})))
    with ray_head(6389) as address:
        options = Options(results=tmp_path, address=address, checkpoint_seconds=0.0)
        ended = run(study, Toy(epoch_seconds=0.3), options, console=Console(quiet=True))
    rows = pd.read_parquet(tmp_path / "runs")
    assert counts(rows) == {("full", "confirm"): 4, ("bad", "confirm"): 4}
    assert set(rows.status) == {"completed"}
    log = ended.folder.log.read_text()
    assert "attempt 1 ended by oom" in log
    assert set(re.findall(r"ended by (\w+)", log)) <= {"oom", "preempted"}


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("runner", ["ray"], indirect=True)
def test_a_worker_that_cannot_begin_is_no_crash(run_study: Callable, runs: Callable) -> None:
    """It is tried no more, for it would be the same, and says why."""
    run_study(toy_study(trials=0, seeds=2, arms=(Arm(name="full"),)), Unreadable())
    rows = runs()
    assert set(rows.error_kind) == {"bug"}
    assert rows.error.str.contains("this objective cannot be unpickled").all()


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("runner", ["ray"], indirect=True)
def test_a_worker_that_hangs_is_ended_and_says_where_it_was(run_study: Callable, runs: Callable) -> None:
    study = toy_study(trials=0, arms=(Arm(name="full"), Arm(name="bad", pins={"trouble": "hangs"})))
    ended = run_study(study, hang_seconds=1.0)
    assert ended.complete
    rows = runs().set_index("arm")
    assert set(rows.loc["bad"].error_kind) == {"hang"}
    assert rows.loc["bad"].error.str.contains("toy.py").all(), "where every thread was"
    assert set(rows.loc["full"].status) == {"completed"}
    num_packs = rows.loc["bad"].pack_id.nunique()
    assert ended.folder.log.read_text().count("ended by hang") == 2 * num_packs, "each was tried once more"


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_both_runners_give_the_same_table_for_fixed_configurations(tmp_path: Path, ray_address: str) -> None:
    tables = []
    for name, options in {"serial": {"serial": True}, "ray": {"address": ray_address, "workers": 2}}.items():
        run(toy_study(trials=0), Toy(), Options(results=tmp_path / name, **options))
        rows = pd.read_parquet(tmp_path / name / "runs").sort_values("run_id", ignore_index=True)
        tables.append(rows.drop(columns=["started_at", "ended_at", "train_seconds", "pack_id"]))
    pd.testing.assert_frame_equal(*tables)


class Signalling(Toy):
    """Sends its driver SIGUSR1 once, in the middle of training."""

    def __init__(self, driver: int, sent: Path) -> None:
        super().__init__(epoch_seconds=0.1)
        self._driver, self._sent = driver, sent

    def _write(self, pack, epoch):
        if epoch == 2 and not self._sent.exists():
            self._sent.touch()
            os.kill(self._driver, signal.SIGUSR1)


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_loop_of_tunes_that_ends_before_the_plan_is_not_the_end(tmp_path: Path, ray_address: str) -> None:
    """SIGUSR1 ends it as if all were done, where nobody takes the signal back from Tune."""
    from orchestrator.cluster.ray_connection import connect
    from orchestrator.runners import ray_tune

    study, folder = toy_study(trials=0, seeds=4), Folder.at(tmp_path / "results")
    with handlers_kept(), connect(ray_address, workers=2) as connection, closing(Ledger(folder, study)) as ledger:
        fingerprint = Fingerprint(data_sha256="data", code_sha256="code")
        coordinator = Coordinator(study, fingerprint, ledger, commit=Commit(sha="", dirty=False))
        objective = Signalling(os.getpid(), tmp_path / "sent")
        ray_tune.run(coordinator, objective, placement=Placement(connection.room, most=2))
        assert coordinator.is_complete
    assert (tmp_path / "sent").exists()
    rows = pd.read_parquet(folder.table("runs"))
    assert counts(rows) == {("full", "confirm"): 4, ("square", "confirm"): 4}
    assert set(rows.status) == {"completed"}
