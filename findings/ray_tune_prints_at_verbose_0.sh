#!/usr/bin/env bash
# Versions: ray[tune] 2.60.0, Python 3.11 to 3.13.
# Behaviour: RunConfig(verbose=0) with the classic output (RAY_AIR_NEW_OUTPUT=0). A trial that ends without a result (its
#   trainable is stopped by a stopper before the first one) prints a line to standard output all the same, while trials that
#   reported print nothing. A program whose own output is read by others (JSON lines, a live table) finds it in between.
# Seen: "trials that reported: 0; trials without a result: 1"
# One would guess that 0 is silent for all. What helps: a callback derived from TrialProgressCallback that does nothing takes
#   the place of the default one.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "ray[tune]==2.60.0" 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/try.py" <<'PY'
import sys

from ray import tune

reports, storage = sys.argv[1] == "reports", sys.argv[2]


def trainable(config):
    if reports:
        tune.report({"loss": 1.0})


tune.Tuner(trainable, run_config=tune.RunConfig(storage_path=storage, verbose=0)).fit()
PY
lines() {
    RAY_AIR_NEW_OUTPUT=0 "$place/venv/bin/python" "$place/try.py" "$1" "$place/$1" 2>/dev/null | grep -c '^Trial ' || true
}
seen="trials that reported: $(lines reports); trials without a result: $(lines nothing)"
echo "$seen"
test "$seen" = "trials that reported: 0; trials without a result: 1"
