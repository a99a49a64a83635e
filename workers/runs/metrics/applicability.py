"""To which runs metrics apply, and why a run must not ask for one."""

from collections.abc import Callable
from math import prod

from workers.runs.metrics.metric import Measured

MOST_RANKED_ENTRIES = 2**13
"""Larger products are not ranked: one fit takes longer than a slice should."""


def always(spec: Measured) -> bool:
    """Every run."""
    return True


def of_matrices(spec: Measured) -> bool:
    """Products of order 2."""
    return len(spec.problem.shape) == 2 and not spec.model.is_vector(spec.problem.shape)


def of_vectors(spec: Measured) -> bool:
    """Products that are vectors."""
    return spec.model.is_vector(spec.problem.shape)


def of_gains(spec: Measured) -> bool:
    """Products of two vectors, number by number."""
    return spec.model.gains(spec.problem.shape)


def of_squares(spec: Measured) -> bool:
    """Square matrices."""
    return of_matrices(spec) and spec.problem.shape[0] == spec.problem.shape[1]


def of_components(spec: Measured) -> bool:
    """Models whose product is a sum of components."""
    return bool(spec.model.component_axes(spec.problem.shape))


def of_local_components(spec: Measured) -> bool:
    """Trees with components at several nodes."""
    return len(spec.model.component_axes(spec.problem.shape)) > 1


def of_cuts(spec: Measured) -> bool:
    """Models that cut the modes in two."""
    return bool(spec.model.cuts(spec.problem.shape))


def of_matricisations(spec: Measured) -> bool:
    """Tensors, and sums of components of any order."""
    return spec.model.sums_components or len(spec.problem.shape) > 2


def of_phases(spec: Measured) -> bool:
    """Runs of several phases."""
    return len(spec.phase_specs) > 1


def of_training(spec: Measured) -> bool:
    """Models that are trained."""
    return spec.model.is_trained


def of_several_factors(spec: Measured) -> bool:
    """Products of several factors."""
    return len(spec.factor_shapes) > 1


def of_balance(spec: Measured) -> bool:
    """Matrices that are products of several factors, and contractions with something that a flow conserves."""
    conserves = spec.model.conserves(spec.problem.shape)
    return conserves and (of_matrices(spec) or not spec.model.has_layers)


def of_conserving_flows(spec: Measured) -> bool:
    """Flows that conserve something: their model has several factors that meet, and their weights do not decay."""
    return spec.is_flow and spec.model.conserves(spec.problem.shape) and not spec.decays


def of_decays(spec: Measured) -> bool:
    """Runs with weight decay."""
    return spec.decays


def of_unobserved_entries(spec: Measured) -> bool:
    """Problems with exactly one unobserved entry."""
    from workers.runs.observations import unobserved_index  # loads numpy, which few commands need

    return unobserved_index(spec.problem) is not None


def of_infimal_ranks(spec: Measured) -> bool:
    """Matrices with at most one unobserved entry."""
    from workers.runs.observations import infimal_rank

    return of_matrices(spec) and infimal_rank(spec.problem) is not None


def of_targets(spec: Measured) -> bool:
    """Problems whose target is known."""
    return spec.problem.is_target_known


def of_held_out(spec: Measured) -> bool:
    """Problems with held-out observations."""
    return spec.problem.held_out_count > 0


def of_baselines(spec: Measured) -> bool:
    """Baselines, which are solved instead of trained."""
    return not spec.model.is_trained


def of_proofs(name: str) -> Callable[[Measured], bool]:
    """The baselines of whose solution something is proven."""
    return lambda spec: name in spec.model.proofs


def of_margins(spec: Measured) -> bool:
    """Losses of labels, where the margin is asked for."""
    return spec.loss.takes_labels and "margin" in spec.record.metrics


def of_tracked_entries(spec: Measured) -> bool:
    """Runs that track entries."""
    return bool(spec.record.entries)


def of_linear_baselines(spec: Measured) -> bool:
    """Observed entries of a known target."""
    return of_targets(spec) and spec.problem.observes_entries


def of_ranks(spec: Measured) -> bool:
    """Products small enough to be ranked, whose target is known or whose `rank` is asked for."""
    wanted = of_targets(spec) or "rank" in spec.record.metrics
    is_vector = spec.model.is_vector(spec.problem.shape)
    return wanted and prod(spec.problem.shape) <= MOST_RANKED_ENTRIES and not is_vector


def of_target_ranks(spec: Measured) -> bool:
    """Runs that are ranked, with a known target."""
    return of_ranks(spec) and of_targets(spec)


def of_linear_ranks(spec: Measured) -> bool:
    """Runs that are ranked, with observed entries."""
    return of_ranks(spec) and spec.problem.observes_entries


def largest_rank(spec: Measured) -> int:
    """The largest rank that the product of a model of matrices can have."""
    return spec.model.most_rank(spec.problem.shape)


def of_several_singular_values(spec: Measured) -> bool:
    """Matrices that are trained, with two singular values or more that need not be zero."""
    return of_trained_matrices(spec) and largest_rank(spec) > 1


def of_trained_matrices(spec: Measured) -> bool:
    """Matrices that are trained."""
    return of_matrices(spec) and of_training(spec)


def of_layers(spec: Measured) -> bool:
    """Matrices that are trained as the product of their factors."""
    return of_trained_matrices(spec) and spec.model.has_layers


def of_trained_layers(spec: Measured) -> bool:
    """Matrices that are trained as products of several factors."""
    return of_layers(spec) and of_several_factors(spec)


def of_target_matrices(spec: Measured) -> bool:
    """Matrices whose target is known."""
    return of_matrices(spec) and of_targets(spec)


def requested(name: str, applies: Callable[[Measured], bool]) -> Callable[[Measured], bool]:
    """The runs of a metric on request: those that name it, among those that may."""
    return lambda spec: name in spec.record.metrics and applies(spec)


def unless(applies: Callable[[Measured], bool], sentence: str) -> Callable[[Measured], str | None]:
    """The misfit of a metric that some runs may not name, for which the sentence says why."""
    return lambda spec: None if applies(spec) else sentence


def no_determinant(spec: Measured) -> str | None:
    """Only square matrices have a determinant."""
    return None if of_squares(spec) else "Only a square product has a determinant; leave the metric out."


def no_matrix(name: str) -> Callable[[Measured], str | None]:
    """The misfit of a metric that matrices alone have."""

    def misfit(spec: Measured) -> str | None:
        return None if of_matrices(spec) else f"The metric {name!r} is one of matrices; leave it out."

    return misfit


def no_layers(name: str) -> Callable[[Measured], str | None]:
    """The misfit of a metric of matrices that are the product of their factors; a baseline may name it, in vain."""

    def misfit(spec: Measured) -> str | None:
        fits = of_matrices(spec) and spec.model.has_layers
        return None if fits else f"The metric {name!r} is one of matrices that are products of layers; leave it out."

    return misfit


def no_labels(spec: Measured) -> str | None:
    """Only labels have a margin."""
    if spec.loss.takes_labels:
        return None
    return f"Only the losses of labels have a margin, and this loss is {spec.loss.kind}; leave the metric out."


def no_matricisations(spec: Measured) -> str | None:
    """Matrices are not matricised, unless they are sums of components."""
    return None if of_matricisations(spec) else "Matricisation ranks are those of a tensor; leave the metric out."


def too_large_to_rank(spec: Measured) -> str | None:
    """Products of many entries are not ranked, nor are vectors."""
    if spec.model.is_vector(spec.problem.shape):
        return "The rank of a vector is 1; leave it out."
    if (entries := prod(spec.problem.shape)) <= MOST_RANKED_ENTRIES:
        return None
    return f"This product has {entries:,} entries and ranks are found up to {MOST_RANKED_ENTRIES:,}; leave it out."
