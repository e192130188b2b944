"""Makes results folders like those of a real study, with a truth that is known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from analysis.results.distributions import Distribution, distribution

# Arm -> (pins, true change of the test error, in units of the metric).
MOSI_ARMS: Mapping[str, tuple[dict[str, Any], float]] = {
    "full": ({}, 0.0),
    "no_generative_factors": ({"generative_factors": "none"}, 0.060),
    "shared_generative_factor": ({"generative_factors": "shared"}, 0.030),
    "no_multimodal_factor": ({"multimodal_factor": "none"}, 0.090),
    "late_fusion": ({"multimodal_factor": "none", "decoders": "none"}, 0.110),
    "encoder_only": ({"multimodal_factor": "encoding", "decoders": "none"}, 0.015),
    "no_generative_loss": ({"generative_loss": False}, 0.010),
    "no_prior": ({"prior": "none"}, 0.0),
    "no_generative_factors_wide": ({"generative_factors": "none", "capacity": "matched"}, 0.045),
    "ef_lstm": ({"encoder": "ef_lstm"}, -0.040),
    "only_language": ({"use_acoustic": False}, 0.020),
    "only_acoustic": ({"use_language": False}, 0.430),
    "without_acoustic": ({"use_acoustic": False, "mask_padding": True}, 0.018),
}

MOSI_SPACE: Mapping[str, BaseDistribution] = {
    "lr": FloatDistribution(3e-4, 2e-2, log=True),
    "weight_decay": CategoricalDistribution([0.0, 1e-4, 1e-3]),
    "batch_size": CategoricalDistribution([16, 32, 64, 128]),
    "z_y": IntDistribution(8, 80, step=8),
    "f_y": IntDistribution(8, 128, log=True),
    "z_language": IntDistribution(16, 256, log=True),
    "z_acoustic": IntDistribution(8, 80, step=8),
    "hidden_language": IntDistribution(16, 128, log=True),
    "hidden_acoustic": IntDistribution(8, 64, log=True),
    "memory": IntDistribution(32, 256, log=True),
    "attention_width": IntDistribution(32, 256, log=True),
    "attention_dropout": FloatDistribution(0.0, 0.7),
    "dropout_y": FloatDistribution(0.0, 0.7),
    "dropout_label": FloatDistribution(0.0, 0.7),
    "weight_language": FloatDistribution(1e-3, 10.0, log=True),
    "weight_acoustic": FloatDistribution(1e-3, 10.0, log=True),
    "label_decoder": CategoricalDistribution(["mlp", "linear", "identity"]),
    "lr_schedule": CategoricalDistribution(["constant", "plateau"]),
    "patience": IntDistribution(2, 20),
    "inert": FloatDistribution(0.0, 1.0),
}
MOSI_CONDITIONS = {"patience": [["lr_schedule", ["plateau"]]]}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a made-up study consists of."""

    arms: Mapping[str, tuple[dict[str, Any], float]] = field(default_factory=lambda: MOSI_ARMS)
    space: Mapping[str, BaseDistribution] = field(default_factory=lambda: MOSI_SPACE)
    conditions: Mapping[str, Any] = field(default_factory=lambda: MOSI_CONDITIONS)
    trials: int = 40
    seeds: int = 10
    epochs: int = 30
    searches: int = 1
    splits: int = 1
    videos: int = 31
    num_items: int = 686
    seed_sd: float = 0.035
    prune: bool = True
    failed_trials: int = 1  # per arm
    failed_seeds: Mapping[str, Sequence[int]] = field(default_factory=dict)  # arm -> indices of failed confirm seeds
    classes: int = 0  # 0: a regression scored by its absolute error; else accuracy over so many classes
    parts: int = 3
    random: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)  # more keys of study.json
    recorded: Mapping[str, Any] = field(default_factory=dict)  # columns of every run: code_sha256, versions

    @property
    def metric(self) -> str:
        return "accuracy" if self.classes else "mae"

    @property
    def mode(self) -> str:
        return "max" if self.classes else "min"


TWO_ARMS: Mapping[str, tuple[dict[str, Any], float]] = {"full": ({}, 0.0), "no_prior": ({"prior": "none"}, 0.08)}
SMALL_SPACE = {param: MOSI_SPACE[param] for param in ("lr", "batch_size", "z_y", "lr_schedule", "patience", "inert")}
SMALL = Recipe(arms=TWO_ARMS, space=SMALL_SPACE, trials=30, num_items=200)


def searched(d: BaseDistribution) -> Distribution:
    """One of Optuna's distributions as the analysis reads it."""
    return distribution(distribution_to_json(d))


def write_results(folder: Path, recipe: Recipe) -> Path:
    """Writes a results folder and returns it."""
    rng = np.random.default_rng(recipe.random)
    search, search_epochs = _search(recipe, rng)
    confirm, confirm_epochs, items = _confirm(recipe, rng, search)
    frames = {
        "runs": pd.concat([search, confirm], ignore_index=True) if len(search) else confirm,
        "epochs": pd.concat([search_epochs, confirm_epochs], ignore_index=True),
        "items": items,
    }
    for name, frame in frames.items():
        write_table(folder / name, frame, schema=schema_of(name, recipe), parts=recipe.parts)
    (folder / "study.json").write_text(json.dumps(study_json(recipe, search)))
    return folder


def study_json(recipe: Recipe, search: pd.DataFrame) -> dict[str, Any]:
    """What the study declares of itself."""
    metrics = ("mae", "corr", "acc2") if not recipe.classes else ("accuracy",)
    modes = {f"{fold}_{m}": "min" if m == "mae" else "max" for fold in ("valid", "test") for m in metrics}
    return {
        "study": "planted",
        "title": "MFM on a planted set in the shape of CMU-MOSI",
        "reference_arm": next(iter(recipe.arms), "full"),
        "primary_metric": f"test_{recipe.metric}",
        "search_metric": f"valid_{recipe.metric}",
        "modes": modes,
        "smallest_effect": 0.01 if recipe.classes else 0.03,
        "arms": {arm: pins for arm, (pins, _) in recipe.arms.items()},
        "space": {param: distribution_to_json(d) for param, d in recipe.space.items()},
        "conditions": recipe.conditions,
        "chosen": {arm: _chosen(recipe, search, arm) for arm in recipe.arms},
        "trials": recipe.trials,
        "seeds": recipe.seeds,
        "epochs": recipe.epochs,
        "searches": recipe.searches,
        "about": {"group": "video"},
        "notes": ["The data is planted: what each component is worth was decided before, and is known."],
        **recipe.extra,
    }


def write_table(folder: Path, frame: pd.DataFrame, *, schema: pa.Schema, parts: int) -> None:
    """Writes a table as the ledger does: a first part without rows, then parts that are never replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = frame.reindex(columns=schema.names)
    pq.write_table(schema.empty_table(), folder / "part-000000.parquet")
    for number, chunk in enumerate(np.array_split(np.arange(len(frame)), parts), start=1):
        if len(chunk):
            table = pa.Table.from_pandas(frame.iloc[chunk], schema=schema, preserve_index=False)
            pq.write_table(table, folder / f"part-{number:06d}.parquet")


def schema_of(table: str, recipe: Recipe) -> pa.Schema:
    """The explicit schema of one table."""
    text, real, whole = pa.string(), pa.float64(), pa.int64()
    metrics = _metrics(recipe)
    match table:
        case "runs":
            fixed = {
                "run_id": text, "study": text, "arm": text, "phase": text, "search": whole, "config_id": text,
                "pack_id": text, "seed": whole, "split": whole, "retry": whole, "status": text, "error_kind": text,
                "error": text, "epochs": whole, "best_epoch": whole,
            }  # fmt: skip
            params = {f"param:{param}": _arrow(d) for param, d in recipe.space.items()}
            last = {
                "started_at": pa.timestamp("us", tz="UTC"), "ended_at": pa.timestamp("us", tz="UTC"),
                "train_seconds": real, "device": text, "host": text, "git_sha": text, "git_dirty": pa.bool_(),
                "code_sha256": text, "data_sha256": text, "versions": text, "reused_from": text,
                "schema_version": whole,
            }  # fmt: skip
            return pa.schema({**fixed, **params, **{f"metric:{m}": real for m in metrics}, **last})
        case "epochs":
            return pa.schema({"run_id": text, "epoch": whole, "train_loss": real, f"valid_{recipe.metric}": real})
        case _:
            fields = {"run_id": text, "item": text, "group": text, "target": text, "y": real, "prediction": real}
            return pa.schema(fields)


def _search(recipe: Recipe, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    parts = [
        _search_arm(recipe, rng, arm=arm, effect=effect, first=i * recipe.trials)
        for i, (arm, (_, effect)) in enumerate(recipe.arms.items())
        if recipe.trials
    ]
    if not parts:
        empty = pd.DataFrame({"run_id": pd.Series(dtype=str), "arm": pd.Series(dtype=str)})
        return empty, pd.DataFrame(columns=["run_id", "epoch", "train_loss", f"valid_{recipe.metric}"])
    return pd.concat([p[0] for p in parts], ignore_index=True), pd.concat([p[1] for p in parts], ignore_index=True)


def _search_arm(
    recipe: Recipe, rng: np.random.Generator, *, arm: str, effect: float, first: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    n = recipe.trials
    params = sample_params(recipe, rng, n)
    final = _landscape(recipe, params) + 0.7 * effect + rng.normal(0, 0.03, n)
    curves = _curves(recipe, rng, final)
    rung = max(1, recipe.epochs // 4)
    at_rung = curves[:, :rung].min(axis=1)
    pruned = (at_rung > np.quantile(at_rung, 0.5)) if recipe.prune else np.zeros(n, bool)
    failed = np.arange(n) >= n - recipe.failed_trials
    stop = np.where(failed, min(2, recipe.epochs), np.where(pruned, rung, recipe.epochs))
    status = np.where(failed, "failed", np.where(pruned, "pruned", "completed"))
    curves = np.where(np.arange(recipe.epochs) < stop[:, None], curves, np.nan)
    frame = _rows(recipe, arm=arm, phase="search", number=n, first=first, stop=stop, status=status)
    frame["search"] = np.arange(n) % recipe.searches
    frame["config_id"] = [f"{arm[:6]}-{i:04d}" for i in range(n)]
    frame = pd.concat([frame, params.add_prefix("param:")], axis=1)
    best = np.nanmin(curves, axis=1)
    frame["best_epoch"] = np.nanargmin(curves, axis=1)
    frame[f"metric:valid_{recipe.metric}"] = np.where(failed, np.nan, _oriented(recipe, best))
    return frame, _epoch_rows(recipe, frame["run_id"].to_numpy(), curves)


def sample_params(recipe: Recipe, rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Random configurations of the space; hyperparameters without a meaning are null."""
    frame = pd.DataFrame({param: _sample(d, rng, n) for param, d in recipe.space.items()})
    for param, parents in recipe.conditions.items():
        for parent, values in parents:
            if parent in frame:
                frame[param] = frame[param].where(frame[parent].isin(values))
    return frame


def _sample(d: BaseDistribution, rng: np.random.Generator, n: int) -> Any:
    if isinstance(d, CategoricalDistribution):
        return [d.choices[i] for i in rng.integers(0, len(d.choices), n)]
    assert isinstance(d, FloatDistribution | IntDistribution)
    values = np.exp(rng.uniform(np.log(d.low), np.log(d.high), n)) if d.log else rng.uniform(d.low, d.high, n)
    if isinstance(d, IntDistribution):
        return (d.low + np.round((values - d.low) / d.step) * d.step).astype(int)
    return values


def _landscape(recipe: Recipe, params: pd.DataFrame) -> np.ndarray:
    """The validation error that a configuration tends to: lr leads, then the width of z_y with the batch size."""
    error = np.full(len(params), 0.95)
    if "lr" in params:
        away = np.log(params["lr"].to_numpy(float)) - np.log(2e-3)
        error = error + 0.05 * away**2
    if "z_y" in params:
        error = error + 0.0009 * (48 - params["z_y"].to_numpy(float)).clip(0)
    if "batch_size" in params and "lr" in params:
        error = error + 0.03 * np.log2(params["batch_size"].to_numpy(float) / 32) * (
            params["lr"].to_numpy(float) < 2e-3
        )
    if "label_decoder" in params:
        error = error + 0.02 * (params["label_decoder"] == "identity").to_numpy()
    return error


def _curves(recipe: Recipe, rng: np.random.Generator, final: np.ndarray) -> np.ndarray:
    """Validation error by epoch, [run, epoch]."""
    epochs = np.arange(recipe.epochs)
    rate = rng.uniform(0.12, 0.3, len(final))[:, None]
    fall = 0.5 * np.exp(-rate * epochs)
    rise = 0.002 * np.maximum(0, epochs - 0.6 * recipe.epochs)
    return final[:, None] + fall + rise + rng.normal(0, 0.012, (len(final), recipe.epochs))


def _confirm(
    recipe: Recipe, rng: np.random.Generator, search: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    truth = _Truth(recipe, rng)
    runs, epochs, items = [], [], []
    for i, (arm, (_, effect)) in enumerate(recipe.arms.items()):
        if not recipe.seeds:
            break
        n, first = recipe.seeds, len(recipe.arms) * recipe.trials + i * recipe.seeds
        failed = np.isin(np.arange(n), list(recipe.failed_seeds.get(arm, ())))
        stop = np.where(failed, min(3, recipe.epochs), recipe.epochs)
        frame = _rows(
            recipe, arm=arm, phase="confirm", number=n, first=first, stop=stop,
            status=np.where(failed, "failed", "completed"),
        )  # fmt: skip
        frame["search"] = np.arange(n) % recipe.searches
        frame["split"] = np.arange(n) % recipe.splits
        frame["seed"] = 1000 + np.arange(n)
        chosen = _chosen(recipe, search, arm)
        ids = [chosen] if isinstance(chosen, str) else chosen
        frame["config_id"] = [ids[s] for s in frame["search"]]
        params = [c for c in search.columns if str(c).startswith("param:")]
        if params:
            known = search[search["arm"] == arm].set_index("config_id")[params]
            frame = frame.join(known, on="config_id")
        curves = _curves(recipe, rng, 0.93 + 0.7 * effect + rng.normal(0, 0.02, n))
        curves = np.where(np.arange(recipe.epochs) < stop[:, None], curves, np.nan)
        frame["best_epoch"] = np.nanargmin(curves, axis=1)
        best = _oriented(recipe, np.nanmin(curves, axis=1))
        frame[f"metric:valid_{recipe.metric}"] = np.where(failed, np.nan, best)
        scores, predicted = truth.predictions(rng, effect, frame["run_id"].to_numpy(), failed)
        for metric, values in scores.items():
            frame[f"metric:test_{metric}"] = np.where(failed, np.nan, values)
        runs.append(frame)
        epochs.append(_epoch_rows(recipe, frame["run_id"].to_numpy(), curves))
        items.append(predicted)
    if not runs:
        columns = {name: pd.Series(dtype=object) for name in ("run_id", "arm")}
        return pd.DataFrame(columns), pd.DataFrame(columns=["run_id", "epoch"]), pd.DataFrame(columns=["run_id"])
    return tuple(pd.concat(parts, ignore_index=True) for parts in (runs, epochs, items))  # type: ignore[return-value]


class _Truth:
    """Test items in videos, and what a model of a given quality predicts for them."""

    def __init__(self, recipe: Recipe, rng: np.random.Generator) -> None:
        n = recipe.num_items
        self.recipe = recipe
        self.video = np.sort(rng.integers(0, recipe.videos, n))
        if recipe.classes:
            self.y = rng.integers(0, recipe.classes, n).astype(float)
        else:
            mood = rng.normal(0, 1.2, recipe.videos)
            self.y = np.round(np.clip(mood[self.video] + rng.normal(0, 1.1, n), -3, 3), 1)
        self.hard = rng.normal(0, 1, n)  # errors that every model makes
        self.taste = rng.normal(0, 1, (8, recipe.videos))  # by which an effect differs between videos

    def predictions(
        self, rng: np.random.Generator, effect: float, run_ids: np.ndarray, failed: np.ndarray
    ) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
        S, n = len(run_ids), self.recipe.num_items
        if self.recipe.classes:
            right = rng.random((S, n)) < 0.8 - effect + rng.normal(0, self.recipe.seed_sd / 3, (S, 1))
            guess = np.where(right, self.y, (self.y + 1) % self.recipe.classes)
            scores = {"accuracy": (guess == self.y).mean(axis=1)}
        else:
            error = self.hard + 0.6 * rng.normal(0, 1, (S, n))
            error /= np.abs(error).mean(axis=1, keepdims=True)
            taste = 1 + effect * self.taste[rng.integers(0, 8)][self.video]
            level = 0.97 + effect + rng.normal(0, self.recipe.seed_sd, (S, 1))
            guess = self.y + error * level * taste
            scores = {
                "mae": np.abs(guess - self.y).mean(axis=1),
                "corr": np.array([np.corrcoef(g, self.y)[0, 1] for g in guess]),
                "acc2": ((guess >= 0) == (self.y >= 0)).mean(axis=1),
            }
        done = np.flatnonzero(~failed)
        frame = pd.DataFrame(
            {
                "run_id": np.repeat(run_ids[done], n),
                "item": np.tile([f"i{i:04d}" for i in range(n)], len(done)),
                "group": np.tile([f"video{v:02d}" for v in self.video], len(done)),
                "target": "sentiment",
                "y": np.tile(self.y, len(done)),
                "prediction": guess[done].ravel(),
            }
        )
        return scores, frame


def _rows(
    recipe: Recipe, *, arm: str, phase: str, number: int, first: int, stop: np.ndarray, status: np.ndarray
) -> pd.DataFrame:
    start = pd.Timestamp("2025-03-01T08:00:00Z") + pd.to_timedelta(20 * (first + np.arange(number)), unit="s")
    failed = status == "failed"
    return pd.DataFrame(
        {
            "run_id": [f"{phase[0]}{first + i:08d}" for i in range(number)],
            "study": "planted", "arm": arm, "phase": phase, "search": 0, "config_id": "",
            "pack_id": [f"p{(first + i) // 8}" for i in range(number)],
            "seed": 0, "split": 0, "retry": 0, "status": status,
            "error_kind": np.where(failed, "not_finite", None),
            "error": np.where(failed, "the loss must be finite; got nan at epoch 2", None),
            "epochs": stop, "best_epoch": 0, "started_at": start, "ended_at": start + pd.Timedelta(15, unit="s"),
            "train_seconds": 0.5 * stop, "device": "cpu", "host": "node-1", "git_sha": "0" * 40, "git_dirty": False,
            "code_sha256": "c" * 64, "data_sha256": "d" * 64,
            "versions": json.dumps({"python": "3.12.4", "torch": "2.11.0", "optuna": "5.0.0", "ray": "2.60.0"}),
            "reused_from": None, "schema_version": 1,
        }
    ).assign(**recipe.recorded)  # fmt: skip


def _epoch_rows(recipe: Recipe, run_ids: np.ndarray, curves: np.ndarray) -> pd.DataFrame:
    R, E = curves.shape
    flat = curves.ravel()
    frame = pd.DataFrame(
        {
            "run_id": np.repeat(run_ids, E),
            "epoch": np.tile(np.arange(E), R),
            "train_loss": 1.3 * flat - 0.2,
            f"valid_{recipe.metric}": _oriented(recipe, flat),
        }
    )
    return frame[np.isfinite(flat)]


def _oriented(recipe: Recipe, error: np.ndarray) -> np.ndarray:
    return 1.6 - error if recipe.classes else error


def _chosen(recipe: Recipe, search: pd.DataFrame, arm: str) -> str | list[str]:
    """The best completed configuration of each of the arm's searches; without a search, the default."""
    if not recipe.trials:
        return f"{arm[:6]}-base"
    done = search[(search["arm"] == arm) & (search["status"] == "completed")]
    best = done.sort_values(f"metric:valid_{recipe.metric}", ascending=recipe.mode == "min")
    ids = [str(best[best["search"] == s]["config_id"].iloc[0]) for s in range(recipe.searches)]
    return ids if recipe.searches > 1 else ids[0]


def _metrics(recipe: Recipe) -> list[str]:
    test = ["test_accuracy"] if recipe.classes else ["test_mae", "test_corr", "test_acc2"]
    return [f"valid_{recipe.metric}", *test]


def _arrow(d: BaseDistribution) -> pa.DataType:
    if isinstance(d, IntDistribution):
        return pa.int64()
    if isinstance(d, CategoricalDistribution):
        return pa.array(list(d.choices)).type
    return pa.float64()
