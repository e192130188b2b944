#!/usr/bin/env bash
# Versions: optuna 5.0.0, Python 3.11 to 3.13.
# Behaviour: HyperbandPruner draws the bracket of a trial from a hash of the study's name and the trial's number. The same seeds,
#   trials and reports are pruned differently in a study of another name; a study in memory without a name has a random one.
# Seen: "same name alike True, other names alike False, 5 calls without a name alike False"
# One would guess that a seeded sampler and a pruner without randomness of its own repeat a search. What helps: name the study.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/try.py" <<'PY'
import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)

def pruned(name):
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3)
    study = optuna.create_study(study_name=name, pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=0))
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        for epoch in range(1, 10):
            trial.report(x + 1 / epoch, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return x
    study.optimize(objective, n_trials=30)
    return [(one.params["x"], one.state.name, len(one.intermediate_values)) for one in study.trials]

same, other = pruned("a") == pruned("a"), pruned("a") == pruned("b")
unnamed = len({str(pruned(None)) for _ in range(5)}) == 1
print(f"same name alike {same}, other names alike {other}, 5 calls without a name alike {unnamed}")
PY
seen=$("$place/venv/bin/python" -W ignore "$place/try.py")
echo "$seen"
test "$seen" = "same name alike True, other names alike False, 5 calls without a name alike False"
