"""A counter, once for all tests of this folder."""

from tests.payments.counter import counter, the_counter

__all__ = ["counter", "the_counter"]
