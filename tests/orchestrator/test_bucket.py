"""Results on object storage, against an S3 server on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
import pandas as pd
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from ledger_check import check, finished, journal
from rich.console import Console
from toy import Toy, toy_study

from orchestrator.doctor.node_access import Node, here
from orchestrator.ledger.ledger import Ledger
from orchestrator.runners.result import Result
from orchestrator.runners.run import Options, run
from orchestrator.storage.checkpoints import Checkpoint, Checkpoints
from orchestrator.storage.object_store import LEASE, Bucket
from orchestrator.storage.results_folder import Folder
from orchestrator.storage.writer_lease import Lease, LeaseLostError, holder_of_lease
from orchestrator.storage.writer_lock import BusyError

ADDRESS = "s3://results/toy"
STUDY = toy_study(about={"items": {"test": 2}})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(url).close()
            break
        except OSError:
            time.sleep(0.1)
    yield url
    process.terminate()
    process.wait()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bucket:
    """An empty one, with what leads to it in the environment, as users have it."""
    environment = {
        "AWS_ENDPOINT_URL": server, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST")).close()
    urllib.request.urlopen(urllib.request.Request(f"{server}/results", method="PUT")).close()
    return Bucket(ADDRESS)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From here on, another machine: it has no copy of the results."""

    def move() -> None:
        monkeypatch.setenv("HOME", str(tmp_path / f"home-{time.monotonic_ns()}"))

    return move


def run_study(toy: Toy | None = None, **options: object) -> Result:
    values = {"results": ADDRESS, "serial": True, **options}
    return run(STUDY, toy or Toy(), Options(**values), console=Console(quiet=True))


def files_of(server: str) -> pyarrow.fs.FileSystem:
    """The server, by a reader that shares nothing with ours."""
    return pyarrow.fs.S3FileSystem(access_key="test", secret_key="test", endpoint_override=server)


def fetched() -> Path:
    folder = Folder.at(ADDRESS)
    folder.fetch(folder.root)
    return folder.root


def test_a_study_runs_there_and_anything_reads_it(bucket: Bucket, server: str) -> None:
    assert run_study().complete
    rows = pq.read_table("results/toy/runs", filesystem=files_of(server)).to_pandas()
    assert rows.run_id.is_unique
    assert rows.groupby(["arm", "phase"]).size().to_dict() == {
        (arm, phase): n for arm in ("full", "square") for phase, n in (("search", 6), ("confirm", 4))
    }
    assert "log.txt" in bucket.names("")


def test_the_report_is_drawn_from_there_and_put_beside(bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    from analysis.__main__ import main

    run_study()
    assert main([ADDRESS]) == 0
    assert "square" in capsys.readouterr().out
    assert "report/index.html" in bucket.names("report")
    assert main(["s3://results/nothing"]) == 2
    assert "results must lie at s3://results/nothing" in capsys.readouterr().err


def test_another_machine_goes_on_and_repeats_nothing(
    bucket: Bucket, elsewhere: Callable[[], None], tmp_path: Path
) -> None:
    toy = Toy(epoch_seconds=0.05, diary=tmp_path / "diary")
    assert not run_study(toy, hours=0.6 / 3600).complete
    elsewhere()
    assert run_study(toy).complete
    trained = (tmp_path / "diary").read_text().split()
    elsewhere()
    assert run_study(toy).complete
    assert (tmp_path / "diary").read_text().split() == trained, "a finished study trains nothing"
    pairs = list(zip(trained[::2], trained[1::2], strict=True))
    assert len(set(pairs)) == len(pairs), "a drained study trains no epoch twice, wherever it goes on"
    elsewhere()
    assert set(check(fetched())) <= {"completed", "pruned"}


def test_parts_are_whole_objects_under_fresh_names(bucket: Bucket, elsewhere: Callable[[], None]) -> None:
    run_study(hours=0.2 / 3600)
    before = {name: bucket.head(name)["e_tag"] for name in bucket.names("runs")}
    elsewhere()
    run_study()
    after = {name: bucket.head(name)["e_tag"] for name in bucket.names("runs")}
    assert before.items() <= after.items()


DRIVER = """
from rich.console import Console
from orchestrator.runners.run import Options, run
from test_bucket import ADDRESS, STUDY
from toy import Toy
run(STUDY, Toy(epoch_seconds=0.05), Options(results=ADDRESS, serial=True), console=Console(quiet=True))
"""


def drive(home: Path) -> subprocess.Popen[bytes]:
    """A driver on a machine of its own."""
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parent.parent / "benchmarks")])
    environment = {**os.environ, "PYTHONPATH": paths, "HOME": str(home)}
    return subprocess.Popen([sys.executable, "-c", DRIVER], env=environment)


def test_kills_lose_nothing(bucket: Bucket, tmp_path: Path, elsewhere: Callable[[], None]) -> None:
    known: dict[str, str] = {}
    for life in range(3):
        driver = drive(tmp_path / f"machine-{life}")
        wait_for_runs(len(known) + 1)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        now = finished(list(journal(fetched())))
        assert known.items() <= now.items()
        known = now
        bucket.remove(LEASE)  # as if the lease of the dead had run out
    elsewhere()
    run_study()
    elsewhere()
    root = fetched()
    assert set(check(root)) <= {"completed", "pruned"}
    assert known.items() <= finished(list(journal(root))).items()


def wait_for_runs(number: int, *, seconds: float = 60) -> None:
    for _ in range(int(10 * seconds)):
        if len(finished(list(journal(fetched())))) >= number:
            return
        time.sleep(0.1)
    raise AssertionError(f"{number} runs were not finished")


def test_a_second_driver_is_refused_with_the_name_of_the_first(bucket: Bucket, elsewhere: Callable[[], None]) -> None:
    lease = Lease(bucket, {"host": "first", "pid": 7, "since": "noon"})
    elsewhere()
    with pytest.raises(BusyError, match="another is at work: host first, pid 7, since noon"):
        run_study()
    lease.release()
    assert run_study().complete


def test_a_lease_that_nobody_renews_is_taken_over_and_its_holder_stops(bucket: Bucket) -> None:
    late = Lease(bucket, {"host": "late"}, seconds=2.0)
    late._over.set()  # it sleeps
    late._thread.join()
    with pytest.raises(FileExistsError):
        Lease(bucket, {"host": "next"}, seconds=2.0)
    time.sleep(3)
    following = Lease(bucket, {"host": "next"}, seconds=2.0)
    following.check()
    with pytest.raises(LeaseLostError):
        late.check()
    late._over.clear()
    late._renew()
    assert late._is_lost
    late.release()
    assert json.loads(bucket.get(LEASE))["host"] == "next", "a lost lease is not given back"
    following.release()


def test_a_lease_is_renewed_while_it_is_held(bucket: Bucket) -> None:
    lease = Lease(bucket, {"host": "a"}, seconds=2.0)
    time.sleep(4)
    lease.check()
    with pytest.raises(FileExistsError):
        Lease(bucket, {"host": "b"}, seconds=2.0)
    lease.release()


def test_old_results_are_kept_beside_new_ones(bucket: Bucket, server: str) -> None:
    run_study()
    old = set(bucket.names("runs"))
    assert run_study(fresh=True).complete
    assert set(check(fetched())) <= {"completed", "pruned"}
    names = [info.base_name for info in files_of(server).get_file_info(pyarrow.fs.FileSelector("results"))]
    aside = next(name for name in names if name != "toy")
    kept = Bucket(f"s3://results/{aside}")
    assert set(kept.names("runs")) == old


def test_a_store_that_is_not_there_is_one_clear_error(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="s3://nowhere/toy"):
        Bucket("s3://nowhere/toy").put("x", b"")


def test_a_damaged_copy_is_fetched_again(bucket: Bucket) -> None:
    root = run_study().folder.root
    before = bucket.names("runs")
    part = sorted((root / "runs").glob("*.parquet"))[-1]
    part.write_bytes(part.read_bytes()[:-1])
    rows = pd.read_parquet(run_study().folder.root / "runs")
    assert rows.run_id.is_unique
    assert len(rows) == 20
    assert bucket.names("runs") == before, "the object itself was whole"


def test_a_damaged_object_is_set_aside_and_restored(bucket: Bucket, elsewhere: Callable[[], None]) -> None:
    run_study()
    part = bucket.names("runs")[-1]
    bucket.put(part, bucket.get(part)[:-1])
    elsewhere()
    rows = pd.read_parquet(run_study().folder.root / "runs")
    assert rows.run_id.is_unique
    assert len(rows) == 20
    assert any(name.startswith("set_aside/") for name in bucket.names(""))
    assert part not in bucket.names("runs")


def cut_off(ledger: Ledger, bucket: Bucket) -> None:
    """The machine of a ledger's driver sleeps until its lease has run out and is free."""
    lease = ledger._lock.lease
    assert lease is not None
    lease._over.set()
    lease._thread.join()
    lease._clock = lambda: lease._renewed_at + 100
    bucket.remove(LEASE)


def test_a_driver_that_was_cut_off_publishes_nothing(bucket: Bucket, elsewhere: Callable[[], None]) -> None:
    run_study(hours=0.02 / 3600, toy=Toy(epoch_seconds=0.005))
    first = Ledger(Folder.at(ADDRESS), STUDY)
    first._unpublished["late"] = first._unpublished.get("late")  # type: ignore[assignment]
    cut_off(first, bucket)
    elsewhere()
    run_study()
    with pytest.raises(LeaseLostError):
        first.close()
    assert not [name for name in bucket.names("runs") if f"part-{first._next_part:06d}" in name]


def test_a_lease_that_was_taken_over_is_not_given_back_by_its_old_holder(bucket: Bucket) -> None:
    old = Lease(bucket, {"host": "old", "pid": 1, "since": ""}, seconds=60)
    old._over.set()
    old._thread.join()
    bucket.remove(LEASE)
    new = Lease(Bucket(ADDRESS), {"host": "new", "pid": 2, "since": ""}, seconds=60)
    old.release()
    assert holder_of_lease(bucket) is not None
    new.check()
    new.release()
    assert holder_of_lease(bucket) is None


def test_a_copy_of_an_earlier_study_is_forgotten(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One machine has a copy; on another one the study is begun anew; the first goes on."""
    monkeypatch.setenv("HOME", str(tmp_path / "first"))
    before = set(pd.read_parquet(run_study().folder.root / "runs").started_at)
    Checkpoints(Folder.at(ADDRESS), "p000000", 1).save(Checkpoint(epoch=5, plain={"runs": ["r"]}, arrays={}))
    monkeypatch.setenv("HOME", str(tmp_path / "second"))
    run_study(fresh=True)
    monkeypatch.setenv("HOME", str(tmp_path / "first"))
    assert Checkpoints(Folder.at(ADDRESS), "p000000", 2).latest(["r"]) is None
    rows = pd.read_parquet(run_study().folder.root / "runs")
    assert len(rows) == 20
    assert not before & set(rows.started_at)


@pytest.mark.parametrize("moved", [3, 20, 40])
def test_a_fresh_start_that_is_cut_short_is_finished(
    bucket: Bucket, elsewhere: Callable[[], None], moved: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_study()
    real, count = obstore.rename, [0]

    def rename(*arguments: object) -> None:
        count[0] += 1
        if count[0] > moved:
            raise KeyboardInterrupt
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(obstore, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        run_study(fresh=True)
    monkeypatch.setattr(obstore, "rename", real)
    elsewhere()
    rows = pd.read_parquet(run_study().folder.root / "runs")
    assert rows.run_id.is_unique
    assert len(rows) == 20


def test_a_damaged_copy_of_the_journal_is_fetched_again(bucket: Bucket, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    root = run_study(Toy(diary=diary)).folder.root
    trained = diary.read_text()
    segment = sorted((root / "journal").glob("*.jsonl"))[-3]
    segment.write_bytes(segment.read_bytes()[:20] + b"????" + segment.read_bytes()[24:])
    run_study(Toy(diary=diary))
    assert diary.read_text() == trained


def test_status_names_the_driver_of_another_machine(bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    from orchestrator.__main__ import main

    run_study()
    lease = Lease(bucket, {"host": "first", "pid": 7, "since": "noon"})
    try:
        assert main(["status", ADDRESS]) == 0
    finally:
        lease.release()
    assert "a driver is at work: host first, pid 7" in " ".join(capsys.readouterr().out.split())
    assert main(["status", ADDRESS]) == 0
    assert "no driver is at work" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("address", "error"), [(ADDRESS, None), ("s3://nowhere/toy", "is not there")])
def test_the_doctor_puts_an_object_and_gets_it_back(bucket: Bucket, address: str, error: str | None) -> None:
    request = {"request": "look", "root": None, "results": address, "name": ".doctor", "salt": "s", "ports": [1, 2]}
    answer = json.loads(here(Node(name="here", address="here"), request | {"ask_ray": False}))
    assert (answer["results"]["error"] is None) == (error is None)
    assert (error or "") in (answer["results"]["error"] or "")
    assert not bucket.names("")


def test_what_goes_while_a_folder_is_fetched_is_left_out(bucket: Bucket) -> None:
    run_study()
    names = [f"checkpoints/p{number}" for number in range(300)]
    for name in names:
        bucket.put(name, b"x")
    with ThreadPoolExecutor(1) as pool:
        removed = pool.submit(bucket.remove, *reversed(names))
        root = fetched()
    removed.result()
    assert set(check(root)) <= {"completed", "pruned"}
