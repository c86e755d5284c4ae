"""Finds typing errors: whether two words differ by a few letters."""


def are_alike(one: str, other: str, most: int) -> bool:
    """Whether at most so many letters were omitted, added, changed or swapped with a neighbour."""
    if abs(len(one) - len(other)) > most:  # saves the time of comparing
        return False
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, a in enumerate(one, start=1):
        line = [row]
        for column, b in enumerate(other, start=1):
            cost = min(last[column] + 1, line[-1] + 1, last[column - 1] + (a != b))
            if row > 1 and column > 1 and a == other[column - 2] and one[row - 2] == b:
                cost = min(cost, before[column - 2] + 1)
            line.append(cost)
        before, last = last, line
    return last[-1] <= most
