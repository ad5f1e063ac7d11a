"""Where each parameter and each running statistic lies in one flat vector a model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from tripcast.models.tabnet.config import TabNetConfig


@dataclass
class Segment:
    """Named parts of a flat vector, in the order in which they were added."""

    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    size: int = 0

    def add(self, name: str, *shape: int) -> None:
        self.shapes[name] = shape
        self.starts[name] = self.size
        self.size += math.prod(shape)

    def view(self, flat: torch.Tensor, name: str) -> torch.Tensor:
        """The part (..., \\*shape) of flat vectors (..., size), without a copy."""
        shape, start = self.shapes[name], self.starts[name]
        return flat.narrow(-1, start, math.prod(shape)).unflatten(-1, shape)


@dataclass(frozen=True)
class Layout:
    """Parts of the parameters and of the running statistics.

    Linear maps are stored (inputs, outputs), that is, transposed against ``torch.nn.Linear``. ``own.t.i`` is layer i (counted
    from 0 among the independent ones) of transformer t; transformer 0 comes before the first step. Gated layers count all
    layers of all transformers, transformer by transformer.

    Args:
        parameters: linear maps, scales and shifts of norms, embeddings.
        means, variances: running statistics of the normed linear maps, in the same order.
    """

    config: TabNetConfig
    parameters: Segment
    means: Segment

    @classmethod
    def of(cls, config: TabNetConfig) -> Layout:
        """The layout of a network."""
        parameters, means = Segment(), Segment()
        transformers = config.n_steps + 1
        for layer in range(config.n_shared):
            parameters.add(f"shared.{layer}", config.layer_input(layer), 2 * config.width)
        for transformer in range(transformers):
            for layer in range(config.n_independent):
                inputs = config.layer_input(config.n_shared + layer)
                parameters.add(f"own.{transformer}.{layer}", inputs, 2 * config.width)
        for step in range(config.n_steps):
            parameters.add(f"attention.{step}", config.n_a, config.input_dim)
        gated = (transformers, config.depth, 2 * config.width)
        parameters.add("gated.gamma", *gated)
        parameters.add("gated.beta", *gated)
        parameters.add("attention.gamma", config.n_steps, config.input_dim)
        parameters.add("attention.beta", config.n_steps, config.input_dim)
        parameters.add("initial.gamma", config.embedded_dim)
        parameters.add("initial.beta", config.embedded_dim)
        parameters.add("final", config.n_d)
        for number, (_, categories) in enumerate(config.categories):
            parameters.add(f"embedding.{number}", categories, config.cat_emb_dim)
        means.add("gated", *gated)
        means.add("attention", config.n_steps, config.input_dim)
        return cls(config, parameters, means)

    def weight(self, transformer: int, layer: int) -> str:
        """Name of the linear map of a gated layer."""
        shared = self.config.n_shared
        return f"shared.{layer}" if layer < shared else f"own.{transformer}.{layer - shared}"


@dataclass
class State:
    """All that training changes, for M models.

    Args:
        parameters: (M, ``layout.parameters.size``).
        means, variances: running statistics of normed linear maps, (M, ``layout.means.size``).
        initial_mean, initial_variance: of the batch norm of the input, (M, ``config.embedded_dim``).
    """

    parameters: torch.Tensor
    means: torch.Tensor
    variances: torch.Tensor
    initial_mean: torch.Tensor
    initial_variance: torch.Tensor

    @classmethod
    def blank(cls, layout: Layout, models: int, dtype: torch.dtype) -> State:
        """Zeros, but ones for scales and variances."""
        parameters = torch.zeros(models, layout.parameters.size, dtype=dtype)
        for name in ("gated.gamma", "attention.gamma", "initial.gamma"):
            layout.parameters.view(parameters, name).fill_(1)
        means = torch.zeros(models, layout.means.size, dtype=dtype)
        initial = torch.zeros(models, layout.config.embedded_dim, dtype=dtype)
        return cls(parameters, means, torch.ones_like(means), initial, torch.ones_like(initial))

    def tensors(self) -> tuple[torch.Tensor, ...]:
        return (self.parameters, self.means, self.variances, self.initial_mean, self.initial_variance)

    def take(self, models: torch.Tensor) -> State:
        """A copy of some models, by their numbers."""
        return State(*(tensor.index_select(0, models) for tensor in self.tensors()))

    def put(self, models: torch.Tensor, other: State) -> None:
        """Overwrites models by those of another state: number ``models[i]`` by its i-th."""
        for mine, theirs in zip(self.tensors(), other.tensors(), strict=True):
            mine.index_copy_(0, models, theirs)
