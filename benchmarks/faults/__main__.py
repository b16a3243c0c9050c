"""``python -m benchmarks.faults``: train broken and healthy runs, judge them, write RESULTS.md.

Training and judging are apart, so that rules can be tried without training again:
``--collect DIR`` trains only what DIR lacks, ``--judge DIR`` judges what is there, ``--keep DIR``
does both and measures the overhead.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.faults.judging import judge_all, read_costs
from benchmarks.faults.report import findings, render, targets
from benchmarks.faults.scoring import score_faults
from benchmarks.faults.verdicts import Verdict

HERE = Path(__file__).parent


def main() -> int:
    """Do what the arguments say."""
    from benchmarks.faults.runner import ARMS, HALVES  # torch, which judging alone does not need

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--collect", type=Path, metavar="DIR", help="train into DIR, judge nothing")
    parser.add_argument("--judge", type=Path, metavar="DIR", help="judge what DIR holds")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="train into DIR, judge, keep DIR")
    parser.add_argument("--half", choices=HALVES, action="append", help="default: both")
    parser.add_argument("--arm", choices=ARMS, action="append", help="default: both")
    parser.add_argument("--only", help="train runs whose id holds this")
    parser.add_argument("--findings", type=Path, help="write misses and false alarms run by run")
    parser.add_argument("--out", type=Path, help="where the results go")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    halves, arms = arguments.half or HALVES, arguments.arm or ARMS
    begin = time.monotonic()
    given = arguments.judge or arguments.collect or arguments.keep
    folder = given or Path(tempfile.mkdtemp(prefix="faults-"))
    if not arguments.judge:
        from benchmarks.faults.runner import chosen, collect, measured_overhead, write_costs

        planned = chosen(halves, arms, arguments.only)
        failed = collect(planned, folder, arguments.workers)
        print("\n".join(failed))
        if arguments.collect:
            return 1 if failed else 0
        trained_seconds = time.monotonic() - begin
        write_costs(folder, trained_seconds, measured_overhead(folder))
    verdicts = judge_all(folder, halves, arms, workers=arguments.workers)
    costs = read_costs(folder)
    if given is None:
        shutil.rmtree(folder)
    _say(verdicts)
    if arguments.findings:
        arguments.findings.write_text(findings(verdicts))
    out = arguments.out or (None if arguments.judge else HERE / "RESULTS.md")
    if out:
        out.write_text(
            render(verdicts, costs["overhead"], training_seconds=costs["training_seconds"])
        )
    return 0


def _say(verdicts: list[Verdict]) -> None:
    from benchmarks.faults.catalogue import FAULTS

    for half in sorted({one.half for one in verdicts}):
        mine = [one for one in verdicts if one.half == half]
        print(f"{half}: {len(mine)} runs")
        for one in targets(mine, score_faults(FAULTS, mine)):
            word = "met" if one.is_met else "NOT met"
            print(f"  {one.what}: {one.measured} (wanted {one.wanted}): {word}")


if __name__ == "__main__":
    sys.exit(main())
