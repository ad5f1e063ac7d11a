"""A linear map followed by ghost batch norm, as one matrix product per ghost batch.

The map is linear, so mean and variance of what it gives follow from the first two moments of what goes in, X X' with a row
of ones in X; and normalising is linear too. So per ghost batch the layer is Z = E' X with a small matrix E, and no pass over
the rows is spent on statistics, neither forward nor backward. Rows that a short ghost batch lacks are columns of zeros, the
row of ones included: they count for nothing and give zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

BATCH_NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class GhostBatches:
    """How a batch lies in memory: G = models x chunks groups of V rows.

    Args:
        models, chunks: M and C.
        inverse: 1 / rows that a group really has, (G, 1, 1).
    """

    models: int
    chunks: int
    inverse: torch.Tensor


class Scratch:
    """Memory that layers share, as each needs it only for a moment: what is used again soon stays in the cache.

    Args:
        dtype: of it.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._made: dict[tuple[str, tuple[int, ...]], torch.Tensor] = {}

    def __call__(self, name: str, *shape: int) -> torch.Tensor:
        """The memory of that name and shape."""
        key = (name, shape)
        if key not in self._made:
            self._made[key] = torch.empty(*shape, dtype=self.dtype)
        return self._made[key]


@dataclass(frozen=True)
class Gradients:
    """Where a layer's backward pass leaves what it finds.

    Args:
        weight: (M, K, O), contiguous.
        gamma, beta: (G, O), per ghost batch.
        accumulate: whether ``weight`` adds to what is there.
    """

    weight: torch.Tensor
    gamma: torch.Tensor
    beta: torch.Tensor
    accumulate: bool


class NormedLinear:
    """One such layer, with the memory that it needs between its forward and its backward pass.

    PyTorch multiplies matrices batch by batch, a call each, where the result is not contiguous: all results here are.

    Args:
        ghosts: the batch.
        inputs: (G, K + 1, V), the last row ones.
        outputs: (G, O, V), written by ``forward``.
        weight: (M, K, O).
        gamma, beta: (M, O), scale and shift of the norm.
        mean, variance: (G, O), written by ``forward``: of the linear map's outputs.
        gradients: written by ``backward``.
        scratch: shared by all layers of the network.
    """

    def __init__(
        self,
        ghosts: GhostBatches,
        inputs: torch.Tensor,
        outputs: torch.Tensor,
        weight: torch.Tensor,
        gamma: torch.Tensor,
        beta: torch.Tensor,
        mean: torch.Tensor,
        variance: torch.Tensor,
        gradients: Gradients,
        scratch: Scratch,
    ) -> None:
        models, chunks = ghosts.models, ghosts.chunks
        groups, size, width = models * chunks, inputs.shape[1] - 1, outputs.shape[1]

        def new(*shape: int) -> torch.Tensor:
            return torch.empty(*shape, dtype=inputs.dtype)

        def by_model(tensor: torch.Tensor) -> torch.Tensor:
            """(G, ...) as (M, C, ...)."""
            return tensor.unflatten(0, (models, chunks))

        def stacked(tensor: torch.Tensor) -> torch.Tensor:
            """(G, K + 1, ...) as (M, C x (K + 1), ...): all ghost batches of a model against its weight at once."""
            return tensor.view(models, chunks * (size + 1), tensor.shape[2])

        self._inverse = ghosts.inverse
        self._single = chunks == 1
        self._inputs, self._inputs_t, self._outputs = inputs, inputs.transpose(1, 2), outputs
        self._weight, self._weight_t, self._weight_g = weight, weight.transpose(1, 2), weight[:, None]
        self._gamma, self._beta = gamma[:, None], beta[:, None]
        self._moments = new(groups, size + 1, size + 1)
        self._moments_m = stacked(self._moments)[:, :, :size]
        self._moments_mt = self._moments_m.transpose(1, 2)
        self._mapped = scratch("mapped", groups, size + 1, width)
        self._mapped_m = stacked(self._mapped)
        self._mapped_g = by_model(self._mapped)[:, :, :size]
        self._mapped_mean, self._mapped_mean_g = self._mapped[:, size], by_model(self._mapped)[:, :, size]
        self._products = scratch("products", models, chunks, size, width)
        self._square = scratch("square", groups, width)
        self._square_g = by_model(self._square)
        self._mean, self._variance = mean, variance
        self._rstd = new(groups, width)
        self._rstd_g = by_model(self._rstd)
        self._scale = new(groups, width)
        self._scale_g, self._scale_gk = by_model(self._scale), by_model(self._scale)[:, :, None]
        effective = new(groups, size + 1, width)
        self._effective_t, self._effective_k = effective.transpose(1, 2), effective[:, :size]
        self._effective_g, self._shift_g = by_model(effective)[:, :, :size], by_model(effective)[:, :, size]

        self._gradients = gradients
        self._raw = scratch("raw", groups, size + 1, width)
        self._raw_g, self._raw_shift = by_model(self._raw)[:, :, :size], self._raw[:, size]
        self._fold = scratch("fold", groups, size + 1, width)
        self._fold_m = stacked(self._fold)
        self._fold_g, self._fold_shift = by_model(self._fold)[:, :, :size], self._fold[:, size]
        self._pull = scratch("pull", groups, size + 1, size)
        self._pull_m, self._pull_t = stacked(self._pull), self._pull.transpose(1, 2)
        self._change = scratch("change", groups, width)
        self._change_gk = by_model(self._change)[:, :, None]

    def forward(self) -> None:
        """Writes outputs, mean and variance."""
        torch.bmm(self._inputs, self._inputs_t, out=self._moments)
        self._moments.mul_(self._inverse)
        torch.bmm(self._moments_m, self._weight, out=self._mapped_m)
        torch.mul(self._mapped_g, self._weight_g, out=self._products)
        torch.sum(self._products, 2, out=self._square_g)
        mean = self._mapped_mean
        self._mean.copy_(mean)
        # rounding can make a variance of nothing negative
        torch.addcmul(self._square, mean, mean, value=-1, out=self._variance).clamp_min_(0)
        torch.add(self._variance, BATCH_NORM_EPSILON, out=self._rstd).rsqrt_()
        torch.mul(self._rstd_g, self._gamma, out=self._scale_g)
        torch.mul(self._weight_g, self._scale_gk, out=self._effective_g)
        torch.addcmul(self._beta, self._scale_g, self._mapped_mean_g, value=-1, out=self._shift_g)
        torch.bmm(self._effective_t, self._inputs, out=self._outputs)

    def backward(self, of_outputs: torch.Tensor, of_inputs: torch.Tensor, keep: float) -> None:
        """Writes the gradients.

        Args:
            of_outputs: (G, O, V).
            of_inputs: (G, K, V), contiguous, changed: what is there counts ``keep`` times, the gradient is added.
        """
        gradients, mean, scale = self._gradients, self._mean, self._scale
        torch.bmm(self._inputs, of_outputs.transpose(1, 2), out=self._raw)
        torch.mul(self._raw_g, self._weight_g, out=self._products)
        torch.sum(self._products, 2, out=self._square_g)
        self._square.addcmul_(self._raw_shift, mean, value=-1)
        torch.mul(self._square, self._rstd, out=gradients.gamma)
        gradients.beta.copy_(self._raw_shift)
        # -2 x the gradient of the variance
        torch.mul(scale, self._rstd, out=self._change).mul_(gradients.gamma)
        # what the statistics pass on, negated: to the moments of the inputs, by way of them to weight and inputs
        torch.mul(self._weight_g, self._change_gk, out=self._fold_g)
        torch.mul(gradients.beta, scale, out=self._fold_shift)
        self._fold_shift.addcmul_(self._change, mean, value=-1)
        torch.mul(self._raw_g, self._scale_gk, out=self._products)
        if gradients.accumulate:
            gradients.weight.add_(self._products[:, 0] if self._single else self._products.sum(1))
        else:
            torch.sum(self._products, 1, out=gradients.weight)
        gradients.weight.baddbmm_(self._moments_mt, self._fold_m, alpha=-1)
        torch.bmm(self._fold_m, self._weight_t, out=self._pull_m)
        self._pull.mul_(self._inverse)
        of_inputs.baddbmm_(self._effective_k, of_outputs, beta=keep)
        of_inputs.baddbmm_(self._pull_t, self._inputs, alpha=-1)
