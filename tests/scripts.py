"""Calls a study script, as a user does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "analysis" / "schemas" / "study-3.json"

TINY = (
    "--trials",
    "3",
    "--seeds",
    "3",
    "--epochs",
    "2",
    "--rerank",
    "0",
    "--no-frozen",
    "--arms",
    "no_prior",
    "--serial",
)


def call(script: str, *arguments: str, cwd: Path = ROOT, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "studies" / f"{script}.py"), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout)
    if "--results" in arguments:
        check_declaration(cwd / arguments[arguments.index("--results") + 1] / "study.json")
    return done


def check_declaration(path: Path) -> None:
    """Every study.json keeps the schema that is published."""
    if path.exists():
        jsonschema.validate(json.loads(path.read_text()), json.loads(SCHEMA.read_text()))
