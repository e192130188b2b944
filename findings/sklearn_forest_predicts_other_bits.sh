#!/usr/bin/env bash
# Versions: scikit-learn 1.9.1, numpy 2.4.6, Python 3.11 to 3.13; a machine of at least 2 cores.
# Behaviour: one fitted random forest regressor with a fixed random_state and n_jobs=4 predicts the same items 50 times. The
#   predictions differ in their last bits from call to call: threads add their trees to one sum in whatever order they end.
# Seen: "different predictions in 50 calls: n_jobs=1 1, n_jobs=4 more than 1; largest difference below 1e-12: True"
# One would guess that random_state fixes predict(), where nothing is drawn. A check "same seed, same bits" fails, a tie in a
#   ranking may turn. What helps: n_jobs=1 for predict(), or a tolerance.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/try.py" <<'PY'
import numpy as np
from sklearn.ensemble import RandomForestRegressor

rng = np.random.default_rng(0)
x = rng.standard_normal((300, 8))
forest = RandomForestRegressor(n_estimators=200, random_state=0).fit(x, x[:, 0] + rng.standard_normal(300))


def predictions(jobs):
    return [forest.set_params(n_jobs=jobs).predict(x) for _ in range(50)]


one, four = predictions(1), predictions(4)
numbers = [len({p.tobytes() for p in each}) for each in (one, four)]
close = max(np.abs(p - one[0]).max() for p in four) < 1e-12
many = "more than 1" if numbers[1] > 1 else numbers[1]
print(f"different predictions in 50 calls: n_jobs=1 {numbers[0]}, n_jobs=4 {many}; largest difference below 1e-12: {close}")
PY
seen=$("$place/venv/bin/python" "$place/try.py")
echo "$seen"
test "$seen" = "different predictions in 50 calls: n_jobs=1 1, n_jobs=4 more than 1; largest difference below 1e-12: True"
