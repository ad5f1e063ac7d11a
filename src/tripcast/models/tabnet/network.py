"""One gradient step's passes through M TabNets at once, without autograd.

Everything is laid out (groups, features, rows), a group being one ghost batch of one model: halves of a gated layer, decision
and attention are then whole blocks of memory, and all products are batched over groups. All memory and all views are made
once; a step is about 650 kernels whatever the number of models.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tripcast.models.tabnet.layout import Layout, State
from tripcast.models.tabnet.masks import MASKS
from tripcast.models.tabnet.normed import BATCH_NORM_EPSILON, GhostBatches, Gradients, NormedLinear, Scratch

# pytorch-tabnet halves variances by a square root that it takes in float32, whatever the rest is
HALF = float(torch.tensor(0.5, dtype=torch.float32).sqrt())
INPUT_MOMENTUM = 0.01

_glu = torch.ops.aten.glu.out
_glu_backward = torch.ops.aten.glu_backward.grad_input


@dataclass
class _Gated:
    """A gated layer: z normed, then z_a * sigmoid(z_b); from the second layer on, half of what went in is added."""

    normed: NormedLinear
    z: torch.Tensor
    inputs: torch.Tensor  # without the row of ones
    gated: torch.Tensor  # where the product goes
    outputs: torch.Tensor  # without the row of ones
    residual: bool


@dataclass
class _Norms:
    """Norms of one kind, layer by layer: (..., M, O), and of each ghost batch (..., G, O)."""

    gamma: torch.Tensor
    beta: torch.Tensor
    mean: torch.Tensor
    variance: torch.Tensor
    of_gamma: torch.Tensor
    of_beta: torch.Tensor


class TrainingPass:
    """Forward and backward pass of a batch of C ghost batches of V rows for each of M models.

    Args:
        layout: of the networks.
        state: whose parameters are read and whose running statistics are moved.
        chunks, rows: C and V.
    """

    def __init__(self, layout: Layout, state: State, chunks: int, rows: int) -> None:
        config = layout.config
        models = state.parameters.shape[0]
        groups = models * chunks
        dtype = state.parameters.dtype
        width, depth, steps, features = config.width, config.depth, config.n_steps, config.embedded_dim

        def new(*shape: int) -> torch.Tensor:
            return torch.zeros(*shape, dtype=dtype)

        self.layout, self.state = layout, state
        self.models, self.chunks, self.rows, self.groups = models, chunks, rows, groups
        self.gradient = torch.zeros_like(state.parameters)
        self._ghosts = GhostBatches(models, chunks, new(groups, 1, 1))
        self._forward_mask, self._backward_mask = MASKS[config.mask_type]
        parts = layout.parameters

        scratch = Scratch(dtype)
        # parameters and statistics of norms, layer by layer; half of the variance is folded into the scale of what is gated
        gated = (steps + 1, depth)
        self._fold = new(*gated, 1, 2 * width).fill_(1)
        self._fold[:, 1:, :, :width] = HALF
        self._norms = {
            name: _Norms(
                new(*shape[:-1], models, shape[-1]),
                new(*shape[:-1], models, shape[-1]),
                *(new(*shape[:-1], groups, shape[-1]) for _ in range(4)),
            )
            for name, shape in layout.means.shapes.items()
        }

        # inputs and masked inputs, with their row of ones
        self._wide = new(1 + steps, groups, features + 1, rows)
        self._x = self._wide[0][:, :features]
        self._x_m = self._x.view(models, chunks, features, rows)
        self._hidden = new(*gated, groups, width + 1, rows)
        self._ones = (self._wide[:, :, features], self._hidden[:, :, :, width])
        self._gated_scratch = new(groups, width, rows)
        self._z_gradient = new(groups, 2 * width, rows)
        self._of_weights = {
            name: new(models, *shape)
            for name, shape in parts.shapes.items()
            if name.startswith(("shared.", "own.")) or name in {f"attention.{k}" for k in range(steps)}
        }

        def normed(inputs: torch.Tensor, outputs: torch.Tensor, weight: str, name: str, *at: int) -> NormedLinear:
            norms = self._norms[name]
            # shared maps are met first in the last transformer
            accumulate = weight.startswith("shared.") and at[0] < steps
            return NormedLinear(
                self._ghosts,
                inputs,
                outputs,
                parts.view(state.parameters, weight),
                norms.gamma[at],
                norms.beta[at],
                norms.mean[at],
                norms.variance[at],
                Gradients(self._of_weights[weight], norms.of_gamma[at], norms.of_beta[at], accumulate),
                scratch,
            )

        self._transformers: list[list[_Gated]] = []
        for t in range(steps + 1):
            layers = []
            for i in range(depth):
                inputs = self._wide[t] if i == 0 else self._hidden[t, i - 1]
                z = new(groups, 2 * width, rows)
                outputs = self._hidden[t, i][:, :width]
                product = outputs if i == 0 else self._gated_scratch
                layer = normed(inputs, z, layout.weight(t, i), "gated", t, i)
                layers.append(_Gated(layer, z, inputs[:, :-1], product, outputs, residual=i > 0))
            self._transformers.append(layers)
        self._scores = [new(groups, config.input_dim, rows) for _ in range(steps)]
        self._attention = [
            normed(self._hidden[k, depth - 1][:, config.n_d :], self._scores[k], f"attention.{k}", "attention", k)
            for k in range(steps)
        ]
        self._groups_of = group_matrix(layout, dtype)
        self._masks = [new(0)] * steps
        self._spread_masks = [new(0)] * steps
        self._priors = [new(0)] * (steps + 1)
        self._decided = new(groups, config.n_d, rows)
        self._of_hidden = new(groups, width, rows)
        self._of_masked = new(groups, features, rows)
        self._of_x = new(groups, features, rows)
        self._of_attention = new(groups, config.n_a, rows)
        self._filled: torch.Tensor | None = None

    def fill(self, valid: torch.Tensor) -> None:
        """Takes which rows of the batch there are.

        Args:
            valid: (M, C, V), 1 or 0; ghost batches begin with their rows, and those without any come last.
        """
        if self._filled is not None and torch.equal(valid, self._filled):
            return
        self._filled = valid.clone()
        config = self.layout.config
        ones = valid.reshape(self.groups, self.rows)
        for place in self._ones:
            place.copy_(ones)
        count = valid.sum(2)
        self._ghosts.inverse.copy_(count.clamp_min(1).reciprocal().view(self.groups, 1, 1))
        batch = count.sum(1)  # rows of a model
        self.active = batch > 0
        self._batch_inverse = batch.clamp_min(1).reciprocal()
        self._valid = ones[:, None]
        per_row = (valid * self._batch_inverse[:, None, None]).view(self.groups, 1, self.rows)
        self._entropy_weight = per_row * (-config.lambda_sparse / config.n_steps)
        self._error_weight = 2 * per_row[:, 0]
        # running statistics take the ghost batches one after the other
        full = (count > 0).to(valid.dtype)
        later = full.sum(1, keepdim=True) - full.cumsum(1)
        weights = config.momentum * (1 - config.momentum) ** later * full
        self._mean_weights = weights[:, :, None]
        self._variance_weights = (weights * count / (count - 1).clamp_min(1))[:, :, None]
        self._decay = (1 - config.momentum) ** full.sum(1, keepdim=True)
        self._input_momentum = INPUT_MOMENTUM * self.active[:, None].to(valid.dtype)
        self._unbiased = (batch / (batch - 1).clamp_min(1))[:, None]

    def run(self, raw: torch.Tensor, target: torch.Tensor, want_loss: bool = False) -> torch.Tensor | None:
        """Leaves the gradient of the loss in ``gradient`` (M, parameters) and moves the running statistics.

        Args:
            raw: (G, columns, V) as ``training.Rows`` lays them out: zeros where there is no row.
            target: (G, V).

        Returns:
            the loss before the step (M,), if asked for.
        """
        self._normalize_input(raw)
        self._take_norms()
        error = self._forward(target)
        loss = self._loss(error) if want_loss else None
        self._backward(error.mul_(self._error_weight))
        self._input_backward(raw)
        self._collect_gradients()
        self._move_statistics()
        return loss

    def _take_norms(self) -> None:
        """Copies scales and shifts of all norms out of the flat parameters."""
        parts, parameters = self.layout.parameters, self.state.parameters
        for name, norms in self._norms.items():
            for part, place in (("gamma", norms.gamma), ("beta", norms.beta)):
                place.copy_(parts.view(parameters, f"{name}.{part}").movedim(0, -2))
                if name == "gated":
                    place.mul_(self._fold)

    def _collect_gradients(self) -> None:
        """Copies what the normed linear maps found into the flat gradient."""
        parts = self.layout.parameters
        for name, found in self._of_weights.items():
            parts.view(self.gradient, name).copy_(found)
        for name, norms in self._norms.items():
            for part, of_groups in (("gamma", norms.of_gamma), ("beta", norms.of_beta)):
                found = of_groups.unflatten(-2, (self.models, self.chunks)).sum(-2)
                if name == "gated":
                    found.mul_(self._fold)
                parts.view(self.gradient, f"{name}.{part}").copy_(found.movedim(-2, 0))

    # forward

    def _normalize_input(self, raw: torch.Tensor) -> None:
        layout, state = self.layout, self.state
        embedding = embedding_matrix(layout, state.parameters)
        if embedding is not None:
            matrix = embedding.transpose(1, 2)[:, None].expand(-1, self.chunks, -1, -1).flatten(0, 1)
            raw = torch.bmm(matrix, raw)
        x = raw.view(self.models, self.chunks, -1, self.rows)
        inverse = self._batch_inverse[:, None]
        mean = x.sum((1, 3)).mul_(inverse)
        centred = (x - mean[:, None, :, None]).mul_(self._valid.view(self.models, self.chunks, 1, self.rows))
        variance = (centred * centred).sum((1, 3)).mul_(inverse)
        self._input_rstd = (variance + BATCH_NORM_EPSILON).rsqrt_()[:, None, :, None]
        self._input_normed = centred.mul_(self._input_rstd)
        gamma = layout.parameters.view(state.parameters, "initial.gamma")[:, None, :, None]
        beta = layout.parameters.view(state.parameters, "initial.beta")[:, None, :, None]
        torch.mul(self._input_normed, gamma, out=self._x_m)
        self._x_m.addcmul_(beta, self._valid.view(self.models, self.chunks, 1, self.rows))
        state.initial_mean.lerp_(mean, self._input_momentum)
        state.initial_variance.lerp_(variance.mul_(self._unbiased), self._input_momentum)

    def _transform(self, t: int) -> torch.Tensor:
        for layer in self._transformers[t]:
            layer.normed.forward()
            _glu(layer.z, 1, out=layer.gated)
            if layer.residual:
                torch.add(layer.gated, layer.inputs, alpha=HALF, out=layer.outputs)
        return self._transformers[t][-1].outputs

    def _forward(self, target: torch.Tensor) -> torch.Tensor:
        """Answers predictions less targets (G, V)."""
        config = self.layout.config
        self._transform(0)
        for k in range(config.n_steps):
            self._attention[k].forward()
            scores = self._scores[k] if k == 0 else self._scores[k] * self._priors[k]
            mask = self._forward_mask(scores)
            self._masks[k] = mask
            self._spread_masks[k] = spread_mask(mask, self._groups_of)
            torch.mul(self._spread_masks[k], self._x, out=self._wide[k + 1][:, :-1])
            if k + 1 < config.n_steps:
                left = torch.sub(config.gamma, mask)
                self._priors[k + 1] = left if k == 0 else left.mul_(self._priors[k])
            decision = self._transform(k + 1)[:, : config.n_d]
            if k == 0:
                torch.clamp_min(decision, 0, out=self._decided)
            else:
                self._decided += decision.clamp_min(0)
        self._final = self.layout.parameters.view(self.state.parameters, "final")[:, None, :, None]
        weighted = self._decided.view(self.models, self.chunks, config.n_d, self.rows) * self._final
        return weighted.sum(2).view(self.groups, self.rows).sub_(target)

    def _loss(self, error: torch.Tensor) -> torch.Tensor:
        """Squared error less ``lambda_sparse`` x the masks' negative entropy, per model."""
        config = self.layout.config
        loss = (error * error * self._error_weight).sum(1) / 2
        for mask in self._masks:
            loss = loss + (mask * (mask + config.epsilon).log() * self._entropy_weight).sum((1, 2))
        return loss.view(self.models, self.chunks).sum(1)

    # backward

    def _transform_backward(self, t: int, of_inputs: torch.Tensor, keep: float) -> None:
        """From the gradient of the transformer's outputs in ``_of_hidden`` to that of its inputs."""
        for layer in reversed(self._transformers[t]):
            _glu_backward(self._of_hidden, layer.z, 1, grad_input=self._z_gradient)
            if layer.residual:
                layer.normed.backward(self._z_gradient, self._of_hidden, HALF)
            else:
                layer.normed.backward(self._z_gradient, of_inputs, keep)

    def _backward(self, of_prediction: torch.Tensor) -> None:
        config, layout = self.layout.config, self.layout
        grouped = of_prediction.view(self.models, self.chunks, 1, self.rows)
        decided = self._decided.view(self.models, self.chunks, config.n_d, self.rows)
        torch.sum(decided * grouped, (1, 3), out=layout.parameters.view(self.gradient, "final"))
        of_decided = (grouped * self._final).view(self.groups, config.n_d, self.rows)
        of_attended = self._of_hidden[:, config.n_d :]
        of_decision = self._of_hidden[:, : config.n_d]
        of_attended.zero_()  # nothing asks what the last step passes on
        of_prior: torch.Tensor | None = None
        for k in reversed(range(config.n_steps)):
            decision = self._transformers[k + 1][-1].outputs[:, : config.n_d]
            torch.ops.aten.threshold_backward.grad_input(of_decided, decision, 0, grad_input=of_decision)
            self._transform_backward(k + 1, self._of_masked, 0.0)
            mask = self._masks[k]
            if k == config.n_steps - 1:
                torch.mul(self._of_masked, self._spread_masks[k], out=self._of_x)
            else:
                self._of_x.addcmul_(self._of_masked, self._spread_masks[k])
            of_mask = gather_mask(self._of_masked.mul_(self._x), self._groups_of)
            # the derivative's second term, mask / (mask + epsilon), is the same for all features that a mask takes: no effect
            of_mask.addcmul_(torch.log(mask + config.epsilon), self._entropy_weight)
            if of_prior is not None:
                of_mask = of_mask - of_prior if k == 0 else torch.addcmul(of_mask, of_prior, self._priors[k], value=-1)
            of_scores = self._backward_mask(of_mask, mask)
            if k > 0:
                passed = of_scores * self._scores[k]
                of_prior = passed if of_prior is None else passed.addcmul_(of_prior, torch.sub(config.gamma, mask))
                of_scores.mul_(self._priors[k])
            self._attention[k].backward(of_scores, self._of_attention, 0.0)
            of_attended.copy_(self._of_attention)
        of_decision.zero_()
        self._transform_backward(0, self._of_x, 1.0)

    def _input_backward(self, raw: torch.Tensor) -> None:
        layout = self.layout
        of_x = self._of_x.view(self.models, self.chunks, -1, self.rows)
        of_gamma = layout.parameters.view(self.gradient, "initial.gamma")
        of_beta = layout.parameters.view(self.gradient, "initial.beta")
        torch.sum(of_x * self._input_normed, (1, 3), out=of_gamma)
        torch.sum(of_x * self._valid.view(self.models, self.chunks, 1, self.rows), (1, 3), out=of_beta)
        if not layout.config.categories:
            return
        gamma = layout.parameters.view(self.state.parameters, "initial.gamma")
        inverse = self._batch_inverse[:, None]
        through = (
            of_x - (of_beta * inverse)[:, None, :, None] - self._input_normed * (of_gamma * inverse)[:, None, :, None]
        )
        through.mul_(self._input_rstd).mul_(gamma[:, None, :, None])
        # columns of ``raw`` that say which category a row is of are zero where there is no row
        products = torch.bmm(raw, through.view(self.groups, -1, self.rows).transpose(1, 2))
        products = products.view(self.models, self.chunks, *products.shape[1:]).sum(1)
        for number, (rows, columns) in enumerate(embedding_blocks(layout)):
            layout.parameters.view(self.gradient, f"embedding.{number}").copy_(products[:, rows, columns])

    def _move_statistics(self) -> None:
        means = self.layout.means
        for name, norms in self._norms.items():
            for running, of_groups, weights in (
                (self.state.means, norms.mean, self._mean_weights),
                (self.state.variances, norms.variance, self._variance_weights),
            ):
                found = (of_groups.unflatten(-2, (self.models, self.chunks)) * weights).sum(-2).movedim(-2, 0)
                view = means.view(running, name)
                view.mul_(self._decay.view(-1, *(1,) * (view.ndim - 1))).add_(found)


# embeddings and groups of features


def embedding_blocks(layout: Layout) -> list[tuple[slice, slice]]:
    """For each categorical column: its columns among raw ones (one a category) and among embedded ones."""
    config = layout.config
    blocks, taken = [], 0
    raw = config.input_dim - len(config.categories)
    for number, (column, categories) in enumerate(config.categories):
        start = column + number * (config.cat_emb_dim - 1)
        blocks.append((slice(raw + taken, raw + taken + categories), slice(start, start + config.cat_emb_dim)))
        taken += categories
    return blocks


def continuous_columns(layout: Layout) -> list[tuple[int, int]]:
    """For each other column: where it is among the given and among the embedded ones."""
    config = layout.config
    found, shift = [], 0
    categorical = {column for column, _ in config.categories}
    for column in range(config.input_dim):
        if column in categorical:
            shift += config.cat_emb_dim - 1
        else:
            found.append((column, column + shift))
    return found


def embedding_matrix(layout: Layout, parameters: torch.Tensor) -> torch.Tensor | None:
    """(M, raw columns, embedded columns): what makes embedded columns of raw ones; None where they are the same."""
    config = layout.config
    if not config.categories:
        return None
    continuous = continuous_columns(layout)
    blocks = embedding_blocks(layout)
    matrix = torch.zeros(parameters.shape[0], blocks[-1][0].stop, config.embedded_dim, dtype=parameters.dtype)
    for raw, (_, embedded) in enumerate(continuous):
        matrix[:, raw, embedded] = 1
    for number, (rows, columns) in enumerate(blocks):
        matrix[:, rows, columns] = layout.parameters.view(parameters, f"embedding.{number}")
    return matrix


def group_matrix(layout: Layout, dtype: torch.dtype) -> torch.Tensor | None:
    """(input_dim, embedded_dim): how a feature's mask is shared by the columns of its embedding; None if one has one."""
    config = layout.config
    if config.embedded_dim == config.input_dim:
        return None
    matrix = torch.zeros(config.input_dim, config.embedded_dim, dtype=dtype)
    for column, embedded in continuous_columns(layout):
        matrix[column, embedded] = 1
    for (column, _), (_, columns) in zip(config.categories, embedding_blocks(layout), strict=True):
        matrix[column, columns] = 1 / config.cat_emb_dim
    return matrix


def spread_mask(mask: torch.Tensor, groups: torch.Tensor | None) -> torch.Tensor:
    """Masks of features (G, input_dim, V) as masks of embedded columns."""
    return mask if groups is None else torch.matmul(groups.T, mask)


def gather_mask(of_spread: torch.Tensor, groups: torch.Tensor | None) -> torch.Tensor:
    """The gradient's way back through ``spread_mask``."""
    return of_spread if groups is None else torch.matmul(groups, of_spread)
