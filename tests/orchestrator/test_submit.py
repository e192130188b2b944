"""A study from a laptop, as far as it needs no cluster; with one: tests/cluster/test_submit.py."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from toy import Toy, toy_study

from orchestrator.display.live_table import RAY_ENDS_WITH, SEPARATOR, Board, Mirror
from orchestrator.display.progress import Progress
from orchestrator.history.history import History
from orchestrator.process.command_line import command_again, without
from orchestrator.process.git_commit import checkout_of, commit
from orchestrator.process.job_origin import Origin
from orchestrator.remote.cluster_file import head_of
from orchestrator.remote.job_request import Errand, digest_of
from orchestrator.remote.submit import submit
from orchestrator.runners.run import Options, run

ROOT = Path(__file__).parent.parent.parent
ORIGIN = Origin(sha="5ha", dirty=True, script="/laptop/study.py", arguments=("--seeds", "7"), command="python study.py")


def errand(*words: str, results: str | None = None) -> Errand:
    return Errand(study="toy", cluster=Path("c.yaml"), data=None, results=results, script=Path("s.py"), words=words)


def test_the_head_is_given_its_own_paths_and_everything_else_as_it_was_typed() -> None:
    typed = ("--cluster", "c.yaml", "--seeds", "7", "--data=here", "--fresh", "--results", "results/mine")
    there = errand(*typed, results="results/mine").words_there(home="/h", data="/h/data/x")
    assert there == ["--seeds", "7", "--fresh", "--data", "/h/data/x", "--results", "/h/results/mine"]


@pytest.mark.parametrize(
    ("results", "place", "here"),
    [
        (None, "results/toy", "results/toy"),
        ("results/mine", "results/mine", "results/mine"),
        ("../a b/mine", "results/a_b/mine", "../a b/mine"),
        ("/mnt/shared/mine/", "/mnt/shared/mine", "results/mine"),
        ("s3://bucket/mine", "s3://bucket/mine", "results/mine"),
    ],
)
def test_results_have_a_place_there_and_one_here(results: str | None, place: str, here: str) -> None:
    assert errand(results=results).place == place
    assert errand(results=results).here == Path(here)


def test_an_address_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="results must be a folder or an address"):
        submit(errand(results="ftp://host/mine"), Console())


def test_the_same_study_in_the_same_place_is_the_same_job_whatever_its_budget() -> None:
    assert errand("--seeds", "7").prefix == errand("--seeds", "9").prefix
    assert errand(results="one").prefix != errand(results="other").prefix


def test_an_option_goes_with_its_value_in_both_spellings() -> None:
    assert without(["--data", "x", "--data=y", "--fresh", "--datas"], ["--data"]) == ["--fresh", "--datas"]


def test_data_with_other_contents_or_other_names_is_other_data(tmp_path: Path) -> None:
    for name, file, text in (("one", "x", "1"), ("same", "x", "1"), ("text", "x", "2"), ("file", "y", "1")):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "data" / file).write_text(text)
    one, same, text, file = (digest_of(tmp_path / name / "data") for name in ("one", "same", "text", "file"))
    assert one == same
    assert len({one, text, file}) == 3
    assert digest_of(tmp_path / "one" / "data" / "x") != digest_of(tmp_path / "text" / "data" / "x")


CLUSTER = """
cluster_name: c
provider: {type: local, head_ip: 192.0.2.10, worker_ips: []}
auth: {ssh_user: me, ssh_private_key: ~/.ssh/mine}
"""
WRONG = {
    "nothing": ("", "must be what `ray up` reads"),
    "a list": ("[1, 2]", "must be what `ray up` reads"),
    "no yaml": ("a: b: c", "must be what `ray up` reads"),
    "no user": (CLUSTER.replace("ssh_user", "user"), "'ssh_user'"),
    "an empty user": (CLUSTER.replace("ssh_user: me", "ssh_user:"), "must name its cluster"),
}


def test_owned_machines_say_in_their_file_who_logs_in_where(tmp_path: Path, programs: Path) -> None:
    (tmp_path / "c.yaml").write_text(CLUSTER)
    head = head_of(tmp_path / "c.yaml")
    assert (head.address, head.user) == ("192.0.2.10", "me")
    assert str(Path.home() / ".ssh" / "mine") in head.options


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_clusters_file_is_refused(case: str, tmp_path: Path) -> None:
    text, words = WRONG[case]
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ValueError, match=words):
        head_of(tmp_path / "c.yaml")


@pytest.mark.parametrize("missing", ["ssh", "rsync"])
def test_a_laptop_needs_ssh_and_rsync(missing: str, tmp_path: Path, programs: Path) -> None:
    (tmp_path / "c.yaml").write_text(CLUSTER)
    (programs / missing).unlink()
    with pytest.raises(ValueError, match=f"needs {missing} on this machine"):
        head_of(tmp_path / "c.yaml")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All programs there are."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("ssh", "rsync"):
        (folder / name).write_text("#!/bin/sh")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def as_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is a job of a cluster."""
    for name, value in ORIGIN.environment().items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("as_job")
def test_a_job_has_the_commit_and_the_command_of_its_origin(tmp_path: Path) -> None:
    assert (commit(tmp_path).sha, commit(tmp_path).dirty) == ("5ha", True)
    assert command_again(["--fresh"]) == "python study.py"


def test_the_code_is_the_checkout_of_the_script_or_its_folder(tmp_path: Path) -> None:
    assert checkout_of(ROOT / "studies" / "mosi_ablation.py") == ROOT
    assert checkout_of(tmp_path / "mine.py") == tmp_path


@pytest.mark.usefixtures("as_job")
def test_a_jobs_lines_carry_the_table_to_who_follows_it(tmp_path: Path) -> None:
    log = io.StringIO()
    run(toy_study(), Toy(), Options(results=tmp_path / "r", serial=True), console=Console(file=log, width=80))
    text = f"of Ray's own\n{RAY_ENDS_WITH} 7\n{log.getvalue()}"

    lines, screen = (mirrored(text, is_terminal=is_terminal) for is_terminal in (False, True))
    assert "of Ray's own" not in lines + screen
    assert "A new study" in lines
    assert "runs over" in lines
    assert "best valid" not in lines.replace(", best valid", "")
    assert "{" not in lines + screen
    assert "┃ arm" in screen
    assert "runs over" not in screen


def mirrored(text: str, *, is_terminal: bool) -> str:
    shown = io.StringIO()
    with Mirror(Console(file=shown, force_terminal=is_terminal, width=100, height=40, color_system=None)) as mirror:
        for begin in range(0, len(text), 7):
            mirror.show(text[begin : begin + 7])
    assert mirror.num_characters == len(text)
    return shown.getvalue()


def test_without_an_origin_lines_carry_nothing() -> None:
    log = io.StringIO()
    with Progress(toy_study(), History(toy_study()), Console(file=log, width=80)):
        pass
    assert not log.getvalue()


def test_what_a_job_says_after_its_table_stands_below_it() -> None:
    board = Board(title="t", columns=("arm", "search"), rows=[("full", "1/4")], caption="1 of 4", is_last=True)
    screen = mirrored(f"{RAY_ENDS_WITH}\n{board.carried_by('')}\nreport\n", is_terminal=True)
    assert screen.rstrip().endswith("report")
    assert screen.index("1/4") < screen.index("report")


def test_a_table_of_another_version_is_left_out() -> None:
    screen = mirrored(f'{RAY_ENDS_WITH}\n{SEPARATOR}{{"heading": 1}}\nreport\n', is_terminal=True)
    assert screen.strip() == "report"
