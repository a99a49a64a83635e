"""Trees of hierarchical tensors: names, components, cuts, and growth of components."""

import numpy as np
import pytest
import torch

from tests.helpers.contractions import TREE, TREE_FACTORS, TREE_PRODUCT, low_rank, spec
from tests.helpers.specs import run_whole
from workers.lab.models.base import maths_of
from workers.runs.models import MODELS

TREE_NAMES = dict(
    zip(TREE["factors"], ("mode_0", "mode_1", "node_0_1", "mode_2", "mode_3", "node_2_3", "root"), strict=True)
)
OF_THE_TREE = {TREE_NAMES[name]: factor for name, factor in TREE_FACTORS.items()}


def test_the_names_of_a_tree():
    model = MODELS["hierarchical_tensor"].model_validate({"kind": "hierarchical_tensor", "widths": [4, 3, 2]})
    assert dict(zip(model.factor_names((5,) * 5), model.factor_shapes((5,) * 5), strict=True)) == {
        "mode_0": (5, 4),
        "mode_1": (5, 4),
        "node_0_1": (4, 3),
        "mode_2": (5, 4),
        "mode_3": (5, 4),
        "node_2_3": (4, 3),
        "node_0_3": (3, 2),
        "mode_4": (5, 2),
        "root": (2,),
    }
    assert model.cuts((5,) * 5) == ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 2), (2, 4))
    assert model.components((5,) * 5) == 2


@pytest.mark.parametrize("order", [2, 3, 8, 12])
def test_a_tree_of_any_order_is_a_product(order):
    model = {"kind": "hierarchical_tensor"}
    columns = run_whole(spec(model=model, problem=low_rank([2] * order, 2**order - 1), stop={"max_steps": 3})).points
    assert np.isfinite(columns.columns["loss"]).all()


def test_the_tree_of_the_reference_checks():
    """R16: product, norms of local components, singular values of cuts."""
    asked = ["local_component_norms", "cut_singular_values", "cut_ranks"]
    run = spec(
        model={"kind": "hierarchical_tensor", "widths": [2, 2]},
        problem=low_rank([2, 2, 2, 2], 12),
        init={"kind": "explicit", "factors": OF_THE_TREE},
        record={"every": 1, "metrics": asked, "entries": [list(index) for index in np.ndindex(2, 2, 2, 2)]},
        stop={"max_steps": 0},
    )
    columns = run_whole(run).points.columns
    assert columns["entries"][0].tolist() == TREE_PRODUCT
    assert columns["frobenius_norm"][0] == pytest.approx(32.2800247831, abs=1e-9)
    local = [15.8113883008, 4.472135955, 4.472135955, 2.2360679775, 2.2360679775, 1.4142135624]
    np.testing.assert_allclose(columns["local_component_norms"][0], local, rtol=1e-9)
    np.testing.assert_allclose(columns["component_norms"][0], local[-2:], rtol=1e-9)
    cuts = columns["cut_singular_values"][0]
    np.testing.assert_allclose(cuts[:2], [32.2649041205, 0.987907938], rtol=1e-8)
    assert len(cuts) == 4 * 2 + 4
    np.testing.assert_allclose(cuts[8:10], [32.1470135952, 2.9273737223], rtol=1e-9)
    np.testing.assert_allclose(cuts[10:], 0, atol=1e-12)
    assert columns["cut_ranks"][0].tolist() == [2, 2, 2, 2, 2]


def test_components_of_a_balanced_tree_grow_as_theory_says():
    """R16: d||C||/dt = 3 ||C||^(4/3) <-dl/dW, C / ||C||> of every local component, at zero unbalancedness."""
    tree = {"kind": "hierarchical_tensor", "widths": [2, 2]}
    draws = np.random.default_rng(1)
    root = draws.uniform(0.5, 1.0, 2)
    nodes = [columns_of(draws, 2, root), columns_of(draws, 2, root)]
    factors = {"root": root.tolist()}
    for (begin, node), name in zip(((0, nodes[0]), (2, nodes[1])), ("node_0_1", "node_2_3"), strict=True):
        factors[name] = node.tolist()
        for mode in (begin, begin + 1):
            factors[f"mode_{mode}"] = columns_of(draws, 2, np.linalg.norm(node, axis=1)).tolist()
    step = 1e-5
    run = spec(
        model=tree,
        problem=low_rank([2, 2, 2, 2], 12),
        init={"kind": "explicit", "factors": factors},
        optimizer={"kind": "gradient_descent", "learning_rate": step},
        record={"every": 1, "metrics": ["local_component_norms"]},
        stop={"max_steps": 1},
    )
    columns = run_whole(run).points.columns
    assert columns["balancedness_gap"][0] < 1e-12
    growth = (columns["local_component_norms"][1] - columns["local_component_norms"][0]) / step
    np.testing.assert_allclose(growth, expected_growth(run), rtol=1e-3, atol=1e-4)


def columns_of(draws, rows, norms):
    """A random matrix whose columns have given norms."""
    plain = draws.standard_normal((rows, len(norms)))
    return plain / np.linalg.norm(plain, axis=0) * norms


def expected_growth(run):
    """Each node's component norms, largest first, and what the theorem says of them; the product without the others
    is linear in a component, so <-dl/dW, C> / ||C|| is a difference quotient in the component's size."""
    shape, names = (2, 2, 2, 2), run.model.factor_names((2, 2, 2, 2))
    start = [np.array(run.init.factors[name], dtype=float) for name in names]
    observations = run.problem.observe()
    maths = maths_of(run.model, shape)

    def loss(factors):
        product = maths.product([torch.from_numpy(factor)[None] for factor in factors]).reshape(shape).numpy()
        return ((product - observations.values)[observations.mask] ** 2).mean()

    rates = []
    for node in run.model.component_axes(shape):
        own, dimension = node[-1]
        found = []
        for index in range(2):
            size = np.prod([np.linalg.norm(np.take(start[f], index, axis=axis)) for f, axis in node])
            moved = []
            for sign in (1, -1):
                scaled = [factor.copy() for factor in start]
                np.moveaxis(scaled[own], dimension, 0)[index] *= 1 + sign * 1e-6
                moved.append(loss(scaled))
            found.append((size, 3 * size ** (4 / 3) * -(moved[0] - moved[1]) / (2e-6 * size)))
        rates += [rate for _, rate in sorted(found, reverse=True)]
    return rates
