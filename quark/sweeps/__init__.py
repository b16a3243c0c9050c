"""Sweeps: which values a series of runs tries, and who runs which.

:class:`Sweep` is one sweep in a store, :class:`Agent` runs its trials. Configurations are W&B's.
"""

from quark.sweeps.agent import Agent as Agent, AgentConfig as AgentConfig
from quark.sweeps.config import SweepConfig as SweepConfig, parse_config as parse_config
from quark.sweeps.running import RunningTrial as RunningTrial
from quark.sweeps.sweep import Sweep as Sweep
from quark.sweeps.trial import Trial as Trial
