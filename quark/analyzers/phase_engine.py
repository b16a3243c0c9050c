"""``PhaseAnalyzer``: from the losses or accuracies that a run has kept to its phases."""

from __future__ import annotations

from quark.analyzers.outputs import current_outputs, within_steps
from quark.analyzers.phased import (
    PhaseAnalysisResult as PhaseAnalysisResult,
    PhaseAnalyzerConfig as PhaseAnalyzerConfig,
    phase_stored,
)
from quark.analyzers.phases import PHASE_NAMES
from quark.analyzers.questions import check_numbers_from_0, check_word
from quark.records import PhaseRecord
from quark.session.resolve import Target, check_target, open_for_writing, reading


class PhaseAnalyzer:
    """Cuts one run into phases by its training and validation loss, or accuracy.

    Losses go before accuracies, and both of a sort before one alone. Without a validation there is
    no overfitting to see; without a metric there are no phases. A run may be analysed while it
    goes on, and any time later.

    Args:
        session: The run: a ``TrainingSession`` or a ``RunContext``.
        config: Thresholds and metric keys.

    Raises:
        SchemaValidationError: ``session`` is no run.

    >>> import tempfile
    >>> from quark import MetricsLogger, TrainingSession
    >>> with TrainingSession.start_run(project="demo", storage_dir=tempfile.mkdtemp()) as session:
    ...     with MetricsLogger(session) as metrics:
    ...         for step, loss in enumerate([2.3, 2.2, 1.5, 1.0, 0.95, 0.91, 0.909, 0.908]):
    ...             _ = metrics.log("train/loss", loss, step=step)
    ...     result = PhaseAnalyzer(session).analyze()
    >>> for phase in result.phases:
    ...     print(phase.step_start, phase.step_end, phase.phase_name)
    0 1 initialization_adaptation
    2 3 rapid_learning
    4 5 stabilization
    6 7 stagnation
    """

    def __init__(self, session: Target, *, config: PhaseAnalyzerConfig | None = None) -> None:
        check_target(session)
        self._target = session
        self._config = config or PhaseAnalyzerConfig()

    def analyze(self, *, replace_existing: bool | None = None) -> PhaseAnalysisResult:
        """Find the phases of the run and keep them.

        Args:
            replace_existing: Put them in the place of earlier ones, or beside them; by default
                what the configuration says.

        Raises:
            SessionStoreError: What was logged cannot be read.
        """
        config = self._config
        replaces = config.replace_existing_outputs if replace_existing is None else replace_existing
        with open_for_writing(self._target) as handle, handle.reading() as store:
            return phase_stored(store, handle, config, replaces_existing=replaces)

    def read_phases(
        self,
        *,
        phase_name: str | None = None,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        limit: int | None = None,
    ) -> tuple[PhaseRecord, ...]:
        """Return the phases that count now, those of each analysis by their steps.

        Args:
            phase_name: Only those of this name.
            step: Only those whose range of steps has it; likewise ``step_min`` and ``step_max``,
                which that range must meet.
            limit: How many at most.

        Raises:
            SchemaValidationError: A name that no phase can have, or a step or limit that is no
                whole number of 0 or more.
            SessionStoreError: The store does not answer.
        """
        check_word("phase_name", phase_name, PHASE_NAMES)
        check_numbers_from_0(step=step, step_min=step_min, step_max=step_max, limit=limit)
        equals = {} if phase_name is None else {"phase_name": phase_name}
        with reading(self._target) as (store, run_id):
            found = current_outputs(store, run_id, PhaseRecord, "phases", equals)
        return within_steps(found, step=step, step_min=step_min, step_max=step_max, limit=limit)
