"""Runs trials with Optuna, each a run of the toy study: storage begin|again arm:seed ..."""

import sys

import optuna
import toy
from optuna.storages.journal import JournalFileBackend

address, phase, *words = sys.argv[1:]
storage = address if address.startswith("sqlite:") else optuna.storages.JournalStorage(JournalFileBackend(address))
study = optuna.create_study(study_name="toy", storage=storage, load_if_exists=True)
study.set_metric_names(["test_loss"])
for arm, seed in toy.runs(words):
    study.enqueue_trial({"arm": arm, "seed": seed})


def objective(trial: optuna.Trial) -> float:
    """One run."""
    own, seed = trial.suggest_categorical("arm", toy.ARMS), trial.suggest_int("seed", 0, 99)
    trial.set_user_attr("valid_loss", toy.metrics(own, seed, toy.EPOCHS - 1)["valid_loss"])
    for epoch in range(toy.EPOCHS):
        trial.report(toy.metrics(own, seed, epoch)["valid_loss"], epoch)
        if epoch == 1 and (own, seed) == toy.KILLED:
            toy.die()
        if epoch == 1 and (own, seed) == toy.RESUMED and phase == "begin":
            toy.die()
        if epoch == 1 and (own, seed) == toy.RAISING:
            raise RuntimeError("no luck")
    return toy.metrics(own, seed, toy.EPOCHS - 1)["test_loss"]


study.optimize(objective, n_trials=len(words), catch=RuntimeError)
