#!/usr/bin/env bash
# Versions: optuna 5.0.0, Python 3.11 to 3.13.
# Behaviour: `study.ask` and `study.tell` with GridSampler or BruteForceSampler. The tell that brings the last combination raises
#   a RuntimeError (`Study.stop` is supposed to be invoked inside an objective ...), and so does every later one, although each
#   trial was stored, COMPLETE and with its value.
# Seen: "returns raises raises, stored 3", for both samplers
# One would guess that tell returns: whoever takes the error for a failed tell counts a stored trial as lost. What helps: catch it.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/try.py" <<'PY'
import optuna
from optuna.samplers import BruteForceSampler, GridSampler

optuna.logging.set_verbosity(optuna.logging.ERROR)
for sampler in (GridSampler({"kind": ["a", "b"]}, seed=0), BruteForceSampler(seed=0)):
    study, told = optuna.create_study(sampler=sampler), []
    for _ in range(3):
        trial = study.ask()
        trial.suggest_categorical("kind", ["a", "b"])
        try:
            study.tell(trial, 1.0)
            told.append("returns")
        except RuntimeError as error:
            told.append("raises" if "Study.stop" in str(error) else str(error))
    stored = sum(one.state.name == "COMPLETE" and one.value == 1.0 for one in study.trials)
    print(" ".join(told) + f", stored {stored}")
PY
seen=$("$place/venv/bin/python" -W ignore "$place/try.py")
echo "$seen"
test "$seen" = "returns raises raises, stored 3
returns raises raises, stored 3"
