"""What a metric's name says: the words that people and libraries use for losses, splits and so on.

:func:`read_name` looks at one name alone; what it cannot know without the others (whether a bare
``loss`` is the training's) is decided in :mod:`quark.analyzers.roles`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from quark.analyzers.role_words import (
    COMPONENTS,
    DISCRIMINATORS,
    DURATIONS,
    FAMILIES,
    FOREIGN,
    GENERATORS,
    GRADIENTS,
    GRAINS,
    LATE,
    LOADING,
    MERGES,
    MILLISECONDS,
    NEUTRAL,
    SECOND,
    SPLITS,
    THINGS,
    TIME_PLACES,
    TOGETHER,
    UNSUPERVISED,
    WHOLE_GRADIENT,
)

#: Longer names are paths into something, not anybody's plain loss.
_LONGEST: Final = 160

#: Costs order the keys of one role: a lower one is nearer to the plain name.
_UNKNOWN: Final = 8
_COMPONENT: Final = 16
_CONFLICT: Final = 4

_SEGMENT: Final = re.compile(r"[A-Za-z]+[A-Za-z0-9]*|[0-9]+(?:\.[0-9]+)?")
_CAMEL: Final = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+")
_DIGITS: Final = "0123456789"
#: Names that differ in such numbers alone are read once; numbers that belong to a measure stay.
_COUNTER: Final = re.compile(r"(?<![0-9.])(?!(?:10|50|75|95)(?![0-9]))[0-9]{2,}")
#: A name without any of these plays no role.
_HINT: Final = re.compile(
    r"loss|acc|top|lr\b|lrs\b|lr[^a-z]|_lr|rate|norm|epoch|ms\b|scale|per.?sec|/s(?:ec)?\b|"
    r"throughput|[uftw]ps|nll|mse|mae|bce|ce\b|xe|ent|prec|recall|score|f1|auc|aupr|roc|ap|iou|dice|"
    r"bleu|rouge|jacc|chrf|meteor|cider|kappa|mcc|matthews|psnr|ssim|ndcg|mrr|spear|pears|em\b|match|r2|"
    r"cost|objective|criterion|bp[bc]|huber|err|polic|actor|critic|roll|rew|return|likeli"
)


class NameReading(NamedTuple):
    """What one name says. ``cost`` is 0 for the plain name and grows with what stands around it.

    ``family`` is ``loss``, ``accuracy``, ``score`` or another role's name, or what a whole set of
    names is seen by: ``reinforcement``, ``discriminator`` and ``generator``. ``measure`` tells what
    can be compared: ``train/loss`` and ``val_loss`` have the same.
    """

    family: str
    split: str = ""  # "train", "val", "test", or "" if the name does not say
    measure: tuple[str, ...] = ()
    grain: str = ""  # "step", "epoch", or "" if the name does not say
    cost: int = 0


def read_name(key: str) -> NameReading | None:
    """Return what a metric's name says, None if it plays no role.

    >>> read_name("Loss/train")
    NameReading(family='loss', split='train', measure=('loss',), grain='', cost=0)
    >>> read_name("val/top5").measure
    ('top5',)
    >>> read_name("best_val_loss") is None
    True
    """
    return None if len(key) > _LONGEST else _read(_COUNTER.sub("99", key))


@lru_cache(maxsize=4096)
def _read(key: str) -> NameReading | None:
    if not _HINT.search(key.lower()):
        return None
    words = _words(key)
    if not words:
        return None
    known = set(words)
    special = _special(words, known)
    if special is not None:
        return special if special.family else None
    return _measured(words)


def _words(key: str) -> list[str]:
    """Split a name at its separators, at capitals, and put together what is one word."""
    words: list[str] = []
    for segment in _SEGMENT.findall(key):
        low = segment.lower()
        if low in TOGETHER:
            words += TOGETHER[low]
        elif segment == low or segment.isupper() or _is_known(low):
            words.append(low)
        else:
            words += [part.lower() for part in _CAMEL.findall(segment)]
    merged: list[str] = []
    for word in words:
        if merged:
            last = merged[-1]
            if (one := MERGES.get((last, word))) is not None:
                merged[-1] = one
                continue
            if last in ("top", "acc", "accuracy") and word in ("1", "5", "k", "10", "3"):
                merged[-1] = last + word
                continue
        merged.append(word)
    return merged


def _is_known(word: str) -> bool:
    stem = word.rstrip(_DIGITS)
    return (
        word in FAMILIES
        or stem in FAMILIES
        or stem in SPLITS
        or word in DISCRIMINATORS
        or word in GENERATORS
    )


_NOTHING: Final = NameReading(family="")


def _special(words: list[str], known: set[str]) -> NameReading | None:
    """Read what is no loss, accuracy or score; a reading without family for what is nothing."""
    splits = {SPLITS[word] for word in known if word in SPLITS}
    is_other_split = bool(splits - {"train"})
    if words[-1] == "epoch" and not known & {"time", "per"}:
        rest = [
            word for word in words[:-1] if word not in SPLITS and word not in ("trainer", "epoch")
        ]
        if not is_other_split and all(word in NEUTRAL for word in rest):
            return NameReading(family="epoch", cost=len(words) - 1)
    if known & GRADIENTS and "norm" in known:
        return _gradient_norm(words, is_other_split)
    if known & MILLISECONDS:
        return _NOTHING if is_other_split else _time(words, known)
    if known & SECOND and known & THINGS and ("per" in known or _is_rate(words)):
        strange = "gpu" in known or "device" in known
        return _NOTHING if is_other_split else _plain("throughput", 1 + strange * 4)
    if _is_reinforcement(words, known):
        return _plain("reinforcement", 0)
    return None


def _is_rate(words: list[str]) -> bool:
    """Whether a name ends as ``images/s`` does; ``step_s`` is a time."""
    return words[-1] in SECOND and words[-2] in THINGS and words[-2][-1] == "s"


def _plain(family: str, cost: int) -> NameReading:
    return NameReading(family=family, cost=cost)


def _gradient_norm(words: list[str], is_other_split: bool) -> NameReading:
    rest = [word for word in words if word not in GRADIENTS and word not in SPLITS]
    if is_other_split or any(word not in WHOLE_GRADIENT for word in rest):
        return _NOTHING  # of one layer, or of something else
    late = sum(word in LATE for word in rest)
    return _plain("gradient_norm", len(words) - 2 + late * _UNKNOWN)


def _time(words: list[str], known: set[str]) -> NameReading:
    rest = known - DURATIONS - MILLISECONDS - TIME_PLACES
    if not rest and "dt" in known:
        return _plain("step_time_ms", _UNKNOWN)
    if rest and rest <= {"step", "iter", "iteration", "batch"}:
        return _plain("step_time_ms", len(words) - 3 + ("step" not in rest))
    if known & LOADING and rest <= LOADING | {"wait", "fetch", "batch", "step"}:
        return _plain("data_time_ms", len(words) - 3)
    if "compute" in known and rest <= {"compute", "step", "batch"}:
        return _plain("compute_time_ms", len(words) - 3)
    return _NOTHING


def _is_reinforcement(words: list[str], known: set[str]) -> bool:
    if known & {"rollout", "policy", "actor", "critic", "vf", "td", "clipfrac", "approxkl"}:
        return True
    if known & {"ep", "episode", "episodic"} and known & {"rew", "reward", "return", "returns"}:
        return True
    if "loss" in known and "value" in known and words.index("value") < words.index("loss"):
        return True
    return words[-1] == "reward" and not known & {"margin", "chosen", "rejected"}


def _measured(words: list[str]) -> NameReading | None:
    """Read losses, accuracies, scores and whatever else one word tells."""
    families = [_family(word) for word in words]
    found, head = None, 0  # of several the last word tells: English puts it there
    for place, one in enumerate(families):
        if one is not None:
            found, head = one, place
    if found is None:
        return _adversary(words) if len(words) <= 3 else None
    family, measure, cost = found
    measures = {measure} if measure else set()
    split, distance, grain = "", len(words), ""
    splits = set()
    for place, word in enumerate(words):
        if place == head:
            continue
        if (named := SPLITS.get(word) or SPLITS.get(word.rstrip(_DIGITS))) is not None:
            splits.add(named)
            if abs(place - head) < distance:
                split, distance = named, abs(place - head)
        elif word in GRAINS:
            grain = grain or GRAINS[word]
        elif (other := families[place]) is not None:
            cost += other[2] if other[0] == family else _UNKNOWN
            if other[1] and other[0] == family:
                measures.add(other[1])
        elif family == "loss" and (place < head or word != "value") and _opposes(word):
            return _adversary(words)
        elif word in FOREIGN:
            return None
        elif word in NEUTRAL:
            cost += NEUTRAL[word]
        else:
            cost += _strangeness(word, family)
            if family in ("loss", "accuracy", "score"):
                measures.add(word)
    if family in ("learning_rate", "grad_scale", "throughput") and splits - {"train"}:
        return None
    cost += _CONFLICT * (len(splits) > 1)
    return NameReading(family, split, tuple(sorted(measures or {family})), grain, cost)


@lru_cache(maxsize=4096)
def _strangeness(word: str, family: str) -> int:
    """What a word costs that is in no list."""
    stem = word.rstrip(_DIGITS)
    if family == "learning_rate":
        return 1 if stem in ("", "pg", "group", "param", "optimizer", "optim", "x") else 2
    if stem in COMPONENTS or not stem:
        return _COMPONENT
    return _UNKNOWN


@lru_cache(maxsize=4096)
def _family(word: str) -> tuple[str, str, int] | None:
    found = FAMILIES.get(word)
    if found is not None or not word[-1:].isdigit():
        return found
    stem = word.rstrip(_DIGITS)
    number = word[len(stem) :]
    if stem in ("top", "acc", "accuracy"):
        measure = "accuracy" if number == "1" else f"top{number}"
        return "accuracy", measure, 0 if number == "1" else 12
    found = FAMILIES.get(stem)
    if found is None:
        return None
    family, measure, cost = found
    if family == "loss":
        return family, f"{measure}{number}", cost + _COMPONENT
    return family, measure + (number if family == "score" else ""), cost + 1


@lru_cache(maxsize=4096)
def _opposes(word: str) -> bool:
    stem = word.rstrip(_DIGITS)
    return (
        word in UNSUPERVISED
        or word in DISCRIMINATORS
        or word in GENERATORS
        or (len(stem) == 1 and stem not in "mlz")
    )


def _adversary(words: list[str]) -> NameReading | None:
    if any(word in DISCRIMINATORS for word in words):
        return _plain("discriminator", 0)
    if any(word in GENERATORS for word in words):
        return _plain("generator", 0)
    return None
