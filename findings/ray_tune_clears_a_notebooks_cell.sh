#!/usr/bin/env bash
# Versions: ray 2.60.0, nbclient 0.11.0, ipykernel 7.4.0, Python 3.11 to 3.13.
# Behaviour: In a notebook, a Tuner with verbose=0 clears what its cell has printed so far, and shows a status of its own in its place.
# Seen: "before: gone, after: there, status shown: True"; with a ProgressReporter that reports nothing "before: there, after: there, ..."
# One would guess that verbose=0 shows nothing and leaves the cell alone. What helps: RunConfig(progress_reporter=...) with an empty one,
#   in notebooks alone, for elsewhere Tune warns of it.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "ray[tune]==2.60.0" nbclient==0.11.0 ipykernel==7.4.0 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/try.py" <<'PY'
import nbclient
import nbformat
from nbformat.v4 import new_code_cell, new_notebook

FIT = """
import ray, tempfile
from ray import tune
from ray.tune.progress_reporter import ProgressReporter
class Silent(ProgressReporter):
    def should_report(self, trials, done=False): return False
    def report(self, trials, done, *info): pass
print("first words")
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error", ignore_reinit_error=True)
def train(config): tune.report({"loss": 1.0})
with tempfile.TemporaryDirectory() as folder:
    tune.Tuner(train, run_config=tune.RunConfig(storage_path=folder, verbose=0, progress_reporter=REPORTER)).fit()
print("last words")
"""
for reporter in ("None", "Silent()"):
    notebook = new_notebook(cells=[new_code_cell(FIT.replace("REPORTER", reporter))])
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    said = "".join(o.get("text", "") for o in notebook.cells[0].outputs)
    status = any("text/html" in o.get("data", {}) for o in notebook.cells[0].outputs)
    print(*(f"{when}: {'there' if word in said else 'gone'}," for when, word in (("before", "first words"), ("after", "last words"))), f"status shown: {status}")
PY
seen=$(cd "$place" && PATH="$place/venv/bin:$PATH" "$place/venv/bin/python" -W ignore try.py 2>/dev/null)
echo "$seen" && test "$seen" = $'before: gone, after: there, status shown: True\nbefore: there, after: there, status shown: False'
