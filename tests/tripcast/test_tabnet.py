"""TabNet trained side by side against pytorch-tabnet, step by step and as a whole."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # threads that wait for each other at every small kernel are no help

from tripcast.models.tabnet.config import TabNetConfig  # noqa: E402
from tripcast.models.tabnet.masks import MASKS  # noqa: E402
from tripcast.models.tabnet.network import TrainingPass  # noqa: E402
from tripcast.models.tabnet.regressor import TabNetRegressors  # noqa: E402
from tripcast.models.tabnet.training import Adam, Batches  # noqa: E402

FEATURES = 7
BASE = TabNetConfig(FEATURES, batch_size=64, virtual_batch_size=32, max_epochs=2)
CONFIGS = {
    "defaults": BASE,
    "entmax": replace(BASE, mask_type="entmax"),
    "holiday": replace(BASE, cat_idxs=(-2,), cat_dims=(2,)),
    "wide embeddings": replace(BASE, cat_idxs=(1, 4), cat_dims=(3, 4), cat_emb_dim=2),
    "no shared layers": replace(BASE, n_shared=0),
    "no own layers": replace(BASE, n_independent=0),
    "other widths": replace(BASE, n_d=4, n_a=6, n_steps=2, n_shared=1, gamma=1.7, lambda_sparse=0.1),
    "last batch kept": replace(BASE, drop_last=False, virtual_batch_size=25),
    "one ghost batch": replace(BASE, virtual_batch_size=100),
}


def rows(config: TabNetConfig, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features (count, FEATURES), exact in float32, and targets (count,) that depend on them."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, FEATURES)).astype(np.float32).astype(np.float64)
    y = x @ random.normal(size=FEATURES) + np.abs(x[:, 0]) + 0.3 * random.normal(size=count)
    for column, categories in config.categories:
        x[:, column] = random.integers(0, categories, count)
    return x, y.astype(np.float32).astype(np.float64)


def oracle(config: TabNetConfig, seed: int, **changes: Any) -> Any:
    """pytorch-tabnet's regressor with its network made."""
    module = pytest.importorskip("pytorch_tabnet.tab_model")
    names = [
        "n_d",
        "n_a",
        "n_steps",
        "gamma",
        "n_independent",
        "n_shared",
        "epsilon",
        "momentum",
        "lambda_sparse",
        "mask_type",
        "cat_emb_dim",
    ]
    settings = {name: getattr(config, name) for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = module.TabNetRegressor(
            **settings,
            cat_idxs=list(config.cat_idxs),
            cat_dims=list(config.cat_dims),
            optimizer_params={"lr": config.lr},
            seed=seed,
            verbose=0,
            **changes,
        )
    model.input_dim, model.output_dim, model.virtual_batch_size = FEATURES, 1, config.virtual_batch_size
    model._set_network()
    return model


def in_float64(network: Any) -> Any:
    """The network with all that it computes with in float64; it has tensors that are no parameters."""
    network.double()
    for module in network.modules():
        for name in ("group_attention_matrix", "embedding_group_matrix"):
            if isinstance(getattr(module, name, None), torch.Tensor):
                setattr(module, name, getattr(module, name).double())
    return network


def largest_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    assert set(ours) == set(theirs)
    names = [name for name in theirs if not name.endswith("num_batches_tracked")]
    return max(float((ours[name].double() - theirs[name].double()).abs().max()) for name in names)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_initial_weights_are_those_of_pytorch_tabnet(config: TabNetConfig) -> None:
    ours = TabNetRegressors(config, [3, 11])
    for model, seed in enumerate((3, 11)):
        assert largest_difference(ours.write_weights(model), oracle(config, seed).network.state_dict()) == 0


class Told:
    """Randomness that gives the order it is told."""

    def __init__(self, order: Any) -> None:
        self.order = order

    def draw_order(self, count: int) -> Any:
        return self.order[:count]


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_first_ten_steps_are_those_of_pytorch_tabnet(config: TabNetConfig) -> None:
    x, y = rows(config, 150)
    theirs = oracle(config, 5)
    ours = TabNetRegressors(config, [5], torch.float64)
    network = in_float64(theirs.network).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=config.lr)
    generator = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        batches = Batches(ours._rows(x[None], y[None]), config)
        training = TrainingPass(ours.layout, ours.state, batches.chunks, batches.width)
        adam = Adam(ours.state.parameters, config)
    assert batches.steps == (2 if config.drop_last else 3)
    for step in range(10):
        order = torch.randperm(len(x), generator=generator)
        at = step % batches.steps
        chosen = order[at * config.batch_size : (at + 1) * config.batch_size]
        optimizer.zero_grad()
        predicted, entropy = network(torch.from_numpy(x)[chosen])
        loss = (
            torch.nn.functional.mse_loss(predicted, torch.from_numpy(y)[chosen, None]) - config.lambda_sparse * entropy
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip_value)
        optimizer.step()
        with torch.inference_mode():
            raw, target = batches.draw([Told(order)])  # type: ignore[list-item]
            training.fill(batches.valid[at])
            mine = training.run(raw[at], target[at], want_loss=True)
            adam.step(training.gradient, training.active, config.lr)
        assert mine is not None
        assert float(mine[0]) == pytest.approx(loss.item(), abs=1e-9)
    assert largest_difference(ours.write_weights(0), network.state_dict()) < 1e-9

    network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(x))[0][:, 0].numpy()
    np.testing.assert_allclose(ours.predict(x[None])[0], expected, atol=1e-7)


def fitted(
    model: Any, config: TabNetConfig, x: np.ndarray, y: np.ndarray, judged: tuple[np.ndarray, np.ndarray]
) -> Any:
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(
            x,
            y[:, None],
            eval_set=[(judged[0], judged[1][:, None])],
            max_epochs=config.max_epochs,
            patience=config.patience,
            batch_size=config.batch_size,
            virtual_batch_size=config.virtual_batch_size,
            drop_last=config.drop_last,
        )
    return model


@pytest.mark.parametrize("name", ["defaults", "holiday", "wide embeddings", "entmax"])
def test_loaded_weights_give_predictions_masks_and_importances(name: str) -> None:
    config = CONFIGS[name]
    x, y = rows(config, 200)
    theirs = fitted(oracle(config, 1), config, x, y, rows(config, 50, 1))
    both = np.stack([x, x])
    ours = TabNetRegressors(config, [0, 0])
    ours.read_weights(1, theirs.network.state_dict())
    predictions, importances, masks = ours.explain(both)
    expected_importances, expected_masks = theirs.explain(x)
    np.testing.assert_allclose(predictions[1], theirs.predict(x)[:, 0], atol=1e-3)
    np.testing.assert_allclose(importances[1], expected_importances, atol=1e-3)
    for step in range(config.n_steps):
        np.testing.assert_allclose(masks[1, step], expected_masks[step], atol=1e-3)
    assert (ours.predict(both) == predictions).all()

    # float32 rounds: in float64 they are the same
    exact = TabNetRegressors(config, [0], torch.float64)
    exact.read_weights(0, theirs.network.state_dict())
    network = in_float64(theirs.network)
    with torch.no_grad():
        expected = network(torch.from_numpy(x))[0][:, 0].numpy()
        exact_masks = network.forward_masks(torch.from_numpy(x))[1]
    predictions, _, masks = exact.explain(x[None])
    np.testing.assert_allclose(predictions[0], expected, atol=1e-9)
    for step in range(config.n_steps):
        np.testing.assert_allclose(masks[0, step], exact_masks[step].numpy() @ theirs.reducing_matrix, atol=1e-9)


def test_weights_go_back_to_pytorch_tabnet() -> None:
    config = CONFIGS["wide embeddings"]
    x, y = rows(config, 150)
    ours = TabNetRegressors(config, [2])
    ours.fit(x[None], y[None])
    theirs = oracle(config, 9)
    theirs.network.load_state_dict(ours.write_weights(0))
    theirs.network.eval()
    np.testing.assert_allclose(theirs.predict(x)[:, 0], ours.predict(x[None])[0], atol=1e-3)


@pytest.mark.parametrize("name", ["defaults", "holiday"])
def test_a_whole_fit_is_that_of_pytorch_tabnet(name: str) -> None:
    """Same seed, same rows: same order of rows, same epochs, same model. float32 rounds, and training magnifies that."""
    config = replace(CONFIGS[name], max_epochs=4, patience=2, lr=0.005, step_size=2, step_gamma=0.5)
    x, y = rows(config, 180)
    judged = rows(config, 60, 1)
    theirs = oracle(
        config, 4, scheduler_fn=torch.optim.lr_scheduler.StepLR, scheduler_params={"step_size": 2, "gamma": 0.5}
    )
    fitted(theirs, config, x, y, judged)
    ours = TabNetRegressors(config, [4])
    history = ours.fit(x[None], y[None], None, (judged[0][None], judged[1][None], None), want_importances=True)
    assert int(history.best_epoch[0]) == theirs.best_epoch
    assert float(history.best_loss[0]) == pytest.approx(float(theirs.best_cost), rel=0.01)
    assert int(history.epochs[0]) == len(theirs.history["loss"])
    np.testing.assert_allclose(ours.predict(x[None])[0], theirs.predict(x)[:, 0], atol=0.05)
    assert ours.importances is not None
    np.testing.assert_allclose(ours.importances[0], theirs.feature_importances_, atol=0.02)


def test_models_with_fewer_rows_and_stopped_ones_are_as_if_alone() -> None:
    config = replace(BASE, max_epochs=8, patience=1, lr=0.05, drop_last=False)
    counts = np.array([40, 150, 97, 64])
    x, y, judged_x, judged_y = (
        np.zeros((4, 150, FEATURES)),
        np.zeros((4, 150)),
        np.zeros((4, 30, FEATURES)),
        np.zeros((4, 30)),
    )
    for model, count in enumerate(counts):
        x[model, :count], y[model, :count] = rows(config, count, model)
        judged_x[model], judged_y[model] = rows(config, 30, 10 + model)
    x[0, 40:], y[0, 40:] = 1e6, np.nan  # rows that are not there are never looked at
    together = TabNetRegressors(config, [0, 1, 2, 3], torch.float64)
    history = together.fit(np.nan_to_num(x), np.nan_to_num(y), counts, (judged_x, judged_y, None))
    assert len(set(history.epochs.tolist())) > 1
    for model, count in enumerate(counts):
        alone = TabNetRegressors(config, [model], torch.float64)
        one = alone.fit(
            x[model : model + 1, :count],
            y[model : model + 1, :count],
            None,
            (judged_x[model : model + 1], judged_y[model : model + 1], None),
        )
        assert int(one.best_epoch[0]) == int(history.best_epoch[model])
        expected = alone.predict(judged_x[model : model + 1])[0]
        np.testing.assert_allclose(together.predict(judged_x)[model], expected, atol=1e-6)


def test_a_model_without_a_batch_keeps_its_initial_weights() -> None:
    counts = np.array([30, 100])
    x, y = rows(BASE, 100)
    models = TabNetRegressors(BASE, [0, 0])
    before = models.write_weights(0)
    models.fit(np.stack([x, x]), np.stack([y, y]), counts)
    assert largest_difference(models.write_weights(0), before) == 0
    assert largest_difference(models.write_weights(1), before) > 0


def test_dumped_models_answer_the_same() -> None:
    config = CONFIGS["holiday"]
    x, y = rows(config, 130)
    models = TabNetRegressors(config, [1, 2])
    models.fit(np.stack([x, x]), np.stack([y, y]))
    payload = models.dump()
    loaded = TabNetRegressors.load(payload)
    assert loaded.config == config
    assert (loaded.predict(np.stack([x, x])) == models.predict(np.stack([x, x]))).all()
    assert loaded.dump() == payload


scores = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 4)), elements=st.floats(-50, 50)
)


@settings(max_examples=60, deadline=None)
@given(scores)
def test_sparsemax_is_the_nearest_point_of_the_simplex(values: np.ndarray) -> None:
    mask = MASKS["sparsemax"][0](torch.from_numpy(values)).numpy()
    ordered = -np.sort(-values, axis=1)
    count = np.arange(1, values.shape[1] + 1)[None, :, None]
    threshold = (ordered.cumsum(1) - 1) / count
    support = (ordered > threshold).sum(1, keepdims=True)
    expected = np.maximum(values - np.take_along_axis(threshold, support - 1, 1), 0)
    np.testing.assert_allclose(mask, expected, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(scores, st.sampled_from(sorted(MASKS)))
def test_masks_are_shares_that_do_not_mind_a_shift(values: np.ndarray, name: str) -> None:
    mask = MASKS[name][0](torch.from_numpy(values))
    assert float(mask.min()) >= 0
    np.testing.assert_allclose(mask.sum(1).numpy(), 1, atol=1e-7)
    np.testing.assert_allclose(MASKS[name][0](torch.from_numpy(values + 3)).numpy(), mask.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"input_dim": 0}, "input_dim is 0"),
        ({"mask_type": "softmax"}, "'softmax'"),
        ({"n_shared": 0, "n_independent": 0}, "needs a layer"),
        ({"cat_idxs": (9,), "cat_dims": (2,)}, "has 9"),
        ({"cat_idxs": (1,)}, "one dim each"),
    ],
)
def test_a_network_that_cannot_be_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(BASE, **change)


def test_wrong_rows_and_weights_are_refused() -> None:
    config = CONFIGS["holiday"]
    x, y = rows(config, 70)
    models = TabNetRegressors(config, [0])
    with pytest.raises(ValueError, match=r"must be \(models, rows, 7\)"):
        models.predict(x[None, :, :5])
    with pytest.raises(ValueError, match="targets are"):
        models.fit(x[None], y[None, :5])
    x[3, 5] = 2
    with pytest.raises(ValueError, match="column 5 has category 2: the network knows 0 to 1"):
        models.predict(x[None])
    weights = models.write_weights(0)
    missing = {name: tensor for name, tensor in weights.items() if name != "tabnet.final_mapping.weight"}
    with pytest.raises(KeyError, match="final_mapping"):
        models.read_weights(0, missing)
    with pytest.raises(ValueError, match="no place for other"):
        models.read_weights(0, {**weights, "other": torch.zeros(1)})
    with pytest.raises(ValueError, match="the config asks for"):
        models.read_weights(0, {**weights, "tabnet.final_mapping.weight": torch.zeros(1, 3)})
