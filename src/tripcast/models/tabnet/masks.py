"""Sparsemax and entmax over the features, dimension 1 of (groups, features, rows), forward and backward.

Sources: Martins and Astudillo, "From softmax to sparsemax" (2016); Peters, Niculae and Martins, "Sparse sequence-to-sequence
models" (2019), for entmax with alpha 1.5.
"""

from __future__ import annotations

from collections.abc import Callable

import torch


def sparsemax(scores: torch.Tensor) -> torch.Tensor:
    """The point of the simplex nearest to the scores.

    Its threshold is the root of sum(max(scores - threshold, 0)) = 1, found by Newton's method from below: exact once no
    feature leaves the support any more, mostly after three or four steps, and without a sort, which costs more than all else.
    """
    features = scores.shape[1]
    shifted = scores - scores.amax(1, keepdim=True)
    threshold = shifted.mean(1, keepdim=True).sub_(1 / features).clamp_min_(-1)
    above, inside = torch.empty_like(shifted), torch.empty_like(shifted)
    support = torch.zeros_like(threshold)
    for _ in range(features + 1):
        torch.sub(shifted, threshold, out=above).clamp_min_(0)
        count = torch.sign(above, out=inside).sum(1, keepdim=True)
        # only where the support has changed: else rounding would move a row as long as any other one moves
        moving = torch.ne(count, support)
        if not bool(moving.any()):
            break
        support = count
        threshold.addcmul_(above.sum(1, keepdim=True).sub_(1).div_(count), moving.to(threshold.dtype))
    return above


def sparsemax_backward(gradient: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Gradient of the scores; ``gradient`` is overwritten."""
    inside = torch.sign(mask)
    gradient.mul_(inside)
    gradient -= gradient.sum(1, keepdim=True).div_(inside.sum(1, keepdim=True))
    return gradient.mul_(inside)


def entmax(scores: torch.Tensor) -> torch.Tensor:
    """Entmax with alpha 1.5, between softmax and sparsemax; exact, by sorting."""
    shifted = (scores - scores.amax(1, keepdim=True)) / 2
    ordered = shifted.sort(1, descending=True).values
    count = torch.arange(1, scores.shape[1] + 1, dtype=scores.dtype).view(1, -1, 1)
    mean = ordered.cumsum(1) / count
    spread = count * ((ordered * ordered).cumsum(1) / count - mean * mean)
    threshold = mean - ((1 - spread) / count).clamp_min(0).sqrt()
    support = (threshold <= ordered).sum(1, keepdim=True).clamp_min(1)
    return (shifted - threshold.gather(1, support - 1)).clamp_min_(0).square_()


def entmax_backward(gradient: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Gradient of the scores; ``gradient`` is overwritten."""
    root = mask.sqrt()
    gradient.mul_(root)
    return gradient.addcmul_(gradient.sum(1, keepdim=True).div_(root.sum(1, keepdim=True)), root, value=-1)


Forward = Callable[[torch.Tensor], torch.Tensor]
Backward = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

MASKS: dict[str, tuple[Forward, Backward]] = {
    "sparsemax": (sparsemax, sparsemax_backward),
    "entmax": (entmax, entmax_backward),
}
