"""`python -m analysis RESULTS`: verdicts, figures and a page, from a study's folder or from runs made elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from analysis.command import certify_command, compare_command, judge_command, report_command

WRONG = 2
COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "certify": certify_command.run,
    "compare": compare_command.run,
    "judge": judge_command.run,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 done, 1 what --fail-on names, 2 bad input (one line on stderr)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] and words[0] in COMMANDS:
            return COMMANDS[words[0]](words[1:])
        return report_command.run(words)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return WRONG
