"""Initial weights and the order of rows: from the same seed, the same random numbers as pytorch-tabnet 4.1 draws."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from tripcast.models.tabnet.layout import Layout, State


class Randomness:
    """The random numbers of one model's training.

    Args:
        seed: pytorch-tabnet's ``seed``.
    """

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def draw_parameters(self, layout: Layout) -> torch.Tensor:
        """Initial parameters (``layout.parameters.size``,) in float32.

        Must be called once, before any order of rows is drawn. Each linear map is drawn as PyTorch does and then again as
        pytorch-tabnet does; a shared one again for each transformer that has it, so that the last one counts.
        """
        config = layout.config
        state = State.blank(layout, 1, torch.float32)

        def part(name: str) -> torch.Tensor:
            return layout.parameters.view(state.parameters, name)[0]

        for number in range(len(config.categories)):
            part(f"embedding.{number}").normal_(generator=self._generator)
        for layer in range(config.n_shared):
            self._linear(config.layer_input(layer), 2 * config.width)
        for transformer in range(config.n_steps + 1):
            for layer in range(config.depth):
                inputs = config.layer_input(layer)
                if layer >= config.n_shared:
                    self._linear(inputs, 2 * config.width)
                drawn = self._xavier(inputs, 2 * config.width, _gated_gain)
                part(layout.weight(transformer, layer)).copy_(drawn)
            if transformer:
                self._linear(config.n_a, config.input_dim)
                drawn = self._xavier(config.n_a, config.input_dim, _plain_gain)
                part(f"attention.{transformer - 1}").copy_(drawn)
        self._linear(config.n_d, 1)
        part("final").copy_(self._xavier(config.n_d, 1, _plain_gain)[:, 0])
        return state.parameters[0]

    def draw_order(self, rows: int) -> torch.Tensor:
        """The order of an epoch's rows, as a shuffling DataLoader has it."""
        self._seed()  # for workers, of which there are none
        return torch.randperm(rows, generator=torch.Generator().manual_seed(self._seed()))

    def skip_evaluation(self) -> None:
        """What a DataLoader of the eval set draws."""
        self._seed()

    def _seed(self) -> int:
        return int(torch.empty((), dtype=torch.int64).random_(generator=self._generator).item())

    def _linear(self, inputs: int, outputs: int) -> None:
        """Draws what ``torch.nn.Linear`` draws for its weight."""
        bound = 1 / math.sqrt(inputs)
        torch.empty(outputs, inputs).uniform_(-bound, bound, generator=self._generator)

    def _xavier(self, inputs: int, outputs: int, gain: Callable[[int, int], float]) -> torch.Tensor:
        deviation = gain(inputs, outputs) * math.sqrt(2 / (inputs + outputs))
        return torch.empty(outputs, inputs).normal_(0, deviation, generator=self._generator).T


def _plain_gain(inputs: int, outputs: int) -> float:
    return math.sqrt((inputs + outputs) / math.sqrt(4 * inputs))


def _gated_gain(inputs: int, outputs: int) -> float:
    return math.sqrt((inputs + outputs) / math.sqrt(inputs))
