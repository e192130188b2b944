#!/usr/bin/env bash
# Versions: mlflow-skinny 3.17.2 with SQLAlchemy 2.1.9 and alembic 1.20.1, Python 3.11 to 3.13.
# Behaviour: the status of a run is what its context manager saw. A run begun without `with` whose program raises is FINISHED; a
#   run whose program ends itself by sys.exit(0) inside of `with` is FAILED. A search for FINISHED runs has the one, not the other.
# Seen: "raised without with: FINISHED; sys.exit(0) inside with: FAILED"
# One would guess that an exception makes FAILED and exit code 0 FINISHED. What helps: read the last step of each run, too.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "mlflow-skinny==3.17.2" "sqlalchemy==2.1.9" "alembic==1.20.1" \
    2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/raises.py" <<'PY'
import mlflow

mlflow.start_run(run_name="raises")
mlflow.log_metric("loss", 1.0, step=0)
raise RuntimeError("no luck")
PY
cat >"$place/exits.py" <<'PY'
import sys

import mlflow

with mlflow.start_run(run_name="exits"):
    mlflow.log_metric("loss", 1.0, step=0)
    sys.exit(0)
PY
cd "$place"
export MLFLOW_TRACKING_URI="sqlite:///$place/mlflow.db"
venv/bin/python raises.py >log 2>&1 || true
venv/bin/python exits.py >>log 2>&1
status() { venv/bin/python -c "import sqlite3; print(sqlite3.connect('mlflow.db').execute(\"select status from runs where name = '$1'\").fetchone()[0])"; }
seen="raised without with: $(status raises); sys.exit(0) inside with: $(status exits)"
echo "$seen"
test "$seen" = "raised without with: FINISHED; sys.exit(0) inside with: FAILED"
