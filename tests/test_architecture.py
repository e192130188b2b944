"""The house rules of the imports, read from the code."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("mfm", "orchestrator", "analysis", "studies")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
RAY_FILES = {
    f"orchestrator/{name}.py"
    for name in (
        "cluster/ray_connection", "doctor/nodes", "remote/ray_jobs",
        "runners/ray_actor", "runners/ray_bridge", "runners/ray_tune",
    )
}  # fmt: skip
DOORS = ("orchestrator", "analysis", "mfm")  # what users import from, and nobody inside
MOST_FILES, MOST_LINES = 14, 300  # in a folder; in a file
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "misc"}


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_arrow_runs_between_packages_but_from_studies(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    others = set(PACKAGES) - {package}
    if package == "studies":
        others = set()
    used = {name.split(".")[0] for name in imports_of(path)}
    assert not used & others


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_torch_lives_in_mfm_and_ray_in_its_adaptors(path: Path) -> None:
    relative = path.relative_to(ROOT).as_posix()
    used = {name.split(".")[0] for name in imports_of(path)}
    assert "torch" not in used or relative.startswith("mfm/")
    assert "ray" not in used or relative in RAY_FILES
    if relative.startswith("mfm/data/"):
        assert not used & {"torch", "pandas", "optuna", "scipy", "sklearn"}


def test_no_module_imports_itself_in_a_circle() -> None:
    modules = {module_of(path): path for path in FILES if module_of(path) not in DOORS}
    graph = {
        name: {target for target in imports_of(path) if target in modules and target != name}
        for name, path in modules.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"circle: {' -> '.join((*trail, name))}"
        if name not in done:
            for target in graph[name]:
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_folders_do_not_import_each_other_in_a_circle() -> None:
    modules = {module_of(path): path for path in FILES if path.name not in ("__init__.py", "__main__.py")}
    graph: dict[str, set[str]] = {}
    for path in modules.values():
        others = {modules[name].parent for name in imports_of(path) if name in modules} - {path.parent}
        graph.setdefault(str(path.parent), set()).update(map(str, others))
    while free := {folder for folder, targets in graph.items() if not targets & graph.keys()}:
        for folder in free:
            del graph[folder]
    assert not graph, "folders that import each other"


def test_folders_and_files_are_small_enough_to_be_seen_at_once() -> None:
    folders = Counter(path.parent.relative_to(ROOT).as_posix() for path in FILES)
    assert {folder: number for folder, number in folders.items() if number > MOST_FILES} == {}
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in FILES}
    assert {name: number for name, number in lines.items() if number > MOST_LINES} == {}


def test_modules_are_named_after_what_they_hold() -> None:
    assert not {path.stem for path in FILES} & FORBIDDEN_NAMES


def test_nothing_names_a_machine_or_how_the_project_is_made() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    patterns = ["/wor" + "k/", "/ro" + "ot/", ".libr" + "ary", "farm-" + "bench", "farm-" + "studio"]
    for name in tracked:
        path = ROOT / name
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".jinja", ".sh", ""}:
            text = path.read_text(errors="ignore")
            assert not [p for p in patterns if p in text], name


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(' '.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(
    "script",
    [
        "mosi_ablation",
        "mosi_encoders",
        "mosi_missing",
        "mosi_objectives",
        "mosi_sensitivity",
        "mosi_factorial",
        "mosi_path",
        "mmmo_ablation",
        "pom_ablation",
        "youtube_ablation",
        "moud_ablation",
        "iemocap_ablation",
        "digits_ablation",
    ],
)
def test_help_and_plan_load_nothing_heavy(script: str) -> None:
    plan = f"from studies.{script} import SCRIPT; SCRIPT.main(['--plan', '--results', 'nowhere'])"
    assert not loaded_by(plan) & {"torch", "pandas", "ray", "matplotlib", "scipy.stats"}


def test_a_driver_that_sends_the_objective_to_workers_does_without_torch() -> None:
    assert "torch" not in loaded_by("import mfm.objective, studies.mosi_ablation")


def test_analysis_loads_neither_ray_nor_torch() -> None:
    assert not loaded_by("import analysis.reporting.report") & {"torch", "ray"}


def test_the_serial_runner_does_without_ray() -> None:
    assert not loaded_by(
        "import orchestrator.runners.run, orchestrator.command.study_command, orchestrator.runners.serial"
    ) & {"torch", "ray", "pandas"}


def test_nobody_inside_goes_through_the_public_door() -> None:
    for door in DOORS:
        names = {f"{door}.{name}" for name in importlib.import_module(door).__all__}
        for path in (ROOT / door).rglob("*.py"):
            assert not names & set(imports_of(path)), path


@pytest.mark.parametrize("package", DOORS)
def test_the_public_door_opens_and_loads_nothing_before_it_is_used(package: str) -> None:
    door = importlib.import_module(package)
    assert dir(door) == sorted(door.__all__, key=door.__all__.index)
    for name in door.__all__:
        assert inspect.getdoc(getattr(door, name)), name
    with pytest.raises(AttributeError, match="it has"):
        _ = door.nobody
    assert not loaded_by(f"import {package}") & {"optuna", "pandas", "ray", "torch", "matplotlib"}
    assert (ROOT / package / "py.typed").exists()
