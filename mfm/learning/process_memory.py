"""How much of a GPU's memory a process needs."""

from __future__ import annotations

import torch


def begin_measuring(device: torch.device) -> None:
    """Forgets what was needed so far; on a CPU, nothing is measured."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def needed_memory(device: torch.device) -> float | None:
    """The largest part of the GPU's memory that was needed since then, from 0 to 1; None on a CPU.

    All that other processes hold, and the driver's context, count in: it is this process's need where it has the GPU
    for itself.
    """
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    grown = torch.cuda.max_memory_reserved(device) - torch.cuda.memory_reserved(device)
    return (total - free + grown) / total
