"""Each thing that can be wrong with a cluster is found, on the right node, with its remedy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.doctor import cluster_checks, laptop_checks, node_checks, probe
from orchestrator.doctor.checkup import examine
from orchestrator.doctor.cluster_yaml import ClusterFile
from orchestrator.doctor.findings import Cluster, Finding, Look
from orchestrator.doctor.node_access import PROBE, Answer, Node, ask, here

HEAD = Node(name="head 10.0.0.1", address="10.0.0.1", inside="10.0.0.1", is_head=True)
WORKER = Node(name="worker 10.0.0.2", address="10.0.0.2", inside="10.0.0.2")
OTHER = Node(name="worker 10.0.0.3", address="10.0.0.3", inside="10.0.0.3")
ALIVE = {"value": {"alive": ["10.0.0.1", "10.0.0.2", "10.0.0.3"], "pending": {}}}
ENVIRONMENT = {"value": {"python": "3.11.7", "packages": {"numpy": "2.4.6", "rich": "15.0.0", "pip": "25.0"}}}
HEALTHY: dict[str, Any] = {
    "hostname": "a",
    "address": None,
    "python": "3.11.7",
    "makes_environments": True,
    "programs": ["bash", "make", "rsync"],
    "has_default_route": True,
    "environment": ENVIRONMENT,
    "code": "c0de" * 16,
    "token": {"hash": "aa", "mode": 0o600},
    "disks": {"~": [100 * 10**9, 10 * 10**9, 90 * 10**9], "/tmp/ray": [100 * 10**9, 10 * 10**9, 90 * 10**9]},
    "memory": 16 * 10**9,
    "shared_memory": 8 * 10**9,
    "open_files": 20000,
    "gpus": {"driver": 0, "torch": None},
    "listening": [[], []],
    "joined": None,
    "results": {"error": None, "made": []},
    "started": 1000.2,
    "ended": 1000.8,
}
HEAD_HEALTHY = HEALTHY | {"listening": [["::"], ["127.0.0.1"]], "joined": ALIVE}
NAMES = {HEAD: "h", WORKER: "w", OTHER: "o"}
MET = {"seen": ["h", "w", "o"], "closed": []}


def answer(value: dict[str, Any] | None, **changes: Any) -> Answer:
    return Answer(value=value, sent=1000.0, received=1001.0, **changes)


def cluster(
    *, head: dict[str, Any] | None = None, worker: dict[str, Any] | None = None, met: dict[str, Any] | None = None
) -> Cluster:
    """A healthy cluster, but for what is said."""
    answers = {
        HEAD: answer(HEAD_HEALTHY | (head or {})),
        WORKER: answer(HEALTHY | (worker or {})),
        OTHER: answer(HEALTHY),
    }
    return Cluster(
        file="mine.yaml",
        nodes=[HEAD, WORKER, OTHER],
        answers=answers,
        meetings={HEAD: answer(MET), WORKER: answer(MET | (met or {})), OTHER: answer(MET)},
        names=NAMES,
        login="me",
        key="~/.ssh/mine",
        results="/mnt/shared",
    )


def problems(of: Cluster) -> list[Finding]:
    return [finding for finding in examine(of) if finding.is_problem]


def test_a_healthy_cluster_has_no_problem_and_a_line_for_each_check_and_node() -> None:
    findings = list(examine(cluster()))
    assert not [finding for finding in findings if finding.is_problem]
    assert {"reached", "default route", "packages", "code", "token", "Ray", "ports", "results"} <= {
        finding.check for finding in findings if finding.node == WORKER.name
    }


GPUS = {"driver": 2, "torch": {"value": 0}}
FULL = {"~": [100 * 10**9, 10 * 10**9, 90 * 10**9], "/tmp/ray": [100 * 10**9, 97 * 10**9, 3 * 10**9]}
OTHER_NUMPY = {"value": {"python": "3.11.7", "packages": {"numpy": "1.0", "rich": "15.0.0", "pip": "25.0"}}}
NO_RICH = {"value": {"python": "3.12.1", "packages": {"numpy": "2.4.6", "pip": "25.0"}}}
WRONG: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "no rsync": ({"programs": ["bash", "make"]}, "programs", "no rsync", "apt-get install rsync"),
    "no route": ({"has_default_route": False}, "default route", "never joins", "ip route add default"),
    "other version": ({"environment": OTHER_NUMPY}, "packages", "numpy 1.0 (2.4.6 there)", "rm -r ~/studies/.venv"),
    "package missing": ({"environment": NO_RICH}, "packages", "rich missing (15.0.0 there)", "`ray up mine.yaml`"),
    "other Python": ({"environment": NO_RICH}, "packages", "Python 3.12.1 (3.11.7 there)", "`ray up mine.yaml`"),
    "no environment": ({"environment": None}, "packages", "missing", "`ray up mine.yaml`"),
    "broken": ({"environment": {"error": "boom"}}, "packages", "does not work: boom", "rm -r ~/studies/.venv"),
    "other code": ({"code": "beef"}, "code", "not that of the head", "`ray down mine.yaml`"),
    "no code": ({"code": None}, "code", "not there", "`ray up mine.yaml`"),
    "other token": ({"token": {"hash": "bb", "mode": 0o600}}, "token", "not the head's", "copy ~/.ray/auth_token"),
    "no token": ({"token": None}, "token", "there is none", "copy ~/.ray/auth_token"),
    "open token": ({"token": {"hash": "aa", "mode": 0o644}}, "token", "mode 644", "chmod 600"),
    "fast clock": ({"started": 1005.2, "ended": 1005.8}, "clock", "at least 5 s ahead", "set-ntp"),
    "slow clock": ({"started": 990.2, "ended": 990.8}, "clock", "at least 10 s behind", "set-ntp"),
    "full disk": ({"disks": FULL}, "disk", "/tmp/ray is 97% full", "make room"),
    "small shm": ({"shared_memory": 10**8}, "memory", "less than 30 %: Ray keeps its objects in /tmp/ray", "remount"),
    "few files": ({"open_files": 1024}, "open files", "1024", "limits.conf"),
    "GPUs unseen": ({"gpus": GPUS}, "GPUs", "the driver has 2, but torch finds 0", "a build of torch"),
    "open dashboard": ({"listening": [[], ["0.0.0.0"]]}, "dashboard", "0.0.0.0", "--dashboard-host=127.0.0.1"),
    "read only": ({"results": {"error": "read-only", "made": []}}, "results", "read-only", "mount one storage"),
}


@pytest.mark.parametrize(("change", "check", "text", "remedy"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_on_one_node_is_said_of_that_node(
    change: dict[str, Any], check: str, text: str, remedy: str
) -> None:
    (found,) = problems(cluster(worker=change))
    assert (found.node, found.check) == (WORKER.name, check)
    assert text in found.text
    assert remedy in found.remedy


def test_pip_may_be_of_another_version() -> None:
    packages = ENVIRONMENT["value"]["packages"]
    assert isinstance(packages, dict)
    other = {"value": {"python": "3.11.7", "packages": packages | {"pip": "26.0"}}}
    assert not problems(cluster(worker={"environment": other}))


def test_a_clock_is_not_blamed_for_a_slow_network() -> None:
    """The request may have taken all of the time, or the answer."""
    slow = Answer(value=HEALTHY, sent=995.0, received=1030.0)
    assert node_checks.clock_ahead(slow, Look(**HEALTHY)) == 0.0


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("me@10.0.0.2: Permission denied (publickey).", "ssh-copy-id -i ~/.ssh/mine me@10.0.0.2"),
        ("ssh: connect to host 10.0.0.2 port 22: No route to host", "switch it on"),
        ("no answer within 120 s", "switch it on"),
    ],
)
def test_a_node_that_does_not_answer_is_named_with_the_reason(error: str, remedy: str) -> None:
    whole = cluster()
    silent = Cluster(**{**vars(whole), "answers": {**whole.answers, WORKER: Answer(value=None, error=error)}})
    (found,) = problems(silent)
    assert found.node == WORKER.name
    assert error in found.text
    assert remedy in found.remedy


def test_a_worker_that_has_not_joined_is_named() -> None:
    missing = {"value": {"alive": ["10.0.0.1", "10.0.0.3"], "pending": {}}}
    (found,) = problems(cluster(head={"joined": missing}))
    assert (found.node, found.check) == (WORKER.name, "Ray")
    assert "`ray down mine.yaml`" in found.remedy


def test_a_worker_that_is_being_set_up_needs_time_alone() -> None:
    pending = {"value": {"alive": ["10.0.0.1", "10.0.0.3"], "pending": {"10.0.0.2": "setting-up"}}}
    (found,) = problems(cluster(head={"joined": pending}))
    assert "setting-up" in found.text
    assert found.remedy.startswith("wait")


def test_another_program_at_rays_port_is_not_ray() -> None:
    (found,) = problems(cluster(head={"joined": {"error": "no answer within 45 s"}}))
    assert (found.node, found.check) == (HEAD.name, "Ray")
    assert "no Ray answers" in found.text


def test_a_folder_of_its_own_is_not_shared_storage() -> None:
    (found,) = problems(cluster(met={"seen": ["w"]}))
    assert (found.node, found.check) == (WORKER.name, "results")
    assert "checkpoints cannot travel" in found.text
    assert "s3://" in found.remedy


def test_a_closed_port_of_the_head_is_said_of_the_worker_that_cannot_reach_it() -> None:
    (found,) = problems(cluster(met={"closed": [["10.0.0.1", 6379]]}))
    assert (found.node, found.check) == (WORKER.name, "ports")
    assert "10.0.0.1:6379" in found.text


def test_before_ray_up_what_it_brings_is_not_missed() -> None:
    nothing = {"environment": None, "code": None, "token": None, "listening": [[], []], "joined": None}
    assert not problems(cluster(head=nothing, worker=nothing))
    (found,) = problems(cluster(head=nothing, worker=nothing | {"python": "3.9.2"}))
    assert "3.11 to 3.13" in found.text
    (found,) = problems(cluster(head=nothing, worker=nothing | {"makes_environments": False}))
    assert "python3-venv" in found.remedy


def test_workers_must_reach_ray_and_the_head_must_reach_their_ssh() -> None:
    doors = cluster_checks.doors(cluster())
    assert doors == {
        HEAD: [("10.0.0.2", 22), ("10.0.0.3", 22)],
        WORKER: [("10.0.0.1", 6379)],
        OTHER: [("10.0.0.1", 6379)],
    }


FILE = """
cluster_name: studies
provider: {type: local, head_ip: 10.0.0.1, worker_ips: [10.0.0.2, 10.0.0.3]}
max_workers: 2
auth: {ssh_user: me, ssh_private_key: KEY}
head_start_ray_commands: ['ray start --head --port=7000 --dashboard-host=127.0.0.1']
"""


def cluster_file(tmp_path: Path, text: str = FILE) -> ClusterFile:
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("KEY", str(tmp_path / "key")))
    return ClusterFile.read(str(path))


def test_a_file_names_its_nodes_and_ports(tmp_path: Path) -> None:
    file = cluster_file(tmp_path)
    assert file.nodes() == [HEAD, WORKER, OTHER]
    assert file.ports == (7000, 8265)
    assert not file.unfilled()


THERE = laptop_checks.Laptop(programs=frozenset({"ssh", "rsync"}), has_ray=True, key_mode=0o600)


@pytest.mark.parametrize(
    ("old", "new", "there", "complaint", "text"),
    [
        ("10.0.0.2", "192.0.2.11", THERE, "", "192.0.2.11: examples still stand"),
        ("max_workers: 2", "max_workers: 1", THERE, "", "max_workers is 1 for 2 worker_ips"),
        ("10.0.0.2", "10.0.0.1", THERE, "", "twice"),
        ("", "", THERE, "'max_worker' was unexpected", "'max_worker' was unexpected"),
        ("", "", laptop_checks.Laptop(programs=frozenset({"ssh"}), has_ray=True, key_mode=0o600), "", "no rsync"),
        ("", "", laptop_checks.Laptop(programs=THERE.programs, has_ray=False, key_mode=0o600), "", "no Ray"),
        ("", "", laptop_checks.Laptop(programs=THERE.programs, has_ray=True, key_mode=0o644), "", "mode 644"),
        ("", "", laptop_checks.Laptop(programs=THERE.programs, has_ray=True, key_mode=None), "", "is not there"),
    ],
)
def test_what_stands_in_the_way_before_any_node_is_asked(
    tmp_path: Path, old: str, new: str, there: laptop_checks.Laptop, complaint: str, text: str
) -> None:
    file = cluster_file(tmp_path, FILE.replace(old, new, 1) if old else FILE)
    (found,) = [finding for finding in laptop_checks.examine(file, there, complaint) if finding.is_problem]
    assert text in found.text
    assert found.node == laptop_checks.HERE


def test_the_projects_own_file_is_told_to_be_an_example() -> None:
    file = ClusterFile.read(str(Path(__file__).parents[2] / "cluster-owned.yaml"))
    assert file.unfilled() == ["192.0.2.10", "192.0.2.11", "192.0.2.12"]
    assert file.ports == (6379, 8265)


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "doctor", str(tmp_path / "none.yaml")], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "none.yaml" in done.stderr


def test_the_probe_says_of_this_machine_what_is_asked_and_leaves_nothing(tmp_path: Path) -> None:
    node = Node(name="here", address="localhost", is_head=True)
    place = tmp_path / "new" / "results"
    common = {"root": None, "results": str(place), "name": ".doctor-0", "names": [".doctor-0"], "doors": []}
    look = common | {"request": "look", "salt": "s", "ports": [1, 2], "ask_ray": True}
    told = Look(**(ask(here, {node: look})[node].value or {}))
    assert told.environment is not None
    assert told.environment["value"]["packages"]["numpy"]
    assert told.results == {"error": None, "made": [str(tmp_path / "new"), str(place)]}
    met = ask(here, {node: common | {"request": "meet"}})[node].value
    assert met == {"seen": [".doctor-0"], "closed": []}
    ask(here, {node: common | {"request": "leave", "made": (told.results or {})["made"]}})
    assert not list(tmp_path.iterdir())


def test_the_token_itself_never_travels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "5ec2e7" * 10
    (tmp_path / "token").write_text(secret)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    request = {"request": "look", "root": None, "results": None, "salt": "s", "ports": [1, 2], "ask_ray": False}
    said = here(HEAD, request | {"name": "n"})
    assert secret not in said
    assert (
        json.loads(said)["token"]["hash"]
        != json.loads(here(HEAD, request | {"name": "n", "salt": "t"}))["token"]["hash"]
    )


def test_the_probe_needs_nothing_but_python() -> None:
    request = json.dumps({"request": "meet", "root": None, "results": None, "names": [], "doors": []})
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-I", "-", request], input=PROBE.read_bytes(), capture_output=True
    )
    assert json.loads(done.stdout) == {"seen": [], "closed": []}


def test_an_answer_is_found_before_what_ray_says_last() -> None:
    said = probe._ask(sys.executable, "print(1); print('{\"alive\": 2}'); print('[W] the autoscaler is at work')")
    assert said == {"value": {"alive": 2}}
    assert "prints no answer but 'nothing" in probe._ask(sys.executable, "print('nothing')")["error"]
