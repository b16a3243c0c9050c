"""All faults by name."""

from __future__ import annotations

from benchmarks.faults.fault import Fault
from benchmarks.faults.faults_around import INFRASTRUCTURE, RANKS, RUNTIME
from benchmarks.faults.faults_in_code import LOSS, MODEL, NUMERICS, OPTIMISATION
from benchmarks.faults.faults_in_data import DATA, GENERALISATION

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for family in (
        OPTIMISATION,
        LOSS,
        MODEL,
        NUMERICS,
        DATA,
        GENERALISATION,
        RUNTIME,
        RANKS,
        INFRASTRUCTURE,
    )
    for fault in family
}
