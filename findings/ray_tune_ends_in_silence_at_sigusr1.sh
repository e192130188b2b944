#!/usr/bin/env bash
# Versions: ray[tune] 2.60.0, Python 3.11 to 3.13.
# Behaviour: SIGUSR1 (which Slurm sends before a time limit, --signal=USR1@60) ends Tuner.fit() as if all were done: it returns
#   without an exception, of 12 trials some have never started, and num_errors is 0. The program's own handler of SIGUSR1 is not
#   called, and is not given back afterwards; TUNE_DISABLE_SIGINT_HANDLER does not change it.
# Seen: "fit returned; errors 0; all 12 trials done False; own handler called False, given back False"
# One would guess that a handler that the program has set is left alone, or that fit() says that it was stopped. What helps:
#   set the handler again from a callback once fit() runs, and count the trials that are done.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "ray[tune]==2.60.0" 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/try.py" <<'PY'
import os, signal, sys, threading, time

import ray
from ray import tune

called = []


def train(config):
    time.sleep(2)
    tune.report({"loss": 1.0})


ray.init(address="local", num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
signal.signal(signal.SIGUSR1, handler := lambda number, frame: called.append(number))
threading.Timer(12, os.kill, (os.getpid(), signal.SIGUSR1)).start()
run = tune.RunConfig(storage_path=sys.argv[1], verbose=0)
results = tune.Tuner(train, tune_config=tune.TuneConfig(num_samples=12), run_config=run).fit()
done = sum(bool(r.metrics and "loss" in r.metrics) for r in results) == 12
back = signal.getsignal(signal.SIGUSR1) is handler
print(f"fit returned; errors {results.num_errors}; all 12 trials done {done}; own handler called {bool(called)}, given back {back}")
PY
export RAY_USAGE_STATS_ENABLED=0 TUNE_DISABLE_SIGINT_HANDLER=1
seen=$("$place/venv/bin/python" "$place/try.py" "$place/runs" 2>/dev/null | tail -n 1)
echo "$seen" && test "$seen" = "fit returned; errors 0; all 12 trials done False; own handler called False, given back False"
