"""``wandb.integration.huggingface.autolog``: what pipelines of transformers were asked and said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quark.clock import format_timestamp
from quark.compat import wandb
from quark.compat.wandb.integration.autolog import Autolog, Call
from quark.compat.wandb.naming import generate_id

COLUMNS = ("ID", "Model Alias", "Timestamp", "Elapsed Time", "Input", "Response", "Kwargs")

#: Tasks of texts. What other tasks are asked with does not go into a table.
_TASKS = frozenset(
    {
        *("question-answering", "sentiment-analysis", "summarization", "text-classification"),
        *("text-generation", "text2text-generation", "token-classification", "fill-mask"),
    }
)


def _describe(call: Call) -> Mapping[str, Any] | None:
    """Return a table under the name of the task: a row for each input."""
    pipeline, asked, *_ = (*call.args, call.keywords.get("inputs"))
    task = str(pipeline.task)
    if task not in _TASKS and not task.startswith("translation"):
        return None
    model = getattr(pipeline.model, "model", pipeline.model)
    known = [
        generate_id(16),
        str(getattr(model, "name_or_path", "") or type(pipeline.model).__name__),
        format_timestamp(call.started_us),
        call.seconds,
    ]
    inputs = asked if isinstance(asked, list) else [asked]
    returned = call.returned if isinstance(asked, list) else [call.returned]
    keywords = {key: str(value) for key, value in call.keywords.items() if key != "inputs"}
    table = wandb.Table(columns=list(COLUMNS), allow_mixed_types=True)
    for one, answer in zip(inputs, returned, strict=False):
        single = answer[0] if isinstance(answer, list) and len(answer) == 1 else answer
        table.add_data(*known, _plain(one), _plain(single), keywords)
    return {task: table}


def _plain(value: Any) -> Any:
    """Return what can be in a table: numbers of numpy and torch become Python's."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value


#: ``autolog(init)`` begins, ``autolog.disable()`` ends.
autolog = Autolog("huggingface", "transformers", "Pipeline", "__call__", _describe)
