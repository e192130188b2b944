"""The ledger: durable at once, published once, readable at any time, and honest about damage."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest
from toy import toy_study

from orchestrator.history import events
from orchestrator.history.events import Event, Told
from orchestrator.ledger import journal
from orchestrator.ledger.ledger import PART_ROWS, Ledger
from orchestrator.ledger.parts import Bundle
from orchestrator.ledger.schema import TABLES, schemas
from orchestrator.storage.results_folder import Folder
from orchestrator.storage.writer_lock import BusyError, Lock

STUDY = toy_study()


def bundle(number: int) -> Bundle:
    run = {
        "run_id": f"run{number:05d}", "study": "toy", "arm": "full", "phase": "confirm", "search": 0, "config_id": "c",
        "pack_id": "p", "seed": number, "split": 0, "retry": 0, "status": "completed", "epochs": 2, "best_epoch": 2,
        "param:x": 0.5, "param:depth": 1, "param:kind": "round", "param:trouble": "none", "metric:valid_loss": 1.0 / 3,
        "started_at": "2026-01-01T00:00:00+00:00", "ended_at": "2026-01-01T00:00:01+00:00", "train_seconds": 1.0,
        "versions": "{}", "schema_version": 1,
    }  # fmt: skip
    items = {"item": ["a", "b"], "group": ["g", "g"], "target": ["t", "t"], "y": [0.0, 1.0], "prediction": [0.1, 0.9]}
    return Bundle(run=run, epochs=[{"epoch": 1, "valid_loss": 1.0}, {"epoch": 2, "valid_loss": 0.5}], items=items)


def tell(ledger: Ledger, number: int) -> None:
    ledger.tell(Told(run_id=f"run{number:05d}", status="completed"), bundle(number))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.at(tmp_path / "results")


def abandon(ledger: Ledger) -> None:
    """What a kill leaves: nothing is published, nothing is said."""
    ledger._journal.close()
    ledger._lock.release()


def told(ledger: Ledger) -> list[str]:
    return [e.run_id for e in ledger.events if isinstance(e, Told)]


def rows(folder: Folder, table: str = "runs") -> pd.DataFrame:
    return pd.read_parquet(folder.table(table))


def test_every_table_can_be_read_before_the_first_run(folder: Folder) -> None:
    Ledger(folder, STUDY).close()
    for name in TABLES:
        frame = rows(folder, name)
        assert len(frame) == 0
        assert list(frame.columns) == schemas(STUDY)[name].names


def test_a_finished_run_survives_a_kill_at_once_and_is_published_once(folder: Folder) -> None:
    ledger = Ledger(folder, STUDY)
    for number in range(3):
        tell(ledger, number)
    abandon(ledger)
    assert len(rows(folder)) == 0
    again = Ledger(folder, STUDY)
    assert told(again) == ["run00000", "run00001", "run00002"]
    again.close()
    assert sorted(rows(folder).run_id) == ["run00000", "run00001", "run00002"]
    assert len(rows(folder, "epochs")) == 6
    assert len(rows(folder, "items")) == 6
    Ledger(folder, STUDY).close()
    assert len(rows(folder)) == 3


def test_numbers_come_back_bit_for_bit(folder: Folder) -> None:
    ledger = Ledger(folder, STUDY)
    tell(ledger, 0)
    abandon(ledger)
    Ledger(folder, STUDY).close()
    row = rows(folder).iloc[0]
    assert row["metric:valid_loss"] == 1.0 / 3
    assert str(row["started_at"]) == "2026-01-01 00:00:00"  # UTC
    assert pd.isna(row["param:edge"])


def test_what_a_killed_writer_had_begun_is_removed(folder: Folder) -> None:
    folder.journal.mkdir(parents=True)
    (folder.journal / "aside-0123").write_bytes(b"half of a f")
    with closing(Ledger(folder, toy_study())):
        assert not list(folder.journal.glob("aside-*"))


def test_a_part_comes_at_250_rows_or_after_a_tenth_more_time(folder: Folder) -> None:
    now = [0.0]
    ledger = Ledger(folder, STUDY, clock=lambda: now[0])
    for number in range(PART_ROWS):
        tell(ledger, number)
        ledger.publish_if_due()
    assert len(rows(folder)) == PART_ROWS
    tell(ledger, PART_ROWS)
    now[0] = 29.0
    ledger.publish_if_due()
    assert len(rows(folder)) == PART_ROWS
    now[0] = 31.0
    ledger.publish_if_due()
    assert len(rows(folder)) == PART_ROWS + 1
    now[0] = 10_000.0
    tell(ledger, PART_ROWS + 1)
    ledger.publish_if_due()
    now[0] = 10_900.0
    tell(ledger, PART_ROWS + 2)
    ledger.publish_if_due()
    assert len(rows(folder)) == PART_ROWS + 2, "a tenth of 10,900 s has not passed"
    ledger.close()


def test_about_190_files_hold_20000_runs_of_14_days(folder: Folder) -> None:
    now = [0.0]
    ledger = Ledger(folder, STUDY, clock=lambda: now[0])
    parts = 0
    ledger._write_part = lambda bundles, names: None  # type: ignore[method-assign,misc,assignment]
    publish = ledger.publish

    def counting() -> None:
        nonlocal parts
        parts += 1
        publish()

    ledger.publish = counting  # type: ignore[method-assign]
    ledger._journal.append = lambda *a, **k: None  # type: ignore[method-assign,assignment]
    for number in range(20_000):
        now[0] += 14 * 86_400 / 20_000
        tell(ledger, number)
        ledger.publish_if_due()
    assert 120 < parts < 220
    abandon(ledger)


@pytest.mark.parametrize("missing", [(), ("epochs",), ("epochs", "items"), ("epochs", "items", "runs")])
def test_a_part_that_a_kill_cut_short_is_completed(folder: Folder, missing: tuple[str, ...]) -> None:
    """The journal names a part's files before they are written; a kill leaves the last of them away."""
    ledger = Ledger(folder, STUDY)
    for number in range(3):
        tell(ledger, number)
    ledger.close()
    for name in ("epochs", "items", "runs"):
        if name in missing or (missing and name == "runs"):
            folder.part(name, "000001").unlink()
    Ledger(folder, STUDY).close()
    assert sorted(rows(folder).run_id) == ["run00000", "run00001", "run00002"]
    assert len(rows(folder, "epochs")) == 6
    assert len(rows(folder, "items")) == 6
    Ledger(folder, STUDY).close()
    assert len(rows(folder, "epochs")) == 6


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
@pytest.mark.parametrize("table", ["runs", "epochs", "items"])
def test_a_damaged_part_is_named_set_aside_and_restored(
    folder: Folder, table: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(folder, STUDY)
    for number in range(3):
        tell(ledger, number)
    ledger.close()
    part = folder.part(table, "000001")
    data = bytearray(part.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    part.write_bytes({"flip": bytes(data), "truncate": bytes(data[:-20]), "empty": b""}[damage])
    Ledger(folder, STUDY).close()
    assert "part-000001.parquet is damaged" in caplog.text
    assert [p.name for p in folder.set_aside.iterdir()] == [f"{table}-part-000001.parquet"]
    assert sorted(rows(folder).run_id) == ["run00000", "run00001", "run00002"]
    assert len(rows(folder, "epochs")) == 6
    assert len(rows(folder, "items")) == 6


def test_the_torn_last_line_of_a_journal_is_left_out(folder: Folder) -> None:
    ledger = Ledger(folder, STUDY)
    tell(ledger, 0)
    tell(ledger, 1)
    abandon(ledger)
    segment = journal.segments(folder)[-1]
    segment.write_bytes(segment.read_bytes()[:-7])
    again = Ledger(folder, STUDY)
    assert told(again) == ["run00000"]
    tell(again, 1)
    again.close()
    assert sorted(rows(folder).run_id) == ["run00000", "run00001"]


def test_a_damaged_line_of_a_journal_is_named_and_its_run_is_told_by_its_part(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(folder, STUDY)
    for number in range(3):
        tell(ledger, number)
    ledger.close()
    segment = journal.segments(folder)[0]
    lines = segment.read_bytes().split(b"\n")
    number = next(i for i, line in enumerate(lines) if b"run00001" in line and b" told " in line)
    lines[number] = lines[number].replace(b"run00001", b"run00006")  # three bits: one alone would be put right
    segment.write_bytes(b"\n".join(lines))
    again = Ledger(folder, STUDY)
    assert f"line {number + 1} is damaged" in caplog.text
    assert sorted(told(again)) == ["run00000", "run00001", "run00002"]
    again.close()
    assert len(rows(folder)) == 3


def test_a_second_driver_is_refused_with_the_name_of_the_first(folder: Folder) -> None:
    script = (
        "import sys, time; from orchestrator.storage.results_folder import Folder; "
        "from orchestrator.storage.writer_lock import Lock;"
        "Lock(Folder.at(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    first = subprocess.Popen([sys.executable, "-c", script, str(folder.root)], stdout=subprocess.PIPE)
    assert first.stdout is not None
    assert first.stdout.readline() == b"held\n"
    with pytest.raises(BusyError, match=rf"another is at work: host \S+, pid {first.pid}, since 20"):
        Lock(folder)
    first.kill()
    first.wait()
    first.stdout.close()
    Lock(folder).release()


@pytest.mark.parametrize(
    "reader",
    [
        lambda path: len(pd.read_parquet(path)),
        lambda path: pl.read_parquet(path / "*.parquet").height,
        lambda path: pl.scan_parquet(path / "*.parquet").select(pl.len()).collect().item(),
        lambda path: duckdb.sql(f"select count(*) from '{path}/*.parquet'").fetchall()[0][0],
    ],
    ids=["pandas", "polars", "polars lazy", "duckdb"],
)
def test_readers_see_a_growing_whole_while_it_is_written(folder: Folder, reader: Callable[[Path], int]) -> None:
    ledger = Ledger(folder, STUDY)
    seen, stop = [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.append(reader(folder.table("runs")))

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(120):
        tell(ledger, number)
        if number % 3 == 2:
            ledger.publish()
    stop.set()
    thread.join()
    ledger.close()
    assert seen, "the reader has read"
    assert seen == sorted(seen)
    assert all(count % 3 == 0 for count in seen)
    assert reader(folder.table("runs")) == 120


def test_the_journal_keeps_the_order_of_all_drivers(folder: Folder) -> None:
    recorded: list[Event] = []
    for term in range(3):
        ledger = Ledger(folder, STUDY)
        assert ledger.events == recorded
        event = events.Began(pack_id="p", attempt=term, at="now")
        ledger.record(event)
        recorded.append(event)
        ledger.close()
    assert [path.name for path in journal.segments(folder)] == ["000001.jsonl", "000002.jsonl", "000003.jsonl"]
    owner = json.loads(folder.owner.read_text())
    assert set(owner) == {"host", "pid", "since"}


def test_a_lock_is_of_the_folder_that_is_there_when_it_is_had(tmp_path: Path) -> None:
    """Another moves the folder aside while one waits for its lock: what is locked then must not be the old one."""
    for number in range(50):
        folder = Folder.at(tmp_path / f"r{number}")
        with ThreadPoolExecutor(1) as pool:
            with Lock(folder):
                waiting = pool.submit(Lock, folder)
                time.sleep(0.01)
                folder.root.rename(tmp_path / f"aside{number}")
            if waiting.exception() is not None:
                continue  # it had waited long enough
        with waiting.result(), pytest.raises(BusyError):
            Lock(folder)
        return
    raise AssertionError("no lock was waited for")


@pytest.mark.parametrize("columns", [{"y": ["a", "b"]}, {"y": [[0.0, 1.0], [1.0, 2.0]]}, {"item": [0, 1]}])
def test_a_journal_whose_lines_no_column_can_hold_is_read(folder: Folder, columns: dict) -> None:
    good = bundle(0)
    bad = replace(good, run={**good.run, "device": 0}, items={**good.items, **columns})
    ledger = Ledger(folder, STUDY)
    ledger.tell(Told(run_id=bad.run["run_id"], status="completed"), bad)
    abandon(ledger)
    Ledger(folder, STUDY).close()
    row = rows(folder).iloc[0]
    assert row["device"] == "0"
    items = pd.read_parquet(folder.table("items"))
    assert items["item"].tolist() == (["0", "1"] if "item" in columns else [])
