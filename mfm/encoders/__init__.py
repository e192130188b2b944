"""Multimodal encoders Q(Z_y | X), one file each: any number of modalities: sequences with masks, vectors, images."""

from __future__ import annotations

from collections.abc import Mapping

from mfm.encoders.ef_lstm import EfLstm
from mfm.encoders.late_fusion import LateFusion
from mfm.encoders.lmf import Lmf
from mfm.encoders.marn import Marn
from mfm.encoders.mfn import Mfn
from mfm.encoders.mult import Mult
from mfm.encoders.tfn import Tfn

Encoder = Mfn | EfLstm | Tfn | Lmf | Mult | Marn | LateFusion
# By the values of the hyperparameter `encoder`.
ENCODERS: Mapping[str, type[Encoder]] = {
    "mfn": Mfn,
    "ef_lstm": EfLstm,
    "tfn": Tfn,
    "lmf": Lmf,
    "mult": Mult,
    "marn": Marn,
    "late_fusion": LateFusion,
}
