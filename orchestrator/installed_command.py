"""The command `orchestrator`: `python -m orchestrator`, with one clear line where only the analysis is installed."""

import sys
from importlib import import_module


def main() -> int:
    """Returns the exit code."""
    try:
        command = import_module("orchestrator.__main__")
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] == "orchestrator":
            raise
        sys.stderr.write(
            f"error: to run studies takes more than is installed here ({error.name} is missing): "
            "pip install 'mfm-studies[study]'\n"
        )
        return 2
    return command.main()
