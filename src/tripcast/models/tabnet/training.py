"""Training of M TabNets at once: batches, Adam, early stopping. What pytorch-tabnet's loop does for each, step by step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from tripcast.models.tabnet.config import TabNetConfig
from tripcast.models.tabnet.inference import InferencePass
from tripcast.models.tabnet.initial import Randomness
from tripcast.models.tabnet.layout import Layout, State
from tripcast.models.tabnet.network import TrainingPass, continuous_columns

_SHRINK = 0.75  # fewer models than this share still train: the others are taken out of the batch


@dataclass(frozen=True)
class Rows:
    """Rows of M models, each with its own number of them.

    Args:
        raw: (M, columns, N): continuous columns, then one column a category, 1 where a row is of it.
        target: (M, N), or None.
        counts: rows that a model has, the first of the N; the others are zeros.
    """

    raw: torch.Tensor
    target: torch.Tensor | None
    counts: torch.Tensor

    @classmethod
    def of(
        cls,
        layout: Layout,
        x: torch.Tensor,
        target: torch.Tensor | None = None,
        counts: torch.Tensor | None = None,
    ) -> Rows:
        """Rows from features (M, N, input_dim) as pytorch-tabnet takes them.

        Raises:
            ValueError: shapes that do not fit, or a category beyond those that the network knows.
        """
        config = layout.config
        if x.ndim != 3 or x.shape[2] != config.input_dim:
            raise ValueError(f"features are {tuple(x.shape)}: they must be (models, rows, {config.input_dim})")
        if target is not None and target.shape != x.shape[:2]:
            raise ValueError(f"targets are {tuple(target.shape)}: features ask for {tuple(x.shape[:2])}")
        if counts is None:
            counts = torch.full((x.shape[0],), x.shape[1], dtype=torch.int64)
        present = torch.arange(x.shape[1]) < counts[:, None]
        columns = [x[:, :, column] for column, _ in continuous_columns(layout)]
        for column, categories in config.categories:
            values = x[:, :, column].to(torch.int64)
            wrong = ((values < 0) | (values >= categories)) & present
            if bool(wrong.any()):
                value = int(values[wrong][0])
                raise ValueError(f"column {column} has category {value}: the network knows 0 to {categories - 1}")
            columns += [(values == category).to(x.dtype) for category in range(categories)]
        raw = torch.stack(columns, 1) * present[:, None].to(x.dtype)
        return cls(raw, None if target is None else target * present.to(x.dtype), counts)

    def take(self, models: torch.Tensor) -> Rows:
        """The rows of some models."""
        target = None if self.target is None else self.target.index_select(0, models)
        return Rows(self.raw.index_select(0, models), target, self.counts.index_select(0, models))


@dataclass
class History:
    """What a training did.

    Args:
        best_epoch: (M,), from 0, whose weights the model has.
        best_loss: (M,), mean squared error of the eval set then; infinite without one.
        epochs: (M,) that a model was trained.
        losses: per gradient step, if asked for: (M,).
    """

    best_epoch: torch.Tensor
    best_loss: torch.Tensor
    epochs: torch.Tensor
    losses: list[torch.Tensor] = field(default_factory=list)


class Batches:
    """The batches of an epoch, cut into ghost batches.

    Args:
        rows: with targets.
        config: batch sizes.

    Attributes:
        steps, chunks, width: gradient steps, ghost batches of a step, rows of a ghost batch: S, C, V.
    """

    def __init__(self, rows: Rows, config: TabNetConfig) -> None:
        assert rows.target is not None
        counts = [int(count) for count in rows.counts]
        sizes = [_batch_sizes(count, config) for count in counts]
        self.steps = max(map(len, sizes), default=0)
        cuts = {size: _ghost_sizes(size, config.virtual_batch_size) for of_model in sizes for size in of_model}
        self.chunks = max((len(cut) for cut in cuts.values()), default=0)
        self.width = max((max(cut) for cut in cuts.values()), default=0)
        models, longest = len(counts), rows.raw.shape[2]
        self._counts, self._longest = counts, longest
        places = torch.full((models, self.steps, self.chunks, self.width), longest, dtype=torch.int64)
        for model, of_model in enumerate(sizes):
            start = 0
            for step, size in enumerate(of_model):
                for chunk, cut in enumerate(cuts[size]):
                    places[model, step, chunk, :cut] = torch.arange(start, start + cut)
                    start += cut
        self._places = places.view(models, -1)
        valid = (places < longest).to(rows.raw.dtype)
        self.valid = valid.transpose(0, 1).contiguous()  # (S, M, C, V)
        # one more row, of zeros, for where there is none
        columns = torch.cat([rows.raw, rows.target[:, None]], 1)
        padded = torch.nn.functional.pad(columns, (0, 1)).transpose(1, 2).contiguous()
        self._flat = padded.view(models * (longest + 1), -1)
        self._offsets = (torch.arange(models) * (longest + 1))[:, None]

    def draw(self, randomness: Sequence[Randomness]) -> tuple[torch.Tensor, torch.Tensor]:
        """Raw columns (S, M x C, columns, V) and targets (S, M x C, V) of an epoch in new order."""
        order = torch.full((len(self._counts), self._longest + 1), self._longest, dtype=torch.int64)
        for model, (count, source) in enumerate(zip(self._counts, randomness, strict=True)):
            order[model, :count] = source.draw_order(count)
        index = (order.gather(1, self._places) + self._offsets).view(-1)
        drawn = self._flat.index_select(0, index)
        drawn = drawn.view(len(self._counts), self.steps, self.chunks, self.width, -1).permute(1, 0, 2, 4, 3)
        raw = drawn[:, :, :, :-1].flatten(1, 2).contiguous()
        return raw, drawn[:, :, :, -1].flatten(1, 2).contiguous()


def _batch_sizes(count: int, config: TabNetConfig) -> list[int]:
    full, rest = divmod(count, config.batch_size)
    return [config.batch_size] * full + ([rest] if rest and not config.drop_last else [])


def _ghost_sizes(size: int, most: int) -> list[int]:
    """As ``torch.chunk`` cuts a batch: equal parts but the last, so maybe fewer than asked for."""
    part = math.ceil(size / math.ceil(size / most))
    return [min(part, size - start) for start in range(0, size, part)]


class Adam:
    """Adam on one flat tensor of M models' parameters, of which each may pause.

    Args:
        parameters: (M, size), changed by ``step``.
        config: rates.
    """

    def __init__(self, parameters: torch.Tensor, config: TabNetConfig) -> None:
        self._parameters, self._config = parameters, config
        self.first = torch.zeros_like(parameters)
        self.second = torch.zeros_like(parameters)
        self.steps = torch.zeros(parameters.shape[0], 1, dtype=torch.float64)

    def take(self, models: torch.Tensor, parameters: torch.Tensor) -> Adam:
        """The same for some models, whose parameters are now elsewhere."""
        taken = Adam(parameters, self._config)
        taken.first, taken.second = self.first.index_select(0, models), self.second.index_select(0, models)
        taken.steps = self.steps.index_select(0, models)
        return taken

    def step(self, gradient: torch.Tensor, active: torch.Tensor, lr: float) -> None:
        """Moves the parameters of models that are active (M,); ``gradient`` is overwritten."""
        config = self._config
        first_beta, second_beta = config.betas
        if config.clip_value:
            norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
            gradient.mul_((config.clip_value / norm.add_(1e-6)).clamp_(max=1.0))
        moving = active[:, None].to(torch.float64)
        self.steps += moving
        taken = self.steps.clamp_min(1)
        size = (lr / (1 - first_beta**taken) * moving).to(gradient.dtype)
        root = (1 - second_beta**taken).sqrt_().to(gradient.dtype)
        if bool(active.all()):
            self.first.lerp_(gradient, 1 - first_beta)
            self.second.mul_(second_beta).addcmul_(gradient, gradient, value=1 - second_beta)
        else:
            self.first.lerp_(gradient, ((1 - first_beta) * moving).to(gradient.dtype))
            self.second.mul_((1 - (1 - second_beta) * moving).to(gradient.dtype))
            gradient.mul_(moving.to(gradient.dtype))  # 0 x a gradient that is not a number must not spread
            self.second.addcmul_(gradient, gradient, value=1 - second_beta)
        denominator = self.second.sqrt().div_(root).add_(config.adam_epsilon)
        self._parameters.addcmul_(torch.div(self.first, denominator, out=denominator), size, value=-1)


def train(
    layout: Layout,
    state: State,
    rows: Rows,
    evaluation: Rows | None,
    randomness: Sequence[Randomness],
    want_losses: bool = False,
) -> History:
    """Trains all models of a state.

    Args:
        layout: of the networks.
        state: of M models, changed.
        rows: to train on, with targets.
        evaluation: rows for early stopping, with targets; the weights of the best epoch are kept.
        randomness: of each model.
        want_losses: whether to keep the loss of each step.
    """
    config = layout.config
    models = state.parameters.shape[0]
    history = History(
        torch.zeros(models, dtype=torch.int64),
        torch.full((models,), math.inf, dtype=torch.float64),
        torch.zeros(models, dtype=torch.int64),
    )
    stops = evaluation is not None and config.patience > 0
    best = State(*(tensor.clone() for tensor in state.tensors())) if stops else state
    wait = torch.zeros(models, dtype=torch.int64)
    going = torch.arange(models)  # the models in the batch, by their numbers
    running = torch.ones(models, dtype=torch.bool)  # those of them that still train
    now, sources = state, list(randomness)
    adam = Adam(now.parameters, config)
    batches = Batches(rows, config)
    training = TrainingPass(layout, now, batches.chunks, batches.width) if batches.steps else None
    lr = config.lr
    for epoch in range(config.max_epochs):
        raw, target = batches.draw(sources)
        if training is not None:
            for step in range(batches.steps):
                training.fill(batches.valid[step])
                loss = training.run(raw[step], target[step], want_losses)
                adam.step(training.gradient, training.active, lr)
                if loss is not None:
                    history.losses.append(loss)
        history.epochs[going[running]] = epoch + 1
        if evaluation is None:
            continue
        for source in sources:
            source.skip_evaluation()
        losses = _mean_squared_error(InferencePass(layout, now), evaluation)
        if stops:
            better = (losses < history.best_loss[going]) & running
            winners = going[better]
            history.best_loss[winners], history.best_epoch[winners] = losses[better], epoch
            best.put(winners, now.take(better.nonzero()[:, 0]))
            wait[going] = torch.where(better, 0, wait[going])
            running &= better | (wait[going] < config.patience)
            wait[going] += 1
        if config.step_size:
            lr = config.lr * config.step_gamma ** ((epoch + 1) // config.step_size)
        if not bool(running.any()):
            break
        left = int(running.sum())
        if left <= _SHRINK * len(going) and epoch + 1 < config.max_epochs:
            kept = running.nonzero()[:, 0]
            now, going = now.take(kept), going[kept]
            rows, evaluation = rows.take(kept), evaluation.take(kept)
            sources = [sources[int(model)] for model in kept]
            adam = adam.take(kept, now.parameters)
            batches = Batches(rows, config)
            training = TrainingPass(layout, now, batches.chunks, batches.width) if batches.steps else None
            running = torch.ones(left, dtype=torch.bool)
    if stops:
        trained = history.best_loss < math.inf
        # without a single finite loss the last weights stay, as nothing was better
        numbers = trained.nonzero()[:, 0]
        state.put(numbers, best.take(numbers))
    return history


def _mean_squared_error(inference: InferencePass, rows: Rows) -> torch.Tensor:
    """Per model, over the rows that it has (M,), in float64; not a number where it has none."""
    assert rows.target is not None
    error = inference.predict(rows.raw).sub_(rows.target)
    present = torch.arange(error.shape[1]) < rows.counts[:, None]
    error = torch.where(present, error, error.new_zeros(()))
    return (error * error).sum(1, dtype=torch.float64) / rows.counts
