"""An attempt: steps, checkpoints, and going on from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from planner import Planner
from toy import EPOCHS, Toy, toy_study

from orchestrator.runners.attempt import Attempt, Broken, Finished, Report
from orchestrator.storage import checkpoints
from orchestrator.storage.checkpoints import Checkpoint, Checkpoints
from orchestrator.storage.results_folder import Folder
from orchestrator.study.failures import kind_of
from orchestrator.study.runs import Fingerprint, Pack
from orchestrator.study.study import Study


def first_pack(study: Study) -> Pack:
    pack = Planner(study, Fingerprint(data_sha256="", code_sha256="")).ask()
    assert isinstance(pack, Pack)
    return pack


def again(pack: Pack) -> Pack:
    return Pack(pack_id=pack.pack_id, runs=pack.runs, attempt=pack.attempt + 1)


def test_an_attempt_reports_every_epoch_and_then_the_outcomes(tmp_path: Path) -> None:
    pack = first_pack(toy_study(trials=0))
    attempt = Attempt(Toy(), pack, Folder.at(tmp_path))
    messages = [attempt.step(None) for _ in range(EPOCHS + 1)]
    reports = messages[:-1]
    assert all(isinstance(m, Report) for m in reports)
    assert [e.epoch for m in reports if isinstance(m, Report) for e in m.epochs] == list(range(1, EPOCHS + 1))
    assert isinstance(messages[-1], Finished)
    assert set(messages[-1].outcomes) == {run.run_id for run in pack}


@pytest.mark.parametrize(
    ("trials", "expected"),
    [(6, [[1, 2, 3], [4, 5, 6]]), (0, [[1, 2, 3, 4], [5, 6]])],
    ids=["search", "confirm"],
)
def test_epochs_are_told_together_where_workers_are_many_but_the_rung_at_once(
    trials: int, expected: list[list[int]], tmp_path: Path
) -> None:
    now, watched = [0.0], list[float]()

    @contextmanager
    def watching() -> Iterator[None]:
        now[0] += 10
        watched.append(now[0])
        yield

    pack, folder = first_pack(toy_study(trials=trials)), Folder.at(tmp_path)
    attempt = Attempt(Toy(), pack, folder, report_seconds=35, rung=3, watching=watching, clock=lambda: now[0])
    reports = list[Report]()
    while not isinstance(message := attempt.step(None), Finished):
        assert isinstance(message, Report)
        reports.append(message)
    assert [[e.epoch for e in report.epochs] for report in (*reports, message.report)] == expected
    assert watched == [10.0 * n for n in range(1, EPOCHS + 2)], "every epoch is watched by itself"


def test_an_attempt_says_what_share_of_a_gpu_it_had_only_where_it_trains_on_one(tmp_path: Path) -> None:
    for memory, expected in ((None, 0.0), (0.1, 0.25)):
        message = Attempt(
            Toy(memory=memory), first_pack(toy_study(trials=0)), Folder.at(tmp_path), gpu_share=0.25
        ).step(None)
        assert isinstance(message, Report)
        assert message.place.gpu_share == expected


def test_a_resumed_attempt_brings_the_whole_history_and_trains_only_the_rest(tmp_path: Path) -> None:
    pack, diary = first_pack(toy_study(trials=0)), tmp_path / "diary"
    attempt = Attempt(Toy(diary=diary), pack, Folder.at(tmp_path))
    for _ in range(4):
        attempt.step(None)
    attempt.save()
    resumed = Attempt(Toy(diary=diary), again(pack), Folder.at(tmp_path))
    message = resumed.step(None)
    assert isinstance(message, Report)
    assert [e.epoch for e in message.epochs] == [1, 2, 3, 4, 5]
    assert len(diary.read_text().splitlines()) == 5 * len(pack.runs)


def test_an_attempt_cut_after_its_last_epoch_goes_on_to_its_outcomes(tmp_path: Path) -> None:
    pack = first_pack(toy_study(trials=0))
    attempt = Attempt(Toy(), pack, Folder.at(tmp_path))
    for _ in range(EPOCHS):
        attempt.step(None)
    attempt.save()
    message = Attempt(Toy(), again(pack), Folder.at(tmp_path)).step(None)
    assert isinstance(message, Finished)
    assert len(message.report.epochs) == EPOCHS


def test_checkpoints_are_written_by_time_and_only_the_last_is_kept(tmp_path: Path) -> None:
    pack, now = first_pack(toy_study(trials=0)), [0.0]
    attempt = Attempt(Toy(), pack, Folder.at(tmp_path), checkpoint_seconds=60, clock=lambda: now[0])
    names = []
    for _ in range(EPOCHS):
        now[0] += 25
        attempt.step(None)
        names.append([p.name[:6] for p in (tmp_path / "checkpoints").glob("*/*/*")])
    assert names == [[], [], ["000003"], ["000003"], ["000003"], ["000006"]]


def test_an_exception_is_a_message_with_its_kind(tmp_path: Path) -> None:
    for trouble, kind in (("raises", "bug"), ("too big", "oom")):
        pack = first_pack(toy_study(trials=0, params=toy_study().params | {"trouble": trouble}))
        attempt = Attempt(Toy(), pack, Folder.at(tmp_path / trouble))
        while isinstance(message := attempt.step(None), Report):
            pass
        assert isinstance(message, Broken)
        assert message.kind == kind
        assert "Traceback" in message.error


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = Folder.at(tmp_path)
    for attempt, epoch in ((1, 3), (2, 5)):
        Checkpoints(folder, "p", attempt).save(
            Checkpoint(epoch=epoch, plain={"a": [1.5, None], "runs": ["r", "s"]}, arrays={"w": np.arange(3)})
        )
    latest = Checkpoints(folder, "p", 3).latest(["r"])
    assert latest is not None
    assert (latest.epoch, latest.plain) == (5, {"a": [1.5, None], "runs": ["r", "s"]})
    np.testing.assert_array_equal(latest.arrays["w"], np.arange(3))
    damaged = next((tmp_path / "checkpoints/p/0002").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-1])
    earlier = Checkpoints(folder, "p", 3).latest(["r"])
    assert earlier is not None
    assert earlier.epoch == 3
    assert "is damaged" in caplog.text
    assert Checkpoints(folder, "p", 3).latest(["of another study"]) is None
    checkpoints.remove(folder, "p")
    assert Checkpoints(folder, "p", 3).latest(["r"]) is None


@pytest.mark.parametrize(
    ("error", "kind"), [(MemoryError, "oom"), (FileNotFoundError, "data"), (ConnectionError, "data"), (KeyError, "bug")]
)
def test_an_exceptions_kind_is_declared_by_the_names_of_its_bases(error: type[BaseException], kind: str) -> None:
    assert kind_of(cls.__name__ for cls in error.__mro__) == kind


def test_arrays_come_back_from_a_checkpoint_as_they_were(tmp_path: Path) -> None:
    arrays = {"step": np.array(7.0), "none": np.zeros((0, 3)), "view": np.arange(6.0).reshape(2, 3).T[::-1]}
    Checkpoints(Folder.at(tmp_path), "p000000", 1).save(Checkpoint(epoch=1, plain={"runs": ["r"]}, arrays=arrays))
    found = Checkpoints(Folder.at(tmp_path), "p000000", 2).latest(["r"])
    assert found is not None
    for name, values in arrays.items():
        assert found.arrays[name].shape == values.shape, "a number of a tensor without dimensions, too"
        np.testing.assert_array_equal(found.arrays[name], values)
