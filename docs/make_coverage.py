"""Count how often the intervals of samples hold the truth: the table of docs/quality.md."""

import sys
from pathlib import Path

from numpy.random import default_rng

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.quality.estimates import Stratum, estimate_share  # noqa: E402
from tests.core.quality.test_estimates import DESIGNS, draw  # noqa: E402

SAMPLES = 10_000


def main() -> None:
    random = default_rng(1)
    print("| population | strata | jobs judged | truth | holds the truth | width |\n|---|---|---|---|---|---|")  # noqa: T201
    for name, (jobs, sizes, shares) in DESIGNS.items():
        hits = [round(number * share) for number, share in zip(jobs, shares, strict=True)]
        truth, held, width = sum(hits) / sum(jobs), 0, 0.0
        for _ in range(SAMPLES):
            drawn = zip(jobs, hits, sizes, strict=True)
            found = estimate_share([Stratum(n, size, draw(random, n, hit, size)) for n, hit, size in drawn])
            assert found is not None
            held += found.low <= truth <= found.high
            width += found.high - found.low
        print(f"| {name} | {len(jobs)} | {sum(sizes)} | {truth:.1%} | {held / SAMPLES:.1%} | {width / SAMPLES:.1%} |")  # noqa: T201


if __name__ == "__main__":
    main()
