"""Logs runs for TensorBoard, with PyTorch's writer: folder begin|again arm:seed ...."""

import sys

import toy
from torch.utils.tensorboard.writer import SummaryWriter

folder, phase, *words = sys.argv[1:]
is_again = phase == "again"
for arm, seed in toy.runs(words):
    writer = SummaryWriter(f"{folder}/{arm}-s{seed}", max_queue=1)
    for epoch in range(1 if is_again else 0, toy.EPOCHS):
        for name, value in toy.metrics(arm, seed, epoch).items():
            writer.add_scalar(name.replace("_", "/"), value, epoch)
        writer.flush()
        if epoch == 1 and not is_again:
            if (arm, seed) in (toy.KILLED, toy.RESUMED):
                toy.die()
            if (arm, seed) == toy.RAISING:
                raise RuntimeError("no luck")
    writer.close()
