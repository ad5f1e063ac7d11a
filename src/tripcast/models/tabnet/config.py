"""Hyper-parameters of TabNet, under pytorch-tabnet's names and with its defaults."""

from __future__ import annotations

from dataclasses import dataclass

MASKS = ("sparsemax", "entmax")


@dataclass(frozen=True)
class TabNetConfig:
    """What one TabNet regressor is and how it is trained; the same for all models of a batch.

    Args:
        input_dim: features.
        cat_idxs, cat_dims: columns that hold a category (0 to dim - 1; negative columns count from the end) and how many
            categories each has.
        cat_emb_dim: width of an embedded category.
        n_d, n_a: width of the decision and of the attention.
        n_steps: decision steps.
        gamma: how often a feature may be used again by later steps; 1 is once.
        n_independent, n_shared: gated layers of a feature transformer, own and shared by all steps.
        epsilon: added to a mask before its logarithm.
        momentum: of ghost batch norm, for the running statistics.
        lambda_sparse: weight of the masks' entropy in the loss.
        clip_value: largest norm of a model's gradient; 0 for any.
        mask_type: ``sparsemax`` or ``entmax``.
        lr, betas, adam_epsilon: of Adam.
        step_size, step_gamma: StepLR, in epochs; None leaves the rate alone. It moves only where there is an eval set, as
            in pytorch-tabnet.
        max_epochs, patience: training ends after this many epochs in all, or without a better eval loss; 0 is no patience.
        batch_size, virtual_batch_size: rows of a gradient step and of a ghost batch.
        drop_last: leave out the last, smaller batch.

    Raises:
        ValueError: values with which there is no such network; the text names them.
    """

    input_dim: int
    cat_idxs: tuple[int, ...] = ()
    cat_dims: tuple[int, ...] = ()
    cat_emb_dim: int = 1
    n_d: int = 8
    n_a: int = 8
    n_steps: int = 3
    gamma: float = 1.3
    n_independent: int = 2
    n_shared: int = 2
    epsilon: float = 1e-15
    momentum: float = 0.02
    lambda_sparse: float = 1e-3
    clip_value: float = 1.0
    mask_type: str = "sparsemax"
    lr: float = 2e-2
    betas: tuple[float, float] = (0.9, 0.999)
    adam_epsilon: float = 1e-8
    step_size: int | None = None
    step_gamma: float = 0.1
    max_epochs: int = 100
    patience: int = 10
    batch_size: int = 1024
    virtual_batch_size: int = 128
    drop_last: bool = True

    def __post_init__(self) -> None:
        for name in ("input_dim", "n_d", "n_a", "n_steps", "cat_emb_dim", "batch_size", "virtual_batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if self.n_independent + self.n_shared < 1:
            raise ValueError("n_independent and n_shared are both 0: a feature transformer needs a layer")
        if self.mask_type not in MASKS:
            raise ValueError(f"mask_type is {self.mask_type!r}: it must be one of {', '.join(MASKS)}")
        if len(self.cat_idxs) != len(self.cat_dims):
            raise ValueError(
                f"cat_idxs has {len(self.cat_idxs)} columns and cat_dims {len(self.cat_dims)}: one dim each"
            )
        for column in self.cat_idxs:
            if not -self.input_dim <= column < self.input_dim:
                raise ValueError(f"cat_idxs has {column}: there are {self.input_dim} columns")

    @property
    def categories(self) -> list[tuple[int, int]]:
        """(column counted from 0, categories), by column."""
        columns = [column % self.input_dim for column in self.cat_idxs]
        return sorted(zip(columns, self.cat_dims, strict=True))

    @property
    def embedded_dim(self) -> int:
        """Columns once categories are embedded."""
        return self.input_dim + len(self.cat_idxs) * (self.cat_emb_dim - 1)

    @property
    def width(self) -> int:
        """Of what a feature transformer gives."""
        return self.n_d + self.n_a

    @property
    def depth(self) -> int:
        """Gated layers of a feature transformer."""
        return self.n_shared + self.n_independent

    def layer_input(self, layer: int) -> int:
        """Width of what goes into a gated layer, counted from 0 within its transformer."""
        return self.embedded_dim if layer == 0 else self.width
