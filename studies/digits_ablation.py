"""Which parts of MFM carry its result on pairs of images of one digit? Without --data, on planted images.

python studies/digits_ablation.py                                quick, planted images
python studies/digits_ablation.py --data DIR --preset standard   MNIST with USPS, or with SVHN where its files are
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mfm.data.corpora.digits import digits
from mfm.data.dataset import Dataset
from mfm.data.folds import Folds
from mfm.data.planted.digits import Plan, planted_digits
from mfm.params.config import ParamValue
from orchestrator.command.arguments import Arguments
from studies.mfm_study import arms, planted_data, space
from studies.mfm_study.presets import IMAGES
from studies.mfm_study.question import Question
from studies.mfm_study.script import script

# 1 point of accuracy: on 2,000 test pairs, 20 of them.
SMALLEST_EFFECT = 0.01
QUICK = Plan(num_items={"train": 1000, "valid": 200, "test": 400}, sides={"large": 16, "small": 12})
QUICK_ARMS = ("no_generative_factors", "no_multimodal_factor", "no_generative_loss", "no_prior")
NOTE = (
    "Both images of a pair show the same digit, and nothing else is shared. Probes: how well a linear map of a frozen "
    "factor tells the digit (accuracy; chance is test_probe_label_chance) and the style of its image (R^2; 0 is "
    "chance). If the factors part as they should, F_y tells the digit and no style, and every F_a the converse."
)
HINTS = (
    "On real images:  python studies/digits_ablation.py --data DIR --preset standard   (DIR: see Data in README.md)",
    "On a cluster:  ray up cluster.yaml, then the same command on its head   (docs/cluster.md)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    is_quick = arguments.preset == "quick" and arguments.data is None
    dataset = _dataset(arguments, is_quick=is_quick)
    names = dataset.modality_names
    every = arms.images(names)
    quick = (arms.REFERENCE, *QUICK_ARMS, f"only_{names[1]}")
    planted_note = () if arguments.data else (planted_data.NOTE_IMAGES,)
    return Question(
        name="digits_ablation" + ("" if arguments.data else "_quick" if is_quick else "_planted"),
        title=f"What carries MFM on {'pairs of ' + dataset.name if arguments.data else 'planted images'}?",
        dataset=dataset,
        folds=Folds(),
        params=_params(names, is_quick=is_quick),
        arms=arms.named(every, quick) if arguments.preset == "quick" else every,
        space=space.images(names, is_quick=is_quick),
        smallest_effect=SMALLEST_EFFECT,
        notes=(*planted_note, NOTE),
        search_metric="valid_accuracy",
        primary_metric="test_accuracy",
        group="pair",
        generates=True,
    )


def _dataset(arguments: Arguments, *, is_quick: bool) -> Dataset:
    if arguments.data is None:
        return planted_digits(QUICK if is_quick else Plan(), seed=planted_data.SEED)
    most = {"train": 1500, "valid": 400, "test": 1000} if arguments.preset == "quick" else None
    return digits(arguments.data, read_mat=_read_mat, most=most)


def _read_mat(path: Path) -> Mapping[str, np.ndarray]:
    from scipy.io import loadmat  # for SVHN alone
    from scipy.io.matlab import MatReadError

    try:
        return loadmat(path, variable_names=["X", "y"])
    except (MatReadError, ValueError, TypeError, NotImplementedError, OSError) as error:
        raise ValueError(
            f"{path} must be a file of MATLAB, version 5, as SVHN's are; reading failed: {error}"
        ) from error


def _params(modalities: tuple[str, ...], *, is_quick: bool) -> Mapping[str, ParamValue]:
    """Codes of 32 on real images, of 16 on the quick ones, which are few: small batches, large steps, no dropout."""
    width = 16 if is_quick else 32
    pace: dict[str, ParamValue] = {"batch_size": 32, "lr": 4e-3} if is_quick else {"batch_size": 64, "lr": 3e-3}
    dropout = 0.0 if is_quick else 0.1
    return {
        "encoder": "late_fusion",
        "late_width": 2 * width,
        "z_y": width,
        "f_y": width,
        "z_shared": width,
        "f_shared": width,
        **{f"{what}_{m}": width for what in ("z", "f") for m in modalities},
        **{f"hidden_{m}": 2 * width for m in modalities},
        **{f"dropout_{what}": dropout for what in ("y", "label", *modalities)},
        "embedding_dropout": dropout,
        **{f"weight_{m}": 1.0 for m in modalities},
        "weight_prior": 0.03,
        **pace,
    }


SCRIPT = script(ask, description=__doc__, presets=IMAGES, hints=HINTS)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())
