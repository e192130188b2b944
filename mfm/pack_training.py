"""A pack in training: runs whose tensors have the same shapes, with the members' axis in front.

Shapes: K members, P parameters of one member, M metrics.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mfm.data.dataset import FOLDS, Dataset
from mfm.evaluation import factor_probes, interpretation, robustness
from mfm.evaluation import scores as evaluate
from mfm.evaluation.metrics import epoch_modes
from mfm.inputs.batch import Batch
from mfm.inputs.batch_loader import Feed, Rows
from mfm.inputs.input_shape import Shape
from mfm.inputs.missing_modalities import hidden_at_random
from mfm.layers.linear import initialise
from mfm.layers.random_streams import Fresh, Noise, permutation
from mfm.learning import closed_form_probe
from mfm.learning.allocator import keep_freed_memory
from mfm.learning.auxiliary_training import Lesson
from mfm.learning.losses import total_loss
from mfm.learning.optimiser import Adam, Best, Plateau, bind, flat_gradient
from mfm.model.matched_capacity import matched
from mfm.model.mfm import MFM, num_parameters
from mfm.params.conditions import term_weights, together
from mfm.params.config import Config
from mfm.params.training_stage import Stage, stage_of

# Arrays with the members' axis in front, the epoch, and the members' names.
State = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """One run of a pack."""

    name: str
    config: Config
    seed: int
    # Fold of every item ("train", "valid", "test"), (N,).
    fold: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Task:
    """How long to train, what to keep, and what to look at."""

    epochs: int
    # The validation metric whose best epoch is kept, and whether "min" or "max" is better; ties: the earlier epoch.
    metric: str
    mode: str
    # Whether the test items are scored at the end, and predictions and weights returned.
    test: bool
    # Whether they are scored with missing and noisy modalities, too (mfm.evaluation.robustness).
    robustness: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What a run leaves behind.

    >>> dataset, _ = planted(Plan(num_items={"train": 60, "valid": 20, "test": 20}), seed=0)
    >>> train(dataset, {"encoder": "ef_lstm"}, epochs=1).items["prediction"].shape
    (20,)
    """

    best_epoch: int
    metrics: Mapping[str, float]  # of the best epoch
    items: Mapping[str, np.ndarray] | None  # test predictions, one row per item and target
    weights: Mapping[str, np.ndarray] | None  # of the best epoch, by parameter name, without the members' axis
    evaluations: Mapping[str, np.ndarray] | None = (
        None  # one row a number: mfm.evaluation.interpretation, mfm.evaluation.robustness
    )


class Pack:
    """Members in training. What changes lies in `rows`; the rest follows from who the members are."""

    def __init__(self, dataset: Dataset, members: Sequence[Member], *, task: Task, device: torch.device) -> None:
        keep_freed_memory()
        self.members = members
        self.epoch = 0
        self._dataset, self._task, self._device = dataset, task, device
        self._metric_names = list(epoch_modes(dataset.task, dataset.modality_names))
        config = together([m.config for m in members])
        self._shape = shape = Shape.of(dataset, config.used)
        self._config = matched(config, shape)
        self._folds = {fold: [np.flatnonzero(m.fold == fold) for m in members] for fold in FOLDS}
        self._feed = Feed(dataset, config.used, self._folds["train"], mask_padding=config.mask_padding, device=device)
        self._hyper = _hyper([m.config for m in members], device)
        drops = {name: rate_K for name, rate_K in self._hyper.items() if "dropout" in name and rate_K.any()}
        self._rates = drops | {"latent_noise": self._hyper["latent_noise"]}
        with torch.device("meta"):
            self._model = MFM(len(members), self._config, shape)
        theta_KP = torch.empty(len(members), num_parameters(self._config, shape), device=device)
        self._parameters = bind(self._model, theta_KP)
        self._gradient = torch.empty_like(theta_KP)
        initialise(self._model, [m.seed for m in members])
        self._adam = Adam(theta_KP, self._hyper)
        self._plateau = Plateau(theta_KP, enabled=config.lr_schedule == "plateau")
        self._best = Best(theta_KP, num_metrics=len(self._metric_names))

    @property
    def rows(self) -> dict[str, Tensor]:
        """Every tensor that changes while training, members in front."""
        return {**self._adam.rows, **self._plateau.rows, **self._best.rows}

    def state(self) -> State:
        """A copy of all that training needs to go on."""
        arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in self.rows.items()}
        return {"epoch": self.epoch, "members": [m.name for m in self.members], **arrays}

    def restored(self, state: State) -> Pack:
        """The pack of the members that `state` names, as it was."""
        names = state["members"]
        assert isinstance(names, list)
        pack = Pack(self._dataset, [m for m in self.members if m.name in names], task=self._task, device=self._device)
        pack.epoch = int(state["epoch"])  # type: ignore[arg-type]
        for name, tensor in pack.rows.items():
            tensor.copy_(torch.from_numpy(np.array(state[name])))
        return pack

    def train_epoch(self) -> dict[str, dict[str, float]]:
        """One pass over the training items and one over the validation items."""
        self.epoch += 1
        stage = self._stage(self.epoch)
        if stage == "label" and self._stage(self.epoch - 1) != "label":
            self._adam.reset()
            self._plateau.reset()
        loss_K = self._pass_over_training_items(stage)
        if stage == "generative":
            closed_form_probe.fit(self._model, self._feed, self._folds["train"])
        rows = self._folds["valid"]
        scores = evaluate.scores(self._dataset, evaluate.predict(self._model, self._feed, rows), rows)
        metrics = [
            {"train_loss": float(loss)} | {f"valid_{name}": value for name, value in own.items()}
            for loss, own in zip(loss_K, scores, strict=True)
        ]
        self._take_note(metrics)
        return {m.name: own for m, own in zip(self.members, metrics, strict=True)}

    def _stage(self, epoch: int) -> Stage:
        return stage_of(self._config, epoch=epoch, epochs=self._task.epochs)

    def _frozen(self, stage: Stage) -> Tensor | None:
        """Which parameters a stage leaves as they are (P,); None: none."""
        if stage == "joint":
            return None
        names = [(name, p[0].numel()) for name, p in self._model.named_parameters()]
        learn = self._model.is_read_for_the_label if stage == "label" else lambda name: not name.startswith("label.")
        flags = torch.cat([torch.full((size,), not learn(name)) for name, size in names])
        return flags.to(self._device)

    def _pass_over_training_items(self, stage: Stage) -> Tensor:
        """Mean training loss (K,)."""
        frozen_P = self._frozen(stage)
        rows = Rows.of([self._order(m, own) for m, own in zip(self.members, self._folds["train"], strict=True)])
        total_K, weight_K = torch.zeros(2, len(self.members), device=self._device)
        for number, part in enumerate(rows.batches(self._config.batch_size, drop_last=self._config.drop_last)):
            batch = self._feed.batch(part)
            loss_K = self._objective(batch, self._read(batch, number), self._noise(number), stage)
            items_K = batch.num_items_K
            self._adam.step(
                flat_gradient(loss_K, self._parameters, out=self._gradient),
                lr_scale_K=self._plateau.lr_scale_K,
                active_K=None if batch.weight_KB is None else items_K > 0,
                frozen_P=frozen_P,
            )
            total_K += loss_K.detach() * items_K
            weight_K += items_K
        return total_K / weight_K

    def _read(self, batch: Batch, number: int) -> Batch:
        """What the model reads of a batch."""
        rate, seeds = self._config.modality_dropout, [m.seed for m in self.members]
        if not rate:
            return batch
        return hidden_at_random(batch, rate, seeds=seeds, step=(self.epoch, number), room=self._config.batch_size)

    def _noise(self, batch: int) -> Fresh:
        room = (self._feed.num_steps, self._config.batch_size)
        return Fresh([m.seed for m in self.members], rates=self._rates, step=(self.epoch, batch), room=room)

    def _order(self, member: Member, rows: np.ndarray) -> np.ndarray:
        epoch = self.epoch if self._config.shuffle == "every_epoch" else 0
        return rows[permutation(member.seed, epoch, len(rows))]

    def _objective(self, batch: Batch, read: Batch, noise: Noise, stage: Stage) -> Tensor:
        """L (K,) of a batch of which the model reads `read`: what is hidden is generated all the same."""
        output = self._model(read, noise)
        return total_loss(output, batch, config=self._config, weights=self._hyper, noise=noise, stage=stage)

    def _take_note(self, metrics: Sequence[Mapping[str, float]]) -> None:
        table_KM = torch.tensor([[own.get(name, float("nan")) for name in self._metric_names] for own in metrics])
        value_K = torch.tensor([own[self._task.metric] for own in metrics], dtype=torch.float64)
        sign = 1 if self._task.mode == "min" else -1
        self._best.step(self.epoch, self._adam.rows["theta"], value_K=sign * value_K, metrics_KM=table_KM.double())
        label_loss_K = torch.tensor([own["valid_label_loss"] for own in metrics], device=self._device)
        self._plateau.step(label_loss_K)

    def outcomes(self) -> dict[str, Outcome]:
        """The members at their best epochs."""
        if not self._task.test:
            return {m.name: self._outcome(k) for k, m in enumerate(self.members)}
        bind(self._model, self._best.rows["best_theta"])
        rows = self._folds["test"]
        predictions = evaluate.predict(self._model, self._feed, rows)
        scores = evaluate.scores(self._dataset, predictions, rows)
        found = factor_probes.scores(self._dataset, self._model, self._feed, train=self._folds["train"], test=rows)
        tried = self._evaluations()
        return {
            m.name: self._outcome(
                k,
                test={f"test_{name}": value for name, value in {**scores[k], **found[k]}.items()},
                items=evaluate.items(self._dataset, predictions.prediction_KNC[k], rows[k]),
                weights={name: p[k].detach().cpu().numpy() for name, p in self._model.named_parameters()},
                evaluations=tried[k],
            )
            for k, m in enumerate(self.members)
        }

    def evaluated(self, weights: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Mapping[str, np.ndarray]]:
        """With these parameters, one mapping a member."""
        for name, parameter in self._model.named_parameters():
            parameter.data.copy_(torch.from_numpy(np.stack([own[name] for own in weights])))
        return dict(zip((m.name for m in self.members), self._evaluations(), strict=True))

    def _evaluations(self) -> list[dict[str, np.ndarray]]:
        """Of the members as they are now, on the test items."""
        generates = [m.config.generative_loss for m in self.members]
        looked = interpretation.evaluations(self._model, self._feed, self._folds["test"], generates=generates)
        if not self._task.robustness:
            return looked
        both = zip(looked, robustness.evaluations(self._trained()), strict=True)
        return [{name: np.concatenate([one[name], other[name]]) for name in one} for one, other in both]

    def _trained(self) -> robustness.Trained:
        """The members as they are now."""
        lesson = Lesson(
            feed=self._feed,
            folds=self._folds,
            seeds=[m.seed for m in self.members],
            hyper=self._hyper,
            rates=self._rates,
            batch_size=self._config.batch_size,
            epochs=self._task.epochs,
            device=self._device,
        )
        return robustness.Trained(
            dataset=self._dataset, model=self._model, config=self._config, shape=self._shape, lesson=lesson
        )

    def _outcome(
        self,
        k: int,
        *,
        test: Mapping[str, float] | None = None,
        items: Mapping[str, np.ndarray] | None = None,
        weights: Mapping[str, np.ndarray] | None = None,
        evaluations: Mapping[str, np.ndarray] | None = None,
    ) -> Outcome:
        best = dict(zip(self._metric_names, self._best.rows["best_metrics"][k].tolist(), strict=True))
        known = {name: value for name, value in best.items() if not np.isnan(value)}
        return Outcome(
            best_epoch=int(self._best.rows["best_epoch"][k]),
            metrics={**known, "parameters": float(sum(p[k].numel() for p in self._parameters)), **(test or {})},
            items=items,
            weights=weights,
            evaluations=evaluations,
        )


def only(state: State, survivors: Collection[str]) -> State:
    """`state` without the members that leave."""
    names = state["members"]
    assert isinstance(names, list)
    stay = [k for k, name in enumerate(names) if name in survivors]
    rows = {name: value[stay] for name, value in state.items() if isinstance(value, np.ndarray)}
    return {"epoch": state["epoch"], "members": [names[k] for k in stay], **rows}


def _hyper(configs: Sequence[Config], device: torch.device) -> dict[str, Tensor]:
    """Every number that may differ between the members of a pack: (K,) by hyperparameter."""
    rows = [{name: v for name, v in c.params().items() if isinstance(v, float)} | term_weights(c) for c in configs]
    return {name: torch.tensor([row[name] for row in rows], device=device) for name in rows[0]}
