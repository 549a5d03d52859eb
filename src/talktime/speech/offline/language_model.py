"""A small n-gram language model, counted from sentences and written in the ARPA format that recognisers read.

The one rule: it is a proper distribution. Each history gives a constant off every n-gram it was seen with to the words
it was not seen with (absolute discounting, interpolated), so that no sentence made of known words is impossible.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

_ORDER = 3
_DISCOUNT = 0.6
"""Taken off each n-gram's count. Higher trusts word order less: callers do not say it the way it was written."""
_BEGIN, _END = "<s>", "</s>"

Gram = tuple[str, ...]


def arpa(sentences: Mapping[Gram, int], loose_words: Iterable[str] = ()) -> str:
    """The model as text. `loose_words` can come anywhere, though rarely."""
    counts = _counts(sentences)
    vocabulary = {gram[0] for gram in counts[1]} | set(loose_words) | {_BEGIN, _END}
    probability = {1: _unigrams(counts[1], vocabulary)}
    left_over: dict[Gram, float] = {}
    for order in range(2, _ORDER + 1):
        probability[order], given = _interpolated(counts[order], probability[order - 1])
        left_over |= given
    return _written(probability, left_over)


def _counts(sentences: Mapping[Gram, int]) -> dict[int, Counter[Gram]]:
    counts: dict[int, Counter[Gram]] = {order: Counter() for order in range(1, _ORDER + 1)}
    for sentence, times in sentences.items():
        padded = (_BEGIN, *sentence, _END)
        for order, counter in counts.items():
            for start in range(len(padded) - order + 1):
                counter[padded[start : start + order]] += times
    del counts[1][(_BEGIN,)]  # it is never predicted
    return counts


def _unigrams(counts: Counter[Gram], vocabulary: set[str]) -> dict[Gram, float]:
    total = counts.total()
    words = sorted(vocabulary - {_BEGIN})
    left = (_DISCOUNT * len(counts) + 1) / (total + 1)
    shares: dict[Gram, float] = {
        (word,): max(counts[(word,)] - _DISCOUNT, 0) / (total + 1) + left / len(words) for word in words
    }
    shares[(_BEGIN,)] = 0.0
    return shares


def _interpolated(counts: Counter[Gram], lower: dict[Gram, float]) -> tuple[dict[Gram, float], dict[Gram, float]]:
    """The probability of each n-gram, and what each history leaves to the shorter ones."""
    totals: dict[Gram, int] = defaultdict(int)
    kinds: dict[Gram, int] = defaultdict(int)
    for gram, count in counts.items():
        totals[gram[:-1]] += count
        kinds[gram[:-1]] += 1
    left = {history: _DISCOUNT * kinds[history] / total for history, total in totals.items()}
    shares = {
        gram: (count - _DISCOUNT) / totals[gram[:-1]] + left[gram[:-1]] * lower[gram[1:]]
        for gram, count in counts.items()
    }
    return shares, left


def _written(probability: Mapping[int, Mapping[Gram, float]], left_over: Mapping[Gram, float]) -> str:
    lines = ["\\data\\", *(f"ngram {order}={len(grams)}" for order, grams in probability.items())]
    for order, grams in probability.items():
        lines += ["", f"\\{order}-grams:"]
        for gram, share in sorted(grams.items()):
            line = f"{_log(share):.4f} {' '.join(gram)}"
            lines.append(line if order == _ORDER else f"{line} {_log(left_over.get(gram, 1.0)):.4f}")
    return "\n".join([*lines, "", "\\end\\", ""])


def _log(share: float) -> float:
    return math.log10(share) if share > 0 else -99.0
