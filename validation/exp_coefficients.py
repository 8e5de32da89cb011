"""Finds the coefficients of the exponential in crates/ragged-kernels/src/simd/math.rs (f32).

    python validation/exp_coefficients.py

With r the remainder of the argument reduction, the kernels compute

    exp(r) = 1 + r (1 + r q(r)),    q(r) = c0 r^4 + c1 r^3 + c2 r^2 + c3 r + c4.

The coefficients minimise the largest relative error of exp(r), that is, of r^2 q(r) weighted by
1 / exp(r), on |r| <= 1.0005 ln(2) / 2. The factor 1.0005 is a margin: the argument reduction rounds, so
that |r| may exceed ln(2) / 2 slightly. The minimum is found by the exchange algorithm of Remez (1934).

Prints the coefficients, highest power first, rounded to seven significant digits (c4 to eight, since
the f32 below one half have a spacing of 3e-8), and the largest relative error with the exact and with
the rounded coefficients. Needs Python's standard library only.
"""

import math
import struct

TERMS = 5
BOUND = 1.0005 * math.log(2) / 2
GRID = [BOUND * (2 * k / 20000 - 1) for k in range(20001)]
DIGITS = [7, 7, 7, 7, 8]


def exact_q(r):
    """(exp(r) - 1 - r) / r^2, by its series, which has no cancellation."""
    total = 0.0
    for k in range(24, 1, -1):
        total = total * r + 1 / math.factorial(k)
    return total


def polynomial(coefficients, r):
    total = 0.0
    for coefficient in coefficients:
        total = total * r + coefficient
    return total


def weight(r):
    return r * r / math.exp(r)


def error(coefficients, r):
    """The relative error of exp(r)."""
    return weight(r) * (polynomial(coefficients, r) - exact_q(r))


def solve(rows):
    """Solves a linear system, each row with its right side at the end, by Gaussian elimination."""
    rows, count = [row[:] for row in rows], len(rows)
    for i in range(count):
        pivot = max(range(i, count), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(i + 1, count):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i])]
    solution = [0.0] * count
    for i in reversed(range(count)):
        known = sum(rows[i][j] * solution[j] for j in range(i + 1, count))
        solution[i] = (rows[i][count] - known) / rows[i][i]
    return solution


def extrema(coefficients):
    """The grid point of largest error in each stretch of equal sign."""
    errors = [error(coefficients, r) for r in GRID]
    points, best = [], 0
    for k in range(1, len(GRID)):
        if errors[k] * errors[best] < 0:
            points.append(GRID[best])
            best = k
        elif abs(errors[k]) > abs(errors[best]):
            best = k
    return points + [GRID[best]]


def remez():
    points = [-BOUND * math.cos(math.pi * k / TERMS) for k in range(TERMS + 1)]
    for _ in range(10):
        # Errors of equal size and alternating sign at the points.
        rows = [
            [r ** (TERMS - 1 - j) for j in range(TERMS)] + [(-1) ** k / weight(r), exact_q(r)]
            for k, r in enumerate(points)
        ]
        coefficients = solve(rows)[:TERMS]
        points = extrema(coefficients)
        assert len(points) == TERMS + 1, "the error does not alternate"
    return coefficients


def to_f32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def shortest(value):
    """The shortest decimal that reads as this f32."""
    return next(text for digits in range(1, 10) if to_f32(float(text := f"{value:.{digits}g}")) == value)


def largest_error(coefficients):
    return max(abs(error(coefficients, r)) for r in GRID)


def main():
    exact = remez()
    rounded = [to_f32(float(f"{c:.{digits}g}")) for c, digits in zip(exact, DIGITS)]
    for coefficient in rounded:
        print(shortest(coefficient))
    print(f"largest relative error: {largest_error(exact):.1e}, rounded: {largest_error(rounded):.1e}")


if __name__ == "__main__":
    main()
