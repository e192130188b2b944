"""Plain transcriptions of the encoders' equations: one model, one item, one step and one head at a time.

As in plain.py, parameters come as a mapping name -> tensor of one member, an item as lists of steps by modality, None
where there is no data (a vector: one step). No code is shared with the package.
"""

from __future__ import annotations

import math

import torch
from plain import affine, lstm_states
from torch import Tensor

Item = dict[str, list[Tensor | None]]
Parameters = dict[str, Tensor]


def zeros(width: int) -> Tensor:
    return torch.zeros(width, dtype=torch.float64)


def embedding(p: Parameters, m: str, steps: list[Tensor | None], *, width: int, mean: bool) -> Tensor:
    name = f"encoder.embeddings.of.{m}"
    if not mean:
        return affine(p, f"{name}.affine", lstm_states(p, f"{name}.lstm", steps)[-1][0])
    there = [x for x in steps if x is not None]
    e = sum(there) / len(there) if there else zeros(width)
    for layer in range(3):
        e = torch.relu(affine(p, f"{name}.layers.{layer}", e))
    return e


def embeddings(p: Parameters, item: Item, widths: dict[str, int], means: set[str]) -> list[Tensor]:
    return [embedding(p, m, steps, width=widths[m], mean=m in means) for m, steps in item.items()]


def tfn(p: Parameters, item: Item, widths: dict[str, int], *, means: set[str]) -> Tensor:
    """Zadeh et al., EMNLP 2017: the outer product entry by entry, then two layers."""
    entries = [torch.ones((), dtype=torch.float64)]
    for e in embeddings(p, item, widths, means):
        entries = [entry * value for entry in entries for value in [torch.ones_like(entry), *e]]
    h = torch.relu(affine(p, "encoder.layers.first", torch.stack(entries)))
    return torch.relu(affine(p, "encoder.layers.second", h))


def lmf(p: Parameters, item: Item, widths: dict[str, int], *, means: set[str], rank: int) -> Tensor:
    """Liu et al., ACL 2018: sum over r of the product over modalities of W_i^(r) [1; e_i], as full matrices."""
    es = dict(zip(item, embeddings(p, item, widths, means)))
    total = zeros(p[f"encoder.factors.{next(iter(item))}.bias_K1O"].shape[-1] // rank)
    for r in range(rank):
        product = torch.ones_like(total)
        for m, e in es.items():
            width = len(total)
            rows = torch.cat([p[f"encoder.factors.{m}.bias_K1O"], p[f"encoder.factors.{m}.weight_KIO"]])
            matrix = rows[:, r * width : (r + 1) * width].T
            product = product * (matrix @ torch.cat([torch.ones(1, dtype=torch.float64), e]))
        total = total + product
    return total


def late_fusion(p: Parameters, item: Item, widths: dict[str, int], *, means: set[str]) -> Tensor:
    return torch.relu(affine(p, "encoder.layer", torch.cat(embeddings(p, item, widths, means))))


def marn(p: Parameters, item: Item, *, num_attentions: int) -> Tensor:
    """Zadeh et al., AAAI 2018: hybrid memories that read the code, and the multi-attention block that makes it."""
    h = {m: zeros(p[f"encoder.memories.{m}.recurrent_KHG"].shape[0]) for m in item}
    c = {m: torch.zeros_like(value) for m, value in h.items()}
    z = zeros(p["encoder.block.code.bias_K1O"].shape[-1])
    for t in range(len(next(iter(item.values())))):
        if all(steps[t] is None for steps in item.values()):
            continue
        for m, steps in item.items():
            x = steps[t]
            if x is not None:
                h[m], c[m] = hybrid_step(p, f"encoder.memories.{m}", x, h[m], c[m], z)
        z = code(p, h, num_attentions)
    return torch.cat([*h.values(), z])


def hybrid_step(p: Parameters, name: str, x: Tensor, h: Tensor, c: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    a = x @ p[f"{name}.input_KIG"] + h @ p[f"{name}.recurrent_KHG"] + z @ p[f"{name}.code_KCG"]
    i, f, o, g = (a + p[f"{name}.bias_K1G"][0]).chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def code(p: Parameters, h: dict[str, Tensor], num_attentions: int) -> Tensor:
    everything = torch.cat(list(h.values()))
    width = len(everything)
    scores = affine(p, "encoder.block.attention", everything)
    attended = [torch.softmax(scores[k * width : (k + 1) * width], 0) * everything for k in range(num_attentions)]
    reduced, start = [], 0
    for m, own in h.items():
        parts = torch.cat([a[start : start + len(own)] for a in attended])
        reduced.append(torch.relu(affine(p, f"encoder.block.reduce.{m}", parts)))
        start += len(own)
    return affine(p, "encoder.block.code", torch.cat(reduced))


def mult(
    p: Parameters, item: Item, kinds: dict[str, str], widths: dict[str, int], *, heads: int, layers: int
) -> Tensor:
    """Tsai et al., ACL 2019: crossmodal transformers for every ordered pair, self-attention, the last step."""
    clock = positions({m: steps for m, steps in item.items() if kinds[m] == "sequence"})
    streams = {m: stream(p, m, steps, widths[m], clock) for m, steps in item.items()}
    there = {m: [x is not None for x in steps] for m, steps in item.items()}
    last = []
    for i in item:
        others = [j for j in item if j != i]
        reads = [
            transformer(p, f"encoder.cross.{i}_from_{j}", streams[i], streams[j], there[j], heads, layers)
            for j in others
        ]
        fused = [torch.cat(parts) for parts in zip(*reads)] if others else streams[i]
        v = transformer(p, f"encoder.memory.{i}", fused, None, there[i], heads, layers)
        steps = [t for t, here in enumerate(there[i]) if here]
        last.append(v[steps[-1]] if steps else torch.zeros_like(v[0]))
    return torch.cat(last)


def positions(sequences: Item) -> list[int]:
    """How many earlier steps have data of some sequence."""
    if not sequences:
        return [0]
    anywhere = [any(x is not None for x in steps) for steps in zip(*sequences.values())]
    return [sum(anywhere[:t]) for t in range(len(anywhere))]


def stream(p: Parameters, m: str, steps: list[Tensor | None], width: int, clock: list[int]) -> list[Tensor]:
    """A convolution over the steps, zeros beyond the ends, plus sines and cosines of the position."""
    kernel = p[f"encoder.inputs.{m}.weight_KIO"].shape[0] // width
    filled = [zeros(width) if x is None else x for x in steps]
    result = []
    for t in range(len(steps)):
        window = [
            filled[s] if 0 <= s < len(steps) else zeros(width) for s in range(t - kernel // 2, t + kernel // 2 + 1)
        ]
        z = affine(p, f"encoder.inputs.{m}", torch.cat(window))
        d = len(z)
        position = 0 if len(steps) == 1 else clock[t]
        wave = [
            math.sin(position / 10000 ** (j / d)) if j % 2 == 0 else math.cos(position / 10000 ** ((j - 1) / d))
            for j in range(d)
        ]
        result.append(z + torch.tensor(wave, dtype=torch.float64))
    return result


def transformer(
    p: Parameters, name: str, x: list[Tensor], source: list[Tensor] | None, there: list[bool], heads: int, layers: int
) -> list[Tensor]:
    for number in range(layers):
        at = f"{name}.layers.{number}"
        asks = [norm(p, f"{at}.norm_attention", value) for value in x]
        reads = asks if source is None else [norm(p, f"{at}.norm_attention", value) for value in source]
        x = [value + attend(p, f"{at}.attention", q, reads, there, heads) for value, q in zip(x, asks)]
        x = [value + two_layers(p, at, norm(p, f"{at}.norm_layers", value)) for value in x]
    return [norm(p, f"{name}.norm", value) for value in x]


def two_layers(p: Parameters, name: str, x: Tensor) -> Tensor:
    return affine(p, f"{name}.second", torch.relu(affine(p, f"{name}.first", x)))


def norm(p: Parameters, name: str, x: Tensor) -> Tensor:
    normal = (x - x.mean()) / torch.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
    return normal * p[f"{name}.gain_K1O"][0] + p[f"{name}.bias_K1O"][0]


def attend(p: Parameters, name: str, ask: Tensor, reads: list[Tensor], there: list[bool], heads: int) -> Tensor:
    """One step's read of the steps that hold data."""
    q = affine(p, f"{name}.query", ask).chunk(heads)
    held = [x for x, here in zip(reads, there) if here]
    read = []
    for n in range(heads):
        keys = [affine(p, f"{name}.key", x).chunk(heads)[n] for x in held]
        values = [affine(p, f"{name}.value", x).chunk(heads)[n] for x in held]
        if not held:
            read.append(torch.zeros_like(q[n]))
            continue
        scores = torch.stack([(q[n] * k).sum() / math.sqrt(len(k)) for k in keys])
        weights = torch.softmax(scores, 0)
        read.append(sum(w * v for w, v in zip(weights, values)))
    return affine(p, f"{name}.out", torch.cat(read))
