"""Seconds per epoch of fused training against plain PyTorch, and how far each is from the floor.

    python benchmarks/training.py [--members 1,10] [--batches 8]
    python benchmarks/training.py --device cuda --members 1,64,256    one GPU; needs nothing but PyTorch and NumPy
    python benchmarks/training.py --mixed 60                          arms in one pack against each by itself

One core (or one GPU), batch 32, 20 steps, the input widths of CMU-MOSI and the official sizes (MFM.md 1.8). Both
versions first give the same loss for the same parameters. The floor is the time of the matrix products alone, forward
and backward, at the rate that this core reaches on these shapes with the faster of two libraries. Ratios
are of medians, taken in turn in one run; plain PyTorch has a process of its own, as a user's script has. On a GPU, a
pack's largest memory stands beside, and how many members the memory would hold at that rate.

`--mixed K`: K members, a third each of the full model, of that without prior, and of that without reconstructions in
its loss, as one pack, in which what an arm lacks has the weight 0; against one pack an arm.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import numpy as np
import torch
from plain_mfm import PlainMFM

from mfm.data.dataset import Dataset, Modality, Task
from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.layers.matmul import product
from mfm.layers.random_streams import Quiet
from mfm.model.mfm import MFM
from mfm.pack_training import Member, Pack
from mfm.pack_training import Task as Training
from mfm.params.config import Config, ParamValue, base

FEATURES = {"language": 300, "acoustic": 5, "visual": 20}
BATCH, STEPS = 32, 20
CPU = torch.device("cpu")
PARAMS = {
    "z_y": 32, "f_y": 16, "z_language": 32, "z_acoustic": 8, "z_visual": 80, "f_language": 88, "f_acoustic": 8,
    "f_visual": 8, "hidden_language": 88, "hidden_acoustic": 64, "hidden_visual": 48, "memory": 64,
    "attention_width": 128, "candidate_width": 128, "gamma1_width": 128, "gamma2_width": 128,
    "attention_dropout": 0.5, "candidate_dropout": 0.5, "gamma1_dropout": 0.5, "gamma2_dropout": 0.5,
    "dropout_y": 0.0, "dropout_language": 0.2, "dropout_acoustic": 0.2, "dropout_visual": 0.7, "dropout_label": 0.0,
}  # fmt: skip
CONFIG = Config.from_params(base(list(FEATURES), **PARAMS), list(FEATURES))


def dataset(num_batches: int) -> Dataset:
    """Random items of the shape of CMU-MOSI, without padding."""
    rng = np.random.default_rng(0)
    counts = {"train": num_batches * BATCH, "valid": 1, "test": 1}
    num_items = sum(counts.values())
    modalities = tuple(
        Modality(
            name=m,
            values=rng.standard_normal((num_items, STEPS, width)).astype(np.float32),
            mask=np.ones((num_items, STEPS), bool),
        )
        for m, width in FEATURES.items()
    )
    names = np.array([str(i) for i in range(num_items)])
    return Dataset(
        name="random", source="", modalities=modalities, target=rng.uniform(-3, 3, (num_items, 1)).astype(np.float32),
        task=Task(kind="regression", targets=("y",)), item=names, group=names,
        fold=np.repeat(list(counts), list(counts.values())),
    )  # fmt: skip


def plain_epoch(model: PlainMFM, optimiser: torch.optim.Adam, data: Dataset, device: torch.device = CPU) -> None:
    """One pass over the training items, as one would write it."""
    rows = torch.randperm(len(data.rows("train")), device=device)
    arrays = {m.name: torch.from_numpy(m.values).to(device) for m in data.modalities}
    target = torch.from_numpy(data.target).to(device)
    for part in rows.split(BATCH):
        x = {m: values[part].transpose(0, 1) for m, values in arrays.items()}
        loss = model.loss(x, target[part])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@contextmanager
def plain_process(num_batches: int, device: torch.device) -> Iterator[Callable[[], None]]:
    """Another process that trains an epoch of the plain model at every call."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_train_plainly, args=(theirs, num_batches, device), daemon=True)
    process.start()

    def call() -> None:
        ours.send(True)
        ours.recv()

    yield call
    ours.send(False)
    process.join()


def _train_plainly(connection: Connection, num_batches: int, device: torch.device) -> None:
    torch.set_num_threads(1)
    data, plain = dataset(num_batches), PlainMFM(CONFIG, FEATURES).to(device)
    optimiser = torch.optim.Adam(plain.parameters(), lr=1e-3)
    while connection.recv():
        plain_epoch(plain, optimiser, data, device)
        _wait_for(device)
        connection.send(None)


def _wait_for(device: torch.device) -> None:
    """Until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seeds(data: Dataset, num_members: int) -> list[Member]:
    """Members that differ in their seeds."""
    return [Member(name=str(k), config=CONFIG, seed=k, fold=data.fold) for k in range(num_members)]


def fused_pack(data: Dataset, members: list[Member], device: torch.device = CPU) -> Pack:
    """A pack in its first epoch."""
    task = Training(epochs=1, metric="valid_mae", mode="min", test=False)
    pack = Pack(data, members, task=task, device=device)
    pack.epoch = 1
    return pack


LACKING: tuple[dict[str, ParamValue], ...] = ({}, {"prior": "none"}, {"generative_loss": False})


def packs_of_arms(data: Dataset, num_members: int, device: torch.device) -> tuple[Pack, list[Pack]]:
    """The arms that train together, in one pack, and each in a pack of its own."""
    configs = [Config.from_params(CONFIG.params() | pins, list(FEATURES)) for pins in LACKING]
    share = num_members // len(configs)
    members = [
        [Member(name=f"{i} {k}", config=config, seed=k, fold=data.fold) for k in range(share)]
        for i, config in enumerate(configs)
    ]
    everybody = [member for own in members for member in own]
    return fused_pack(data, everybody, device), [fused_pack(data, own, device) for own in members]


def fused_epoch(pack: Pack, device: torch.device) -> None:
    """One pass over the training items."""
    pack._pass_over_training_items("joint")
    _wait_for(device)


def matrix_products(num_members: int) -> list[tuple[int, int, int, int]]:
    """(K, rows, inner, columns) of every product of one forward pass; recurrent ones are listed once a step."""
    own, memory = CONFIG.modalities, CONFIG.memory
    window = 2 * sum(m.hidden for m in own.values())
    all_steps, products = STEPS * BATCH, []
    for m, width in FEATURES.items():
        for hidden in (own[m].hidden, own[m].z):
            products += [(all_steps, width, 4 * hidden)] + [(BATCH, hidden, 4 * hidden)] * STEPS
        condition = CONFIG.f_y + own[m].f
        products += [(BATCH, condition, 4 * condition)] * (STEPS + 1) + [(all_steps, condition, width)]
    products += [(all_steps, window, CONFIG.attention_width), (all_steps, CONFIG.attention_width, window)]
    products += [(all_steps, window, CONFIG.candidate_width), (all_steps, CONFIG.candidate_width, memory)]
    for width in (CONFIG.gamma1_width, CONFIG.gamma2_width):
        products += [(all_steps, window, width)] + [(BATCH, memory, width), (BATCH, width, memory)] * STEPS
    return [(num_members, *shape) for shape in products]


def floor_seconds(num_members: int, device: torch.device) -> float:
    """Seconds of the matrix products of a training step: forward, and twice as many operations backward."""
    total = 0.0
    shapes = matrix_products(num_members)
    for shape in sorted(set(shapes)):
        members, rows, inner, columns = shape
        a, b = torch.randn(members, rows, inner, device=device), torch.randn(members, inner, columns, device=device)
        repeat = max(3, int(2e8 / (members * rows * inner * columns)))
        total += 3 * min(_seconds(multiply, a, b, repeat) for multiply in (torch.bmm, product)) * shapes.count(shape)
    return total


def _seconds(multiply: Callable[..., torch.Tensor], a: torch.Tensor, b: torch.Tensor, repeat: int) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(repeat):
            multiply(a, b)
        _wait_for(a.device)
        times.append((time.perf_counter() - began) / repeat)
    return statistics.median(times)


def check_equal_losses() -> float:
    """The largest difference between the losses of both versions with the same parameters."""
    torch.manual_seed(0)
    plain = PlainMFM(CONFIG, FEATURES).eval()
    model = MFM(1, CONFIG, Shape(num_features=FEATURES, kinds=dict.fromkeys(FEATURES, "sequence"), num_outputs=1))
    copy_parameters(plain, model)
    x = {m: torch.randn(1, STEPS, BATCH, width) for m, width in FEATURES.items()}
    y = torch.randn(1, BATCH, 1)
    batch = Batch(x=x, mask=dict.fromkeys(x), target=y)
    output = model(batch, Quiet())
    samples = {name: Quiet().normal(f"prior_{name}", z)[0] for name, z in output.latents.items()}
    with torch.no_grad():
        theirs = plain.loss({m: value[0] for m, value in x.items()}, y[0], samples)
    data = dataset(1)
    pack = fused_pack(data, seeds(data, 1))
    pack._model, noise = model, Quiet()
    ours = pack._objective(batch, batch, noise, "joint")
    return float((ours[0] - theirs).abs().detach())


def copy_parameters(plain: PlainMFM, model: MFM) -> None:
    """Gives the fused model the plain one's parameters."""
    twins = dict(model.named_modules())
    for name, module in plain.named_modules():
        twin = twins[_twin(name)] if isinstance(module, torch.nn.Linear | torch.nn.LSTMCell) else None
        if isinstance(module, torch.nn.Linear):
            twin.weight_KIO.data[0], twin.bias_K1O.data[0, 0] = module.weight.T, module.bias  # type: ignore[union-attr]
        elif isinstance(module, torch.nn.LSTMCell):
            swap = lambda w: torch.cat([w.chunk(4)[g] for g in (0, 1, 3, 2)])  # noqa: E731 - PyTorch's order is i, f, g, o
            twin.input_KIG.data[0], twin.recurrent_KHG.data[0] = swap(module.weight_ih).T, swap(module.weight_hh).T
            twin.bias_K1G.data[0, 0] = swap(module.bias_ih) + swap(module.bias_hh)  # type: ignore[union-attr]


def _twin(name: str) -> str:
    for old, new in (("mfn.cells", "encoder.lstms"), ("mfn.", "encoder."), (".cell", ".lstm")):
        name = name.replace(old, new)
    for prefix in ("maps.", "map_y."):
        if name.startswith(prefix):
            name = name.replace(".first", ".layers.first").replace(".second", ".layers.second")
    return name


def median_seconds(calls: dict[str, Callable[[], None]], *, rounds: int) -> dict[str, float]:
    """Medians of several rounds in turn, so that a drift of the machine meets all alike."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", default="1,10")
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mixed", type=int, default=0, metavar="K")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(arguments.device)
    if device.type == "cuda":
        print(f"{torch.cuda.get_device_name(device)}, PyTorch {torch.__version__}")
    print(f"largest difference of the losses: {check_equal_losses():.1e}")
    data = dataset(arguments.batches)
    sizes = [int(k) for k in arguments.members.split(",")]
    if arguments.mixed:
        return show_mixed(data, arguments.mixed, device, rounds=arguments.rounds)
    packs = {k: fused_pack(data, seeds(data, k), device) for k in sizes}
    fused = {f"K={k}": (lambda p=p: fused_epoch(p, device)) for k, p in packs.items()}
    with plain_process(arguments.batches, device) as plain:
        seconds = median_seconds({"plain": plain, **fused}, rounds=arguments.rounds)
    steps = arguments.batches
    print(f"{'':8} {'ms a step and member':>22} {'speed-up':>9} {'floor':>8} {'share of floor rate':>20}")
    one = seconds["plain"] / steps
    print(f"{'plain':8} {1e3 * one:22.1f} {1.0:9.2f}")
    for k in sizes:
        mine, floor = seconds[f"K={k}"] / steps / k, floor_seconds(k, device) / k
        print(f"{f'K={k}':8} {1e3 * mine:22.1f} {one / mine:9.2f} {1e3 * floor:8.1f} {floor / mine:20.0%}")
    if device.type == "cuda":
        show_memory(data, max(sizes), device)
    return None


def show_mixed(data: Dataset, num_members: int, device: torch.device, *, rounds: int) -> None:
    """Prints what it takes to train several arms in one pack, and in one each."""
    together, apart = packs_of_arms(data, num_members, device)
    calls: dict[str, Callable[[], None]] = {"one pack": lambda: fused_epoch(together, device)}
    calls |= {f"arm {i}": (lambda p=pack: fused_epoch(p, device)) for i, pack in enumerate(apart)}
    seconds = median_seconds(calls, rounds=rounds)
    one = seconds.pop("one pack")
    print(
        f"{num_members} members of {len(apart)} arms: {one:.3f} s an epoch in one pack, {sum(seconds.values()):.3f} s",
        end="",
    )
    print(f" in one pack an arm: {sum(seconds.values()) / one:.2f} times")


def show_memory(data: Dataset, num_members: int, device: torch.device) -> None:
    """Prints what a pack of so many members needs of the GPU's memory while it trains."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    fused_epoch(fused_pack(data, seeds(data, num_members), device), device)
    needed = (torch.cuda.max_memory_allocated(device) - before) / num_members
    total = torch.cuda.get_device_properties(device).total_memory
    print(f"{needed / 2**20:.1f} MiB a member at K={num_members}; {total / needed:.0f} members would fill the GPU")


if __name__ == "__main__":
    main()
