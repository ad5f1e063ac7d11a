"""TabNet regressors for many series at once, with pytorch-tabnet's hyper-parameters and results."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from tripcast.models.tabnet.config import TabNetConfig
from tripcast.models.tabnet.exchange import read_weights, write_weights
from tripcast.models.tabnet.inference import InferencePass
from tripcast.models.tabnet.initial import Randomness
from tripcast.models.tabnet.layout import Layout, State
from tripcast.models.tabnet.network import continuous_columns, embedding_blocks
from tripcast.models.tabnet.training import History, Rows, train


@contextmanager
def _alone() -> Iterator[None]:
    """Without autograd, and in one thread: kernels are small, and cores are used by processes, each with other stations."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(threads)


class TabNetRegressors:
    """M TabNet regressors that learn side by side, each from its own rows.

    Args:
        config: hyper-parameters, the same for all.
        seeds: of each model, as pytorch-tabnet's ``seed``.
        dtype: of all computation.
    """

    def __init__(self, config: TabNetConfig, seeds: Sequence[int], dtype: torch.dtype = torch.float32) -> None:
        self.config = config
        self.layout = Layout.of(config)
        self._dtype = dtype
        self._randomness = [Randomness(seed) for seed in seeds]
        with torch.inference_mode():
            self.state = State.blank(self.layout, len(seeds), dtype)
            for model, source in enumerate(self._randomness):
                self.state.parameters[model] = source.draw_parameters(self.layout)
        self._inference: InferencePass | None = None
        self.importances: np.ndarray | None = None

    def fit(
        self,
        x: np.ndarray,
        y: np.ndarray,
        counts: np.ndarray | None = None,
        evaluation: tuple[np.ndarray, np.ndarray, np.ndarray | None] | None = None,
        want_losses: bool = False,
        want_importances: bool = False,
    ) -> History:
        """Trains all models.

        Args:
            x: features (M, N, input_dim).
            y: targets (M, N).
            counts: rows that each model has, the first of the N; by default all.
            evaluation: the same three for early stopping.
            want_losses: whether the answer has the loss of each gradient step.
            want_importances: whether to explain the training rows, as pytorch-tabnet always does, for ``importances``
                (M, input_dim): each feature's share of all decisions.
        """
        with _alone():
            rows = self._rows(x, y, counts)
            judged = None if evaluation is None else self._rows(*evaluation)
            history = train(self.layout, self.state, rows, judged, self._randomness, want_losses)
            self._inference = None
            if want_importances:
                _, importances, _ = self._ready().explain(rows.raw)
                present = torch.arange(x.shape[1]) < rows.counts[:, None]
                total = self._reduce(torch.where(present[:, None], importances, importances.new_zeros(()))).sum(2)
                self.importances = (total / total.sum(1, keepdim=True)).numpy()
        return history

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predictions (M, N) for features (M, N, input_dim)."""
        with _alone():
            return self._ready().predict(self._rows(x).raw).numpy()

    def explain(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Predictions and what they rest on.

        Returns:
            predictions (M, N); importances (M, N, input_dim), pytorch-tabnet's ``explain()[0]``; masks of each step
            (M, steps, N, input_dim), its ``explain()[1]``.
        """
        with _alone():
            predictions, importances, masks = self._ready().explain(self._rows(x).raw)
            reduced = self._reduce(importances).transpose(1, 2), self._reduce(masks).transpose(2, 3)
            return predictions.numpy(), reduced[0].contiguous().numpy(), reduced[1].contiguous().numpy()

    def read_weights(self, model: int, weights: Mapping[str, torch.Tensor]) -> None:
        """Takes a model's weights from pytorch-tabnet's ``network.state_dict()``; see ``exchange.read_weights``."""
        with torch.inference_mode():
            read_weights(self.layout, self.state, model, weights)
        self._inference = None

    def write_weights(self, model: int) -> dict[str, torch.Tensor]:
        """A model's weights for pytorch-tabnet's ``network.load_state_dict``."""
        written = write_weights(self.layout, self.state, model)
        return {name: tensor.clone() for name, tensor in written.items()}

    def dump(self) -> bytes:
        """The models as one ``.npz`` file: the config as JSON, and arrays."""
        buffer = io.BytesIO()
        names = ("parameters", "means", "variances", "initial_mean", "initial_variance")
        arrays: dict[str, Any] = {
            name: tensor.numpy() for name, tensor in zip(names, self.state.tensors(), strict=True)
        }
        config = np.frombuffer(json.dumps(asdict(self.config)).encode(), dtype=np.uint8)
        np.savez(buffer, config=config, **arrays)
        return buffer.getvalue()

    @classmethod
    def load(cls, payload: bytes) -> TabNetRegressors:
        """Models from what ``dump`` wrote. They can be asked, and trained no further."""
        with np.load(io.BytesIO(payload), allow_pickle=False) as stored:
            given = json.loads(stored["config"].tobytes().decode())
            made: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in given.items()
            }
            names = ("parameters", "means", "variances", "initial_mean", "initial_variance")
            tensors = [torch.from_numpy(stored[name]) for name in names]
        models = cls(TabNetConfig(**made), (), tensors[0].dtype)
        models.state = State(*tensors)
        return models

    @classmethod
    def merged(cls, config: TabNetConfig, parts: Sequence[TabNetRegressors]) -> TabNetRegressors:
        """All models of several, in turn. They can be asked, and trained no further."""
        models = cls(config, (), parts[0]._dtype if parts else torch.float32)
        if parts:
            models.state = State(
                *(torch.cat(tensors) for tensors in zip(*(part.state.tensors() for part in parts), strict=True))
            )
        return models

    def take(self, numbers: np.ndarray) -> TabNetRegressors:
        """Some models, by their numbers. They can be asked, and trained no further."""
        models = type(self)(self.config, (), self._dtype)
        models.state = self.state.take(torch.as_tensor(numbers, dtype=torch.int64))
        return models

    def _ready(self) -> InferencePass:
        if self._inference is None:
            self._inference = InferencePass(self.layout, self.state)
        return self._inference

    def _rows(self, x: np.ndarray, y: np.ndarray | None = None, counts: np.ndarray | None = None) -> Rows:
        # copies, as arrays that NumPy has broadcast are no tensors
        target = None if y is None else torch.tensor(y, dtype=self._dtype)
        number = None if counts is None else torch.tensor(counts, dtype=torch.int64)
        return Rows.of(self.layout, torch.tensor(x, dtype=self._dtype), target, number)

    def _reduce(self, columns: torch.Tensor) -> torch.Tensor:
        """Sums the columns of an embedding: (..., embedded columns, N) to (..., input_dim, N)."""
        config = self.config
        if config.embedded_dim == config.input_dim:
            return columns
        shape = (*columns.shape[:-2], config.input_dim, columns.shape[-1])
        reduced = columns.new_zeros(shape)
        for given, embedded in continuous_columns(self.layout):
            reduced[..., given, :] = columns[..., embedded, :]
        for (given, _), (_, block) in zip(config.categories, embedding_blocks(self.layout), strict=True):
            reduced[..., given, :] = columns[..., block, :].sum(-2)
        return reduced
