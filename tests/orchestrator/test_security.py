"""What docs/security.md promises, on one machine."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.cluster import ray_token
from orchestrator.storage import results_folder

ROOT = Path(__file__).parent.parent.parent
SECRET = "a-secret-key-that-must-not-be-seen"
TINY = (
    *("--trials", "2", "--rerank", "0", "--no-frozen", "--seeds", "2", "--epochs", "10", "--arms", "no_prior"),
    *("--address", "local", "--workers", "2"),
)
# What turns bytes into code.
UNPICKLING = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
LOADS = {"torch.load", "np.load", "numpy.load", "pd.read_pickle", "eval", "exec"} | {
    f"yaml.{name}" for name in ("load", "full_load", "unsafe_load")
}


class Seen:
    """A small study on a local Ray, and what every user of the machine could see of it meanwhile."""

    def __init__(self, home: Path) -> None:
        self.home, self.results = home, home / "results"
        self.listening: set[str] = set()
        self.commands: set[str] = set()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment |= {"HOME": str(home), "AWS_SECRET_ACCESS_KEY": SECRET, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, ROOT / "studies" / "mosi_ablation.py", "--results", self.results, *TINY]
        with (home / "output").open("w") as output:
            study = subprocess.Popen(command, env=environment, stdout=output, stderr=output, umask=0o022)
        while study.poll() is None:
            self._look()
            time.sleep(0.5)
        assert study.returncode == 0, (home / "output").read_text()

    def _look(self) -> None:
        mine = {process.name for process in Path("/proc").glob("[0-9]*") if self._is_mine(process)}
        for line in subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout.splitlines():
            if any(f"pid={pid}," in line for pid in mine):
                self.listening.add(line.split()[3])
        self.commands.add(subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout)

    def _is_mine(self, process: Path) -> bool:
        try:
            return f"HOME={self.home}\0".encode() in (process / "environ").read_bytes()
        except OSError:
            return False


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return Seen(tmp_path_factory.mktemp("home"))


@pytest.mark.ray
def test_a_local_ray_listens_on_loopback_alone(seen: Seen) -> None:
    assert len(seen.listening) > 5, "Ray's processes were seen"
    assert {address.rpartition(":")[0] for address in seen.listening} <= {"127.0.0.1", "[::ffff:127.0.0.1]", "[::1]"}


@pytest.mark.ray
def test_the_token_is_for_its_user_alone(seen: Seen) -> None:
    path = seen.home / ".ray" / "auth_token"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.ray
def test_secrets_are_in_no_file_and_in_no_list_of_processes(seen: Seen) -> None:
    secrets = [SECRET, (seen.home / ".ray" / "auth_token").read_text()]
    files = [seen.home / "output", *(path for path in seen.results.rglob("*") if path.is_file())]
    assert any(path.name == "index.html" for path in files)
    for secret in secrets:
        assert not [path for path in files if secret.encode() in path.read_bytes()]
        assert not [commands for commands in seen.commands if secret in commands]


@pytest.mark.ray
def test_nobody_else_can_write_to_results(seen: Seen) -> None:
    assert not [path for path in (seen.results, *seen.results.rglob("*")) if path.stat().st_mode & 0o022]


def test_a_token_that_others_could_read_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (ray_token.MODE, ray_token.TOKEN, ray_token.TOKEN_PATH):
        monkeypatch.delenv(name, raising=False)
    ray_token.keep_private()
    path = tmp_path / ".ray" / "auth_token"
    made = path.read_text()
    assert len(made) == 64
    path.chmod(0o644)
    ray_token.keep_private()
    assert path.read_text() == made
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_token_is_made_where_the_environment_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(ray_token.TOKEN, "x" * 64)
    ray_token.keep_private()
    assert not (tmp_path / ".ray").exists()


def test_copies_of_results_on_object_storage_are_for_their_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    root = results_folder.Folder.at("s3://bucket/name").root
    assert root.parent.stat().st_mode & 0o777 == 0o700
    assert root.parent == tmp_path / ".cache" / "studies"


def test_nothing_is_read_that_could_be_a_program() -> None:
    """Data pickles go through a reader of our own, which executes nothing: tests/mfm/data has its tests."""
    for path in (
        path for package in ("mfm", "orchestrator", "analysis", "studies") for path in (ROOT / package).rglob("*.py")
    ):
        tree = ast.parse(path.read_text())
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        allowed = {"pickle"} if path == ROOT / "mfm" / "data" / "formats" / "safe_pickle.py" else set()
        assert {name.partition(".")[0] for name in imported} & UNPICKLING <= allowed, path
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if ast.unparse(call.func) in LOADS:
                assert "allow_pickle=False" in ast.unparse(call), f"{path}: {ast.unparse(call)}"
