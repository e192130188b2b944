"""The command `studies NAME ...`: the studies of this package, from any folder."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

WRONG = 2
NEEDED = "error: to run studies takes more than is installed here ({}): pip install 'mfm-studies[study]'\n"


def names() -> list[str]:
    """The studies."""
    return sorted(path.stem for path in Path(__file__).parent.parent.glob("*.py") if not path.stem.startswith("_"))


def main() -> int:
    """Runs the study that the first word names, with the words after it; returns the exit code of bad usage."""
    name, *words = sys.argv[1:] or [""]
    if name not in names():
        is_help = name in ("-h", "--help")
        told = f"usage: studies NAME [--help]\nNAME is one of: {', '.join(names())}\n"
        (sys.stdout if is_help else sys.stderr).write(told if is_help else f"error: a study must be named\n{told}")
        return 0 if is_help else WRONG
    sys.argv = [f"{name}.py", *words]
    try:
        runpy.run_module(f"studies.{name}", run_name="__main__", alter_sys=True)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] in ("studies", "mfm", "orchestrator", "analysis"):
            raise
        sys.stderr.write(NEEDED.format(f"{error.name} is missing"))
        return WRONG
    return 0
