#!/usr/bin/env bash
# Versions: ray 2.60.0, Python 3.11 to 3.13.
# Behaviour: a program sets a handler of SIGTERM, starts a Ray of its own and shuts it down again. Its handler is gone, and
#   Python's signal.getsignal() names a function of Ray, which is not called either: SIGTERM ends the process at once, for
#   ray.shutdown() has set the system's default underneath.
# Seen: "before: handled, exit 0; after: getsignal gives a function, ended by SIGTERM"
# One would guess that the handler is as it was, or that what getsignal names is called. What helps: keep the handler before
#   ray.init(), and set it again with signal.signal() after ray.shutdown().
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
    print(f"getsignal gives {getattr(signal.getsignal(signal.SIGTERM), 'name', 'a function')},", end=" ", flush=True)
os.kill(os.getpid(), signal.SIGTERM)
PY
export RAY_USAGE_STATS_ENABLED=0
before=$("$place/venv/bin/python" "$place/try.py" before 2>/dev/null && echo "exit 0")
after=$("$place/venv/bin/python" "$place/try.py" after 2>/dev/null || test $? = 143 && echo "ended by SIGTERM")
seen="before: $before; after: $(echo "$after" | tail -n 1)"
echo "$seen"
test "$seen" = "before: handled, exit 0; after: getsignal gives a function, ended by SIGTERM"
