"""A quantity that is not known exactly."""

from typing import NamedTuple

__all__ = ["Interval"]


class Interval(NamedTuple):
    """What it is at least, what is expected, and what it is at most."""

    low: float
    expected: float
    high: float

    @classmethod
    def sure(cls, value: float) -> "Interval":
        """Without doubt."""
        return cls(value, value, value)

    @classmethod
    def around(cls, low: float, expected: float, high: float) -> "Interval":
        """Ends that came from elsewhere than the middle are moved out to hold it."""
        return cls(min(low, expected), expected, max(high, expected))

    def plus(self, other: "Interval") -> "Interval":
        """The sum of two that are low, or high, together."""
        return Interval(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(self, factor: float) -> "Interval":
        """In other units; `factor` is not negative."""
        return Interval(self.low * factor, self.expected * factor, self.high * factor)

    def holds(self, value: float) -> bool:
        """Whether `value` lies inside."""
        return self.low <= value <= self.high
