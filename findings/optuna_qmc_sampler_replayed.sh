#!/usr/bin/env bash
# Versions: optuna 5.0.0, scipy 1.17.1, Python 3.11 to 3.13.
# Behaviour: a study is rebuilt from its finished trials (`add_trial(create_trial(...))`, system_attrs included), with the same
#   seed. A quasi-random sampler (QMC) then suggests again what it had suggested before: its place in the sequence is an
#   attribute of the study, and not of its trials. (The first trial of a study is drawn at random: 8 trials have 5 values.)
# Seen: "8 trials of 5 values; with the study's attributes: 8 values"
# One would guess that the place follows from the number of trials. What helps: copy the study's system attributes, too.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0 scipy==1.17.1 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/try.py" <<'PY'
import warnings

import optuna
from optuna.trial import create_trial

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
first, again, whole = (optuna.create_study(sampler=optuna.samplers.QMCSampler(scramble=True, seed=1)) for _ in range(3))
first.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=4)
for name, value in first._storage.get_study_system_attrs(first._study_id).items():
    whole._storage.set_study_system_attr(whole._study_id, name, value)
for study in (again, whole):
    for t in first.trials:
        kept = dict(params=t.params, distributions=t.distributions, value=t.value, system_attrs=t.system_attrs)
        study.add_trial(create_trial(**kept))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=4)
values = [len({t.params["x"] for t in study.trials}) for study in (again, whole)]
print(f"{len(again.trials)} trials of {values[0]} values; with the study's attributes: {values[1]} values")
PY
seen=$("$place/venv/bin/python" "$place/try.py")
echo "$seen"
test "$seen" = "8 trials of 5 values; with the study's attributes: 8 values"
