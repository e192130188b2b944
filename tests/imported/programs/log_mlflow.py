"""Logs runs with MLflow: URI begin|again arm:seed ...."""

import sys

import mlflow
import toy

uri, phase, *words = sys.argv[1:]
is_again = phase == "again"
mlflow.set_tracking_uri(uri)
mlflow.set_experiment("toy")
for arm, seed in toy.runs(words):
    known = mlflow.search_runs(filter_string=f"params.arm = '{arm}' and params.seed = '{seed}'", output_format="list")
    with mlflow.start_run(**({"run_id": known[0].info.run_id} if is_again else {"run_name": f"{arm}-{seed}"})):
        mlflow.log_params({"arm": arm, "seed": seed, "lr": 1e-3})
        for epoch in range(1 if is_again else 0, toy.EPOCHS):
            mlflow.log_metrics(toy.metrics(arm, seed, epoch), step=epoch)
            if epoch == 1 and not is_again:
                if (arm, seed) in (toy.KILLED, toy.RESUMED):
                    toy.die()
                if (arm, seed) == toy.RAISING:
                    raise RuntimeError("no luck")
