"""Predictions and masks of M trained TabNets at once: batch norm by running statistics, folded into the linear maps."""

from __future__ import annotations

import torch

from tripcast.models.tabnet.layout import Layout, State
from tripcast.models.tabnet.masks import MASKS
from tripcast.models.tabnet.network import HALF, embedding_matrix, group_matrix, spread_mask
from tripcast.models.tabnet.normed import BATCH_NORM_EPSILON

_BLOCK = 512  # rows of a model at once: what a block needs stays in the processor's cache

_glu = torch.ops.aten.glu.out


class InferencePass:
    """Trained networks ready to be asked.

    Args:
        layout: of the networks.
        state: of M models; not changed, and later changes are not seen.
    """

    def __init__(self, layout: Layout, state: State) -> None:
        config, parts = layout.config, layout.parameters
        self.layout = layout
        self._models = state.parameters.shape[0]
        self._dtype = state.parameters.dtype
        self._mask = MASKS[config.mask_type][0]
        self._groups_of = group_matrix(layout, self._dtype)

        rstd = (state.variances + BATCH_NORM_EPSILON).rsqrt_()
        means = layout.means
        scale = parts.view(state.parameters, "gated.gamma") * means.view(rstd, "gated")
        shift = parts.view(state.parameters, "gated.beta") - scale * means.view(state.means, "gated")
        # from the second layer on, half of the variance: of the first half of what is gated it can be taken beforehand
        for tensor in (scale, shift):
            tensor[:, :, 1:, : config.width] *= HALF
        self._gated = [
            [
                _effective(parts.view(state.parameters, layout.weight(t, i)), scale[:, t, i], shift[:, t, i])
                for i in range(config.depth)
            ]
            for t in range(config.n_steps + 1)
        ]
        scale = parts.view(state.parameters, "attention.gamma") * means.view(rstd, "attention")
        shift = parts.view(state.parameters, "attention.beta") - scale * means.view(state.means, "attention")
        self._attention = [
            _effective(parts.view(state.parameters, f"attention.{k}"), scale[:, k], shift[:, k])
            for k in range(config.n_steps)
        ]
        self._final = parts.view(state.parameters, "final")[:, None].clone()
        scale = parts.view(state.parameters, "initial.gamma") * (state.initial_variance + BATCH_NORM_EPSILON).rsqrt()
        self._input_scale = scale[:, :, None]
        self._input_shift = (parts.view(state.parameters, "initial.beta") - scale * state.initial_mean)[:, :, None]
        embedding = embedding_matrix(layout, state.parameters)
        self._embedding = None if embedding is None else embedding.transpose(1, 2).contiguous()

    def predict(self, raw: torch.Tensor) -> torch.Tensor:
        """Predictions (M, N) for raw columns (M, columns, N)."""
        blocks = [self._run(block, None) for block in raw.split(_BLOCK, 2)]
        return torch.cat(blocks, 1) if blocks else raw.new_zeros(self._models, 0)

    def explain(self, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Predictions (M, N), importances (M, embedded columns, N) and masks (M, steps, embedded columns, N)."""
        predictions, importances, masks = [], [], []
        for block in raw.split(_BLOCK, 2):
            found: list[tuple[torch.Tensor, torch.Tensor]] = []
            predictions.append(self._run(block, found))
            importances.append(torch.stack([mask * weight for mask, weight in found]).sum(0))
            masks.append(torch.stack([mask for mask, _ in found], 1))
        return torch.cat(predictions, 1), torch.cat(importances, 2), torch.cat(masks, 3)

    def _run(self, raw: torch.Tensor, found: list[tuple[torch.Tensor, torch.Tensor]] | None) -> torch.Tensor:
        config = self.layout.config
        rows, columns = raw.shape[2], config.embedded_dim
        embedded = raw if self._embedding is None else torch.bmm(self._embedding, raw)
        wide = raw.new_ones(self._models, columns + 1, rows)
        x = torch.addcmul(self._input_shift, embedded, self._input_scale, out=wide[:, :columns])
        scratch = (
            raw.new_empty(self._models, 2 * config.width, rows),
            raw.new_empty(self._models, config.width, rows),
            raw.new_ones(2, self._models, config.width + 1, rows),
        )
        hidden = self._transform(0, wide, scratch)
        masked = torch.ones_like(wide)
        prior: torch.Tensor | None = None
        decided: torch.Tensor | None = None
        for k in range(config.n_steps):
            scores = torch.bmm(self._attention[k], hidden[:, config.n_d :])
            mask = self._mask(scores if prior is None else scores.mul_(prior))
            spread = spread_mask(mask, self._groups_of)
            torch.mul(spread, x, out=masked[:, :columns])
            if k + 1 < config.n_steps:
                left = torch.sub(config.gamma, mask)
                prior = left if prior is None else left.mul_(prior)
            hidden = self._transform(k + 1, masked, scratch)
            decision = hidden[:, : config.n_d].clamp_min(0)
            if found is not None:
                found.append((spread, decision.sum(1, keepdim=True)))
            decided = decision if decided is None else decided.add_(decision)
        assert decided is not None
        return torch.bmm(self._final, decided)[:, 0]

    def _transform(
        self, t: int, inputs: torch.Tensor, scratch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        z, gated, hidden = scratch
        for i, effective in enumerate(self._gated[t]):
            torch.bmm(effective, inputs, out=z)
            outputs = hidden[i % 2]
            if i == 0:
                _glu(z, 1, out=outputs[:, :-1])
            else:
                _glu(z, 1, out=gated)
                torch.add(gated, inputs[:, :-1], alpha=HALF, out=outputs[:, :-1])
            inputs = outputs
        return inputs


def _effective(weight: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """(M, outputs, inputs + 1): the linear map, its norm and, in the last column, the shift."""
    return torch.cat([weight * scale[:, None], shift[:, None]], 1).transpose(1, 2).contiguous()
