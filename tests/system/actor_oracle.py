"""What examples/stateful-actor should answer, computed from its model's file in plain Python.

Python's floats are doubles: added in the order that model/network.h names, they have the very bits
that the provider's sums have.
"""

import array
import math
import struct

SIDE, PATCH, GRID = 224, 8, 4
PATCHES = SIDE // PATCH
WINDOW = 3 * PATCH * PATCH
VALUES = 3 * SIDE * SIDE
CELL = PATCHES // GRID


class Model:
    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        magic, self.filters, self.classes = struct.unpack_from("<8sII", data)
        assert magic == b"model001", magic
        self.mean = struct.unpack_from("<3f", data, 16)
        self.deviation = struct.unpack_from("<3f", data, 28)
        count = self.classes * GRID * GRID * self.filters
        at = 40

        def take(number):
            nonlocal at
            values = list(struct.unpack_from(f"<{number}f", data, at))
            at += 4 * number
            return values

        weights = take(WINDOW * self.filters)
        self.convolution = [weights[i:i + self.filters]
                            for i in range(0, len(weights), self.filters)]
        self.bias = take(self.filters)
        self.linear = take(count)
        self.linear_bias = take(self.classes)
        self.labels = [data[at + 16 * k:at + 16 * (k + 1)].rstrip(b"\0").decode()
                       for k in range(self.classes)]
        assert at + 16 * self.classes == len(data)

    def places(self, row, column):
        """Where a patch's values lie in the input, with the channel of each."""
        for channel in range(3):
            for dy in range(PATCH):
                start = (channel * SIDE + row * PATCH + dy) * SIDE + column * PATCH
                for dx in range(PATCH):
                    yield channel, start + dx

    def patch(self, values, row, column):
        """The patch's normalised values, and its convolution."""
        out = list(self.bias)
        window = []
        for at, (channel, place) in enumerate(self.places(row, column)):
            value = (values[place] - self.mean[channel]) / self.deviation[channel]
            window.append(value)
            out = [sum_ + value * weight for sum_, weight in zip(out, self.convolution[at])]
        return window, out

    def predict(self, values, explain):
        """(label, probability by label, attribution as bytes or None)."""
        patches = {(row, column): self.patch(values, row, column)
                   for row in range(PATCHES) for column in range(PATCHES)}
        means = [0.0] * (GRID * GRID * self.filters)
        for (row, column), (_, out) in patches.items():
            base = (row // CELL * GRID + column // CELL) * self.filters
            for f, value in enumerate(out):
                means[base + f] += max(value, 0.0)
        means = [each / (CELL * CELL) for each in means]
        scores = []
        for k in range(self.classes):
            score = self.linear_bias[k]
            for i, mean in enumerate(means):
                score += self.linear[k * len(means) + i] * mean
            scores.append(score)
        best = scores.index(max(scores))
        weights = [math.exp(score - max(scores)) for score in scores]
        total = math.fsum(weights)
        probabilities = {label: weight / total for label, weight in zip(self.labels, weights)}
        return self.labels[best], probabilities, self.explain(patches, best) if explain else None

    def explain(self, patches, best):
        out = array.array("f", bytes(4 * VALUES))
        for (row, column), (window, sums) in patches.items():
            cell = row // CELL * GRID + column // CELL
            base = (best * GRID * GRID + cell) * self.filters
            slopes = [self.linear[base + f] / (CELL * CELL) if sums[f] > 0 else 0.0
                      for f in range(self.filters)]
            for at, (_, place) in enumerate(self.places(row, column)):
                gradient = 0.0
                for weight, slope in zip(self.convolution[at], slopes):
                    gradient += weight * slope
                out[place] = window[at] * gradient
        return out.tobytes()


def stripes(horizontal, noise):
    """A picture of stripes: 1x3x224x224 floats, with a little of `noise`, a random.Random."""
    values = array.array("f")
    for light in (0.9, 0.8, 0.7):
        for y in range(SIDE):
            for x in range(SIDE):
                on = (y if horizontal else x) // 10 % 2
                values.append((light if on else 0.1) + noise.uniform(-0.05, 0.05))
    return values


def colour(channel, noise):
    """A picture in which one channel stands out."""
    return array.array("f", [0.3 + (0.3 if i // (SIDE * SIDE) == channel else 0) +
                             noise.uniform(-0.1, 0.1) for i in range(VALUES)])
