"""Judgement while a run goes on: alerts as they come up, an end before more is lost, a guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quark._lazy import lazy_names

if TYPE_CHECKING:
    from quark.live.config import LiveConfig as LiveConfig
    from quark.live.extension import LiveRules as LiveRules
    from quark.live.guarding import GradientGuard as GradientGuard, guard as guard
    from quark.live.reactions import AlertSubscription as AlertSubscription, on_alert as on_alert
    from quark.live.stopping import check as check, should_stop as should_stop
    from quark.live.watching import watch as watch

_HOMES = {
    "AlertSubscription": "quark.live.reactions",
    "GradientGuard": "quark.live.guarding",
    "LiveConfig": "quark.live.config",
    "LiveRules": "quark.live.extension",
    "check": "quark.live.stopping",
    "guard": "quark.live.guarding",
    "on_alert": "quark.live.reactions",
    "should_stop": "quark.live.stopping",
    "watch": "quark.live.watching",
}

__all__ = sorted(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
