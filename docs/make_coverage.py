"""Count how often the intervals of samples hold the truth: the table and `coverage.svg` of docs/quality.md."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.quality.errors import Errors, correct  # noqa: E402
from core.quality.estimates import Estimate, Split, Stratum, estimate_part, estimate_ratio, estimate_share  # noqa: E402
from core.quality.figures import Bounds, Figure, compare  # noqa: E402
from tests.core.quality.test_estimates import DESIGNS, PARTS, draw  # noqa: E402

SAMPLES = 2_000

# Designs at random beside those of the table, and how many samples of each.
RANDOM, RANDOM_SAMPLES = 40, 1_000

# An axis from here to 100 %, and what is asked for.
LEAST, ASKED = 0.88, (0.93, 0.97)
WIDTH, ROW, LEFT = 800, 24, 440

# Ratios whose faults are all in small strata: whether the great ones have a few as well nobody can tell.
SMALL = {
    "hits in small strata": ([90_000, 9_000, 900, 100], [100] * 4, [(0.0, 0.1), (0.0, 0.1), (0.22, 0.0), (0.5, 0.0)]),
    "all in small strata": ([90_000, 9_000, 900, 100], [100] * 4, [(0.0, 0.0), (0.0, 0.0), (0.22, 0.11), (0.5, 0.3)]),
}

# What is found: the bounds, and the truth between them or not.
Found = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Design:
    """A way of drawing and judging, of which the truth is known."""

    figure: str
    population: str
    judged: int
    truth: float
    find: Callable[[Generator], Found]


def list_designs() -> Iterator[Design]:
    """List them, the plain ones first."""
    for name, (jobs, sizes, shares) in DESIGNS.items():
        hits = [round(number * share) for number, share in zip(jobs, shares, strict=True)]
        find = partial(_find_share, jobs, hits, sizes)
        yield Design("a share", name, sum(sizes), sum(hits) / sum(jobs), find)
    for missed in (0.002, 0.01, 0.05):
        right, wrong = 10_560, round(88_000 * missed)
        find = partial(_find_recall, right, [88_000], [wrong], [360])
        yield Design("recall", f"{missed:.1%} of passes wrong", 600, right / (right + wrong), find)
    find = partial(_find_recall, 10_560, [80_000, 7_000, 800, 200], [0, 0, 100, 100], [90] * 4)
    yield Design("recall", "wrong passes in small strata", 600, 10_560 / 10_760, find)
    for name, (jobs, sizes, parts) in (PARTS | SMALL).items():
        counts = [(round(n * hit), round(n * rest)) for n, (hit, rest) in zip(jobs, parts, strict=True)]
        truth = sum(hit for hit, _ in counts) / sum(hit + rest for hit, rest in counts)
        yield Design("a flag's precision", name, sum(sizes), truth, partial(_find_part, jobs, counts, sizes))
    for name in ("one stratum", "rare strata", "one client has most"):
        jobs, sizes, shares = DESIGNS[name]
        hits = [round(number * share) for number, share in zip(jobs, shares, strict=True)]
        find = partial(_find_difference, jobs, hits, sizes)
        yield Design("a difference", f"twice {name}", 2 * sum(sizes), 0.0, find)
    yield from _list_erring()


def list_random(random: Generator) -> Iterator[Design]:
    """List designs that nobody has picked: strata of like and of most unlike sizes, with many hits, few and none."""
    for number in range(RANDOM):
        strata = int(random.integers(1, 13))
        # So many times as large as the smallest the largest may be.
        weights = 10 ** random.uniform(0, random.choice([0.3, 1, 2, 3]), strata)
        shares = 10 ** random.uniform(-3, -0.3, strata) * (random.random(strata) > random.choice([0, 0.4]))
        size = 10 ** random.uniform(np.log10(30), np.log10(2000))
        total = 10 ** random.uniform(np.log10(2 * size), 6)
        jobs = np.maximum(1, np.round(weights / weights.sum() * total)).astype(int)
        by = [weights, np.ones(strata), weights * np.sqrt(np.maximum(shares, 0.01))][random.integers(3)]
        sizes = np.minimum(jobs, np.maximum(random.choice([2, 5, 12]), np.round(by / by.sum() * size))).astype(int)
        hits = np.round(jobs * shares).astype(int)
        rest = np.minimum(jobs - hits, np.round(jobs * random.uniform(0, 0.5, strata))).astype(int)
        numbers = jobs.tolist(), sizes.tolist()
        if number % 2:
            counts = list(zip(hits.tolist(), rest.tolist(), strict=True))
            truth = float(hits.sum() / max(1, hits.sum() + rest.sum()))
            find = partial(_find_part, numbers[0], counts, numbers[1])
            yield Design("a flag's precision", "at random", int(sizes.sum()), truth, find)
        else:
            find = partial(_find_share, numbers[0], hits.tolist(), numbers[1])
            yield Design("a share", "at random", int(sizes.sum()), float(hits.sum() / jobs.sum()), find)


def _list_erring() -> Iterator[Design]:
    """List those whose reviewers err."""
    for errs in (0.01, 0.05):
        for number, how in enumerate(("one reviewer a job", "two a job", "two, a third where they disagree"), 1):
            find = partial(_find_erring, 100_000, 10_000, 300, number, errs)
            yield Design("a share", f"{how}, {errs:.0%} of verdicts wrong", 300, 0.1, find)
    find = partial(_find_erring, 100_000, 10_000, 300, 2, 0.05, only_miss=True)
    yield Design("a share", "two a job, who miss 5% of hits and err in nothing else", 300, 0.1, find)
    for errs, known in ((0.01, 200), (0.05, 50), (0.05, 200), (0.1, 200)):
        for name in ("one stratum", "rare strata", "strata without a hit", "one client has most"):
            jobs, sizes, shares = DESIGNS[name]
            hits = [round(number * share) for number, share in zip(jobs, shares, strict=True)]
            find = partial(_find_corrected, jobs, hits, sizes, errs, known)
            population = f"{name}, {errs:.0%} wrong, corrected by {known} known"
            yield Design("a share", population, sum(sizes), sum(hits) / sum(jobs), find)
        right, wrong = 10_560, 4_400
        find = partial(_find_corrected_recall, right, wrong, errs, known)
        population = f"{errs:.0%} wrong, corrected by {known} known"
        yield Design("recall", population, 600, right / (right + wrong), find)


def _draw(random: Generator, jobs: list[int], hits: list[int], sizes: list[int]) -> list[Stratum]:
    drawn = zip(jobs, hits, sizes, strict=True)
    return [Stratum(number, size, draw(random, number, hit, size)) for number, hit, size in drawn]


def _bounds(found: Estimate | None) -> Found:
    assert found is not None
    return found.low, found.high


def _find_share(jobs: list[int], hits: list[int], sizes: list[int], random: Generator) -> Found:
    return _bounds(estimate_share(_draw(random, jobs, hits, sizes)))


def _find_recall(right: int, passed: list[int], wrong: list[int], sizes: list[int], random: Generator) -> Found:
    rejected = _draw(random, [12_000], [right], [240])
    return _bounds(estimate_ratio(rejected, _draw(random, passed, wrong, sizes)))


def _find_part(jobs: list[int], counts: list[tuple[int, int]], sizes: list[int], random: Generator) -> Found:
    found = None
    # A sample without any such job says nothing.
    while found is None:
        splits = []
        for number, size, (hit, rest) in zip(jobs, sizes, counts, strict=True):
            drawn = random.multivariate_hypergeometric([hit, rest, number - hit - rest], size)
            splits.append(Split(number, size, int(drawn[0]), int(drawn[1])))
        found = estimate_part(splits)
    return _bounds(found)


def _find_difference(jobs: list[int], hits: list[int], sizes: list[int], random: Generator) -> Found:
    one, other = (estimate_share(_draw(random, jobs, hits, sizes)) for _ in range(2))
    assert one is not None
    assert other is not None
    change = compare(Bounds(one, one), Bounds(other, other))
    return change.low, change.high


def _find_erring(
    jobs: int, hits: int, size: int, people: int, errs: float, random: Generator, *, only_miss: bool = False
) -> Found:
    """Let people err by chance; of two who disagree nobody knows which is right, and both bounds are taken.

    Three: the third one judges where two disagree. `only_miss`: nobody calls a hit what is none.
    """
    real = draw(random, jobs, hits, size)
    is_hit = [number < real for number in range(size)]
    said = [(random.random(size) < errs) & (np.array(is_hit) | (not only_miss)) for _ in range(people)]
    opinions = [[hit != bool(each[number]) for each in said] for number, hit in enumerate(is_hit)]
    if people > 2:
        opinions = [each[:2] if each[0] == each[1] else each[2:] for each in opinions]
    low = estimate_share([Stratum(jobs, size, sum(all(each) for each in opinions))])
    high = estimate_share([Stratum(jobs, size, sum(any(each) for each in opinions))])
    assert low is not None
    assert high is not None
    between = Bounds(low, high)
    return between.low, between.high


def _find_corrected(
    jobs: list[int], hits: list[int], sizes: list[int], errs: float, known: int, random: Generator
) -> Found:
    """Let one reviewer a job err, and correct that by what they say of known jobs, so many of either kind."""
    judged = _judge(random, _draw(random, jobs, hits, sizes), errs)
    nothing = _figure([Stratum(1, 1, 0)])
    corrected = correct(_meet_known(random, errs, known), _figure(judged), nothing, nothing, nothing)[0].corrected
    assert corrected is not None
    return corrected.low, corrected.high


def _find_corrected_recall(right: int, wrong: int, errs: float, known: int, random: Generator) -> Found:
    rejected = _judge(random, _draw(random, [12_000], [12_000 - right], [240]), errs)
    passed = _judge(random, _draw(random, [88_000], [wrong], [360]), errs)
    figures = (_figure(rejected), _figure(passed), _figure(rejected), _figure(rejected))
    corrected = correct(_meet_known(random, errs, known), *figures)[3].corrected
    assert corrected is not None
    return corrected.low, corrected.high


def _judge(random: Generator, drawn: list[Stratum], errs: float) -> list[Stratum]:
    """Let reviewers say of each job that it is a hit or none, wrongly at a rate."""
    return [
        Stratum(
            one.jobs,
            one.judged,
            int(random.binomial(one.hits, 1 - errs) + random.binomial(one.judged - one.hits, errs)),
        )
        for one in drawn
    ]


def _meet_known(random: Generator, errs: float, known: int) -> Errors:
    passed, rejected = (estimate_share([Stratum(10**12, known, int(random.binomial(known, errs)))]) for _ in range(2))
    return Errors(passed, rejected, (known, known))


def _figure(strata: list[Stratum]) -> Figure:
    found = estimate_share(strata)
    assert found is not None
    jobs, judged = sum(one.jobs for one in strata), sum(one.judged for one in strata)
    return Figure(Bounds(found, found), "", jobs, judged, 0, (), ())


def main() -> None:
    """Print the table, and draw the figure."""
    designs, held = list(list_designs()), list[float]()
    print("| figure | population | jobs judged | truth | holds the truth | width |\n|---|---|---|---|---|---|")  # noqa: T201
    with ProcessPoolExecutor() as pool:
        for design, (share, width) in zip(designs, pool.map(partial(_try, SAMPLES), designs), strict=True):
            held.append(share)
            first = f"| {design.figure} | {design.population} | {design.judged} | {design.truth:.1%}"
            print(f"{first} | {share:.1%} | {width:.1%} |", flush=True)  # noqa: T201
        (ROOT / "docs" / "coverage.svg").write_text(draw_figure(list(zip(designs, held, strict=True))))
        shares = sorted(share for share, _ in pool.map(partial(_try, RANDOM_SAMPLES), list_random(default_rng(1))))
    within = sum(ASKED[0] <= share <= ASKED[1] for share in shares)
    said = f"{within} of {RANDOM} at random within, {shares[0]:.1%} to {shares[-1]:.1%}"
    print(f"{said}, {sum(shares) / RANDOM:.1%} on average")  # noqa: T201


def _try(samples: int, design: Design) -> tuple[float, float]:
    """Count how often so many samples hold the truth, and how wide their intervals are; a row has a seed of its own."""
    random = default_rng([*design.figure.encode(), *design.population.encode(), design.judged])
    found = [design.find(random) for _ in range(samples)]
    held, width = sum(low <= design.truth <= high for low, high in found), sum(high - low for low, high in found)
    return held / samples, width / samples


def draw_figure(rows: list[tuple[Design, float]]) -> str:
    """Draw a dot for each design on an axis of how often its intervals hold the truth."""
    height, scale = ROW * len(rows) + 70, (WIDTH - LEFT - 50) / (1 - LEAST)

    def across(held: float) -> float:
        return LEFT + (max(held, LEAST) - LEAST) * scale

    band = f'<rect x="{across(ASKED[0]):.1f}" y="40" width="{(ASKED[1] - ASKED[0]) * scale:.1f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        ' font-family="sans-serif" font-size="13">',
        "<title>How often intervals of 95 % hold the truth</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="12" y="24" font-weight="bold">How often intervals of 95 % hold the truth; grey: 93 to 97 %</text>',
        f'{band} height="{height - 70}" fill="#e4e4e4"/>',
    ]
    for number, (design, held) in enumerate(rows):
        middle = 40 + ROW * number + ROW / 2
        name = f"{design.figure}: {design.population}"
        parts += [
            f'<text x="{LEFT - 10}" y="{middle + 4}" text-anchor="end">{escape(name)}</text>',
            f'<circle cx="{across(held):.1f}" cy="{middle}" r="5" fill="#1d5c63"/>',
            f'<text x="{across(held) + 9:.1f}" y="{middle + 4}">{held:.1%}</text>',
        ]
    for percent in (90, 95, 100):
        x = across(percent / 100)
        parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{percent} %</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    main()
