"""The books: each verb by itself, everything at random, everything at once, and what happens when somebody cheats."""

import pytest

# Assertions of these say what they compared, too.
pytest.register_assert_rewrite("tests.credits.books", "tests.credits.histories")
