"""A ledger that was damaged, or half written: nothing is lost, nothing stands twice, and it can always be opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from toy import Toy, toy_study

from orchestrator.ledger import journal
from orchestrator.ledger.ledger import Ledger
from orchestrator.runners.coordinator import StudyError
from orchestrator.storage.results_folder import Folder
from orchestrator.study.design import Arm
from orchestrator.study.objective import PlainEpoch, PlainOutcome

SEEDS = {"full": 6, "square": 6}


@pytest.fixture
def runner() -> dict[str, bool]:
    """What a ledger is does not depend on the runner."""
    return {"serial": True}


def lines_of(folder: Folder, kind: str) -> list[tuple[Path, int, bytes]]:
    """Segment, offset and text of every line of a kind."""
    found = []
    for path in journal.segments(folder):
        start = 0
        for text in path.read_bytes().split(b"\n"):
            if text[9:].startswith(kind.encode() + b" "):
                found.append((path, start, text))
            start += len(text) + 1
    return found


def spoil(folder: Folder, kind: str, which: int, *, num_bytes: int = 0) -> None:
    """Flips a bit in the middle of a line, or overwrites so many bytes of it."""
    path, start, text = lines_of(folder, kind)[which]
    data, middle = bytearray(path.read_bytes()), start + len(text) // 2
    if num_bytes:
        data[middle : middle + num_bytes] = b"?" * num_bytes
    else:
        data[middle] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("place", ["checksum", "space", "kind", "values", "last"])
@pytest.mark.parametrize("bit", [0, 3, 7])
def test_any_flipped_bit_of_a_line_is_put_right(place: str, bit: int) -> None:
    line = journal._line("began", {"pack_id": "p000001", "attempt": 1}, {"rows": list(range(50))})[:-1]
    at = {"checksum": 3, "space": 8, "kind": 10, "values": 25, "last": len(line) - 1}[place]
    flipped = line[:at] + bytes([line[at] ^ 1 << bit]) + line[at + 1 :]
    assert journal.mend(flipped) == line


def test_more_than_a_bit_is_not_guessed() -> None:
    line = journal._line("began", {"pack_id": "p000001", "attempt": 1}, None)[:-1]
    assert journal.mend(line[:20] + b"???" + line[23:]) is None


@pytest.mark.parametrize("num_bytes", [0, 40])
@pytest.mark.parametrize("kind", ["asked", "began", "reported", "told", "ended", "part", "chosen"])
def test_a_spoilt_line_loses_and_doubles_nothing(
    kind: str, num_bytes: int, run_study: Callable, runs: Callable, tmp_path: Path
) -> None:
    run_study(toy_study())
    folder = Folder.at(tmp_path / "results")
    spoil(folder, kind, len(lines_of(folder, kind)) // 2, num_bytes=num_bytes)
    assert run_study(toy_study(seeds=6)).complete
    rows = runs()
    assert rows.run_id.is_unique
    confirm = rows[rows.phase == "confirm"]
    assert (confirm.groupby("arm").seed.nunique() >= pd.Series(SEEDS)).all()
    if num_bytes == 0:
        assert confirm.groupby("arm").size().to_dict() == SEEDS
        assert "put right" in folder.log.read_text()


def test_rows_of_which_the_journal_knows_nothing_are_not_written_twice(
    run_study: Callable, runs: Callable, tmp_path: Path
) -> None:
    run_study(toy_study())
    segment = journal.segments(Folder.at(tmp_path / "results"))[0]
    lines = segment.read_bytes().split(b"\n")
    segment.write_bytes(b"\n".join(lines[: len(lines) // 2]) + b"\n")
    run_study(toy_study())
    assert runs().run_id.is_unique


def test_a_row_that_is_damaged_and_lost_from_the_journal_is_run_again(
    run_study: Callable, runs: Callable, tmp_path: Path
) -> None:
    run_study(toy_study())
    folder = Folder.at(tmp_path / "results")
    part = sorted(folder.table("runs").iterdir())[-1]
    part.write_bytes(part.read_bytes()[:-9])
    spoil(folder, "told", 5, num_bytes=40)
    run_study(toy_study())
    assert len(runs()) == 20
    assert runs().run_id.is_unique


def test_what_could_not_be_published_is_published_once(tmp_path: Path, runs: Callable, run_study: Callable) -> None:
    """A disk that is full when a part is written: its intent is in the journal, and the next driver sees to it."""
    run_study(toy_study(seeds=2))
    folder = Folder.at(tmp_path / "results")
    ledger = Ledger(folder, toy_study(seeds=2))
    told = next(iter(lines_of(folder, "told")))
    ledger._unpublished["again"] = _bundle(told[2], "again")
    blocked = folder.table("runs")
    blocked.rename(tmp_path / "elsewhere")
    blocked.write_text("in the way")
    with pytest.raises(OSError, match="runs"):
        ledger.publish()
    blocked.unlink()
    (tmp_path / "elsewhere").rename(blocked)
    ledger.close()
    run_study(toy_study(seeds=2))
    assert runs().run_id.is_unique


def _bundle(text: bytes, run_id: str):
    from orchestrator.ledger.parts import Bundle

    stored = journal.unpack(text.partition(b"\t")[2])
    return Bundle(run={**stored["run"], "run_id": run_id}, epochs=stored["epochs"], items=stored["items"])


class Odd(Toy):
    """Fails with a text that no file can hold."""

    def train(self, pack, state=None):
        if pack.runs[0].arm == "square":
            raise RuntimeError("cannot make sense of " + os.fsdecode(b"caf\xe9.csv") + "\0" + "x" * 100_000)
        return super().train(pack, state)


def test_any_error_text_can_be_stored(run_study: Callable, runs: Callable) -> None:
    run_study(toy_study(trials=0), Odd())
    failed = runs().query("status == 'failed'")
    assert len(failed) == 4
    assert failed.error.str.contains("caf").all()
    assert failed.error.str.len().max() < 21_000


class Shaped(Toy):
    """Gives what another shapes."""

    def __init__(self, metrics=dict, outcome=lambda o: o) -> None:
        super().__init__()
        self._shape, self._last = metrics, outcome

    def train(self, pack, state=None):
        training = super().train(pack, state)
        try:
            epoch = next(training)
            while True:
                shaped = {run: self._shape(values) for run, values in epoch.metrics.items()}
                epoch = training.send((yield PlainEpoch(metrics=shaped, state=epoch.state)))
        except StopIteration as stop:
            return {run: self._last(outcome) for run, outcome in stop.value.items()}


def test_numbers_of_numpy_are_numbers(run_study: Callable, runs: Callable) -> None:
    import numpy as np

    def outcome(o):
        return PlainOutcome(best_epoch=np.int64(3), metrics={n: np.float32(v) for n, v in o.metrics.items()})

    run_study(toy_study(), Shaped(lambda values: {n: np.float32(v) for n, v in values.items()}, outcome))
    assert set(runs().status) <= {"completed", "pruned"}


def test_evaluations_are_published_with_their_run(run_study: Callable, runs: Callable, tmp_path: Path) -> None:
    import pandas as pd

    columns = {"condition": ["complete", "noise/drop"], "modality": ["", "a"], "level": [0.0, 0.5]}
    numbers = {"metric": ["test_loss"] * 2, "value": [1.0, 2.0]}
    objective = Shaped(
        outcome=lambda o: PlainOutcome(best_epoch=1, metrics=o.metrics, items=o.items, evaluations=columns | numbers)
    )
    run_study(toy_study(), objective)
    table = pd.read_parquet(tmp_path / "results" / "evaluations")
    assert set(table.run_id) == set(runs().query("status == 'completed'").run_id)
    assert table.groupby("run_id").value.agg(list).map(lambda values: values == [1.0, 2.0]).all()


def test_an_objective_that_does_not_report_what_the_study_searches_by_stops_it(run_study: Callable) -> None:
    with pytest.raises(StudyError, match="must report valid_loss in every epoch"):
        run_study(toy_study(), Shaped(lambda _: {}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arms": (Arm(name="full"), Arm(name="none", pins={"kind": 3}))}, "hyperparameter 'kind' is of type str"),
        ({"arms": (Arm(name="full"), Arm(name="half", pins={"depth": 1.5}))}, "hyperparameter 'depth' is of type int"),
        ({"seed": 10**16}, "the seed must be from 0 to"),
    ],
)
def test_what_no_column_can_hold_is_refused(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        toy_study(**changes)


def test_other_columns_are_refused_and_an_arm_that_is_gone_too(run_study: Callable) -> None:
    run_study(toy_study())
    wider = toy_study(params=toy_study().params | {"width": 8})
    with pytest.raises(ValueError, match="other columns than this study \\(param:width\\)"):
        run_study(wider, accept_change=True)
    with pytest.raises(ValueError, match="arms that the study must still know, and does not: square"):
        run_study(toy_study(arms=(Arm(name="full"),)))


def test_failed_runs_of_other_lengths_are_not_tried_again(run_study: Callable, runs: Callable) -> None:
    run_study(toy_study(epochs=3, trials=0), Odd())
    run_study(toy_study(epochs=6, trials=0))
    before = len(runs())
    run_study(toy_study(epochs=6, trials=0), retry_failed=True)
    assert len(runs()) == before


def test_a_study_is_declared_before_its_first_row(tmp_path: Path) -> None:
    declared = []
    Ledger(
        Folder.at(tmp_path / "new"), toy_study(), declare=lambda: declared.append(list(tmp_path.rglob("part-*")))
    ).close()
    assert declared == [[]]
