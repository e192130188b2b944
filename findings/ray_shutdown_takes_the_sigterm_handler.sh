#!/usr/bin/env bash
# Versions: ray 2.60.0, Python 3.11 to 3.13.
# Behaviour: a program sets a handler of SIGTERM, starts a Ray of its own and shuts it down again. Python still names the
#   program's handler, but SIGTERM now ends the process at once: ray.shutdown() has set the system's default underneath.
# Seen: "before: handled, exit 0; after: getsignal is ours True, ended by SIGTERM"
# One would guess that the handler is as it was, or that getsignal tells. What helps: signal.signal() with the old handler once
#   more after ray.shutdown(), though it seems to be in place.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/try.py" <<'PY'
import os
import signal
import sys


def handler(number, frame):
    print("handled,", end=" ", flush=True)


signal.signal(signal.SIGTERM, handler)
if sys.argv[1] == "after":
    import ray

    ray.init(address="local", num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    ray.shutdown()
    print(f"getsignal is ours {signal.getsignal(signal.SIGTERM) is handler},", end=" ", flush=True)
os.kill(os.getpid(), signal.SIGTERM)
PY
export RAY_USAGE_STATS_ENABLED=0
before=$("$place/venv/bin/python" "$place/try.py" before 2>/dev/null && echo "exit 0")
after=$("$place/venv/bin/python" "$place/try.py" after 2>/dev/null || test $? = 143 && echo "ended by SIGTERM")
seen="before: $before; after: $(echo "$after" | tail -n 1)"
echo "$seen"
test "$seen" = "before: handled, exit 0; after: getsignal is ours True, ended by SIGTERM"
