"""Weights to and from pytorch-tabnet: the names and shapes of ``TabNetRegressor.network.state_dict()``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from tripcast.models.tabnet.layout import Layout, State

_UNUSED = "tabnet.initial_bn"  # pytorch-tabnet has this norm and never asks it


def read_weights(layout: Layout, state: State, model: int, weights: Mapping[str, torch.Tensor]) -> None:
    """Makes one model of a state what a pytorch-tabnet network is.

    Args:
        layout: of the networks; its config must be that of the network.
        state: changed.
        model: number of the model.
        weights: ``state_dict`` of the network.

    Raises:
        KeyError: a tensor is missing.
        ValueError: a tensor has another shape than the config asks for, or there are more than it has places for.
    """
    places = list(_places(layout, state, model))
    more = set(weights) - {name for name, _ in places} - set(_others(layout))
    if more:
        raise ValueError(f"the config has no place for {', '.join(sorted(more))}")
    for name, place in places:
        if name not in weights:
            raise KeyError(f"{name} is missing")
        if weights[name].shape != place.shape:
            raise ValueError(f"{name} is {tuple(weights[name].shape)}: the config asks for {tuple(place.shape)}")
        place.copy_(weights[name])


def write_weights(layout: Layout, state: State, model: int) -> dict[str, torch.Tensor]:
    """One model of a state as ``state_dict`` of a pytorch-tabnet network."""
    weights = {name: place.detach().clone() for name, place in _places(layout, state, model)}
    columns = layout.config.embedded_dim
    for name, values in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
        weights[f"{_UNUSED}.{name}"] = torch.full((columns,), values, dtype=state.parameters.dtype)
    for name in _others(layout):
        if name.endswith("num_batches_tracked"):
            weights[name] = torch.zeros((), dtype=torch.int64)
    return weights


def _places(layout: Layout, state: State, model: int) -> Iterator[tuple[str, torch.Tensor]]:
    """Every name, with the part of the state that it is (a view); a shared map has a name for each transformer too."""
    config = layout.config

    def part(name: str) -> torch.Tensor:
        return layout.parameters.view(state.parameters[model], name)

    def norm(
        prefix: str, gamma: torch.Tensor, beta: torch.Tensor, name: str, *at: int
    ) -> Iterator[tuple[str, torch.Tensor]]:
        yield f"{prefix}.weight", gamma
        yield f"{prefix}.bias", beta
        yield f"{prefix}.running_mean", layout.means.view(state.means[model], name)[at]
        yield f"{prefix}.running_var", layout.means.view(state.variances[model], name)[at]

    for number in range(len(config.categories)):
        yield f"embedder.embeddings.{number}.weight", part(f"embedding.{number}")
    encoder = "tabnet.encoder"
    yield f"{encoder}.initial_bn.weight", part("initial.gamma")
    yield f"{encoder}.initial_bn.bias", part("initial.beta")
    yield f"{encoder}.initial_bn.running_mean", state.initial_mean[model]
    yield f"{encoder}.initial_bn.running_var", state.initial_variance[model]
    for t, prefix in enumerate(_transformers(layout)):
        for i in range(config.depth):
            layer = _layer(layout, prefix, i)
            weight = part(layout.weight(t, i)).T
            yield f"{layer}.fc.weight", weight
            if i < config.n_shared:
                yield f"{prefix}.shared.shared_layers.{i}.weight", weight
            gamma, beta = part("gated.gamma")[t, i], part("gated.beta")[t, i]
            yield from norm(f"{layer}.bn.bn", gamma, beta, "gated", t, i)
    for k in range(config.n_steps):
        prefix = f"{encoder}.att_transformers.{k}"
        yield f"{prefix}.fc.weight", part(f"attention.{k}").T
        yield from norm(f"{prefix}.bn.bn", part("attention.gamma")[k], part("attention.beta")[k], "attention", k)
    yield "tabnet.final_mapping.weight", part("final")[None]


def _transformers(layout: Layout) -> list[str]:
    steps = range(layout.config.n_steps)
    return ["tabnet.encoder.initial_splitter", *(f"tabnet.encoder.feat_transformers.{step}" for step in steps)]


def _layer(layout: Layout, prefix: str, layer: int) -> str:
    shared = layout.config.n_shared
    return (
        f"{prefix}.shared.glu_layers.{layer}" if layer < shared else f"{prefix}.specifics.glu_layers.{layer - shared}"
    )


def _others(layout: Layout) -> list[str]:
    """Names that hold nothing we need."""
    tracked = "num_batches_tracked"
    names = [f"{_UNUSED}.{name}" for name in ("weight", "bias", "running_mean", "running_var", tracked)]
    names.append(f"tabnet.encoder.initial_bn.{tracked}")
    for prefix in _transformers(layout):
        names += [f"{_layer(layout, prefix, layer)}.bn.bn.{tracked}" for layer in range(layout.config.depth)]
    return names + [f"tabnet.encoder.att_transformers.{k}.bn.bn.{tracked}" for k in range(layout.config.n_steps)]
