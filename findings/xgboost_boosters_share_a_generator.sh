#!/usr/bin/env bash
# Versions: xgboost-cpu 3.2.0, numpy 2.x, Python 3.11 to 3.13.
# Behaviour: Boosters that are updated in turn in one thread draw rows (subsample) from one generator: each has a seed of its own, and
#   still the trees of one depend on what was trained beside it. In a thread of its own a booster is what it is alone.
# Seen: "alone twice alike True, in turn with another alike False, in a thread beside another alike True"
# One would guess that a booster with its own seed does not depend on its neighbours. What helps: a thread or process each.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check xgboost-cpu==3.2.0 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/try.py" <<'PY'
import threading
import numpy as np
import xgboost as xgb

rng = np.random.default_rng(0)
X = rng.standard_normal((300, 5))
data = xgb.DMatrix(X, label=X[:, 0] + rng.standard_normal(300))
def booster(seed):
    return xgb.Booster({"subsample": 0.7, "max_depth": 3, "seed": seed, "nthread": 1}, [data])

def trained(*others):
    one = booster(1)
    for number in range(4):
        for each in (one, *others):
            each.update(data, number)
    return one.predict(data)

alone, again, in_turn, kept = trained(), trained(), trained(booster(2)), []
thread = threading.Thread(target=lambda: kept.append(trained()))
thread.start()
thread.join()
same = [bool(np.array_equal(alone, other)) for other in (again, in_turn, kept[0])]
print("alone twice alike {}, in turn with another alike {}, in a thread beside another alike {}".format(*same))
PY
seen=$("$place/venv/bin/python" -W ignore "$place/try.py")
echo "$seen" && test "$seen" = "alone twice alike True, in turn with another alike False, in a thread beside another alike True"
