# SPDX-License-Identifier: GPL-2.0
"""Change points in a series of figures, by which trends are judged.

Where a series is best cut in two, by the difference of the sums of ranks, is a
change point if hardly any order of the same figures has as good a cut. Then
both parts are looked at in the same way. Ranks make one wild figure harmless.
"""

import random

# Runs on either side of a change.
SHORTEST = 4
PERMUTATIONS = 400
# Of so many orders drawn by lot as good a cut may show by chance.
LEVEL = 0.01


def ranks(values):
    """Ranks from 0, equal values sharing the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    result = [0.0] * len(values)
    first = 0
    while first < len(order):
        last = first
        while (last + 1 < len(order) and
               values[order[last + 1]] == values[order[first]]):
            last += 1
        for place in range(first, last + 1):
            result[order[place]] = (first + last) / 2
        first = last + 1
    return result


def best_cut(ranked):
    """(strength, place) of the best cut."""
    count = len(ranked)
    mean = sum(ranked) / count
    best, place, total = 0.0, None, sum(ranked[:SHORTEST - 1])
    for cut in range(SHORTEST, count - SHORTEST + 1):
        total += ranked[cut - 1]
        # The variance of a sum of ranks goes with the lengths of both parts.
        strength = (total - cut * mean) ** 2 / (cut * (count - cut))
        if strength > best:
            best, place = strength, cut
    return best, place


def change_points(values, seed=1):
    """Indices at which a new level begins."""
    if len(values) < 2 * SHORTEST:
        return []
    ranked = ranks(values)
    strength, place = best_cut(ranked)
    if place is None:
        return []
    lot = random.Random(seed)
    better = 0
    for _ in range(PERMUTATIONS):
        lot.shuffle(ranked)
        better += best_cut(ranked)[0] >= strength
    if better > LEVEL * PERMUTATIONS:
        return []
    return (change_points(values[:place], seed) + [place] +
            [place + later for later in change_points(values[place:], seed)])
