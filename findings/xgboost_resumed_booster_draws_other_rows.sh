#!/usr/bin/env bash
# Versions: xgboost-cpu 3.2.0, numpy 2.x, Python 3.11 to 3.13.
# Behaviour: A booster that draws rows (subsample) and is saved after 2 of 4 rounds, loaded and trained on is not the booster of 4
#   rounds; xgboost.train(..., xgb_model=...) neither, and seed_per_iteration=True, whose seed depends on the round, changes nothing.
# Seen: "all rows: same; drawn rows: other; with seed_per_iteration: other; drawn rows, whole twice: same"
# One would guess that seed_per_iteration makes a resumed run equal one without a break. What helps: train without a break, or count the
#   break as part of the configuration.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check xgboost-cpu==3.2.0 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/try.py" <<'PY'
import numpy as np
import xgboost as xgb

rng = np.random.default_rng(0)
X = rng.standard_normal((300, 5))
data = xgb.DMatrix(X, label=X[:, 0] + rng.standard_normal(300))

def compared(again=False, **more):
    params = {"max_depth": 3, "seed": 1, "nthread": 1, **more}
    whole = xgb.train(params, data, 4)
    other = xgb.train(params, data, 4) if again else xgb.train(params, data, 2, xgb_model=xgb.train(params, data, 2))
    return "same" if np.array_equal(whole.predict(data), other.predict(data)) else "other"

drawn = {"subsample": 0.7}
print(f"all rows: {compared()}; drawn rows: {compared(**drawn)}; with seed_per_iteration: "
      f"{compared(**drawn, seed_per_iteration=True)}; drawn rows, whole twice: {compared(again=True, **drawn)}")
PY
seen=$("$place/venv/bin/python" -W ignore "$place/try.py")
echo "$seen" && test "$seen" = "all rows: same; drawn rows: other; with seed_per_iteration: other; drawn rows, whole twice: same"
