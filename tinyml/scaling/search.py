"""The largest candidate that fits, with few tries: what does not fit rules out all that are larger.

Fitting is taken to be monotone along a member's axes: a wider network on larger pictures needs no less memory, flash or
time. Each try is chosen so that either answer rules out as many of the candidates that are left as possible, which is
bisection where there is one axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tinyml.scaling.space import Candidate


def largest(
    candidates: Sequence[Candidate], cost: Callable[[Candidate], int], fits: Callable[[Candidate], bool | None]
) -> Candidate | None:
    """The candidate of the highest ``cost`` that ``fits``; None where none does.

    ``fits`` gives None for a candidate that cannot be built at all, which says nothing of the others.
    """
    costs = {candidate: cost(candidate) for candidate in candidates}
    best: Candidate | None = None
    left = list(candidates)
    while left:
        tried = _most_telling(left, costs)
        answer = fits(tried)
        if answer is None:
            left.remove(tried)
        elif answer:
            best = tried if best is None or costs[tried] > costs[best] else best
            left = [one for one in left if costs[one] > costs[best] and one is not tried]
        else:
            left = [one for one in left if not one.at_least(tried)]
    return best


def _most_telling(left: Sequence[Candidate], costs: dict[Candidate, int]) -> Candidate:
    """The candidate whose less telling answer rules out the most; the cheaper one of two alike."""

    def ruled_out(one: Candidate) -> tuple[int, int]:
        if_it_fits = sum(costs[other] <= costs[one] for other in left)
        if_not = sum(other.at_least(one) for other in left)
        return min(if_it_fits, if_not), -costs[one]

    return max(left, key=ruled_out)
