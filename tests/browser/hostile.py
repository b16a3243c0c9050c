"""Texts that would do something if a page took them for more than text, and runs made of them.

Whatever would be run calls ``__tripped``, see :mod:`tests.browser.tripwire`; whatever would be
loaded is asked of ``evil.invalid``, which is nowhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: What stands in every place of a run that takes a text.
CORPUS: tuple[str, ...] = (
    # markup
    "<script>__tripped('script')</script>",
    "\"'><script>__tripped('script out of an attribute')</script>",
    "</title></textarea></style></script><script>__tripped('out of raw text')</script>",
    "<img src=x onerror=__tripped('img')>",
    "<svg onload=__tripped('svg')><animate onbegin=__tripped('animate') attributeName=x dur=1s>",
    "<svg><script>__tripped('script in svg')</script></svg>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=__tripped('mutated')>",
    "<iframe srcdoc=\"<script>top.__tripped('srcdoc')</script>\"></iframe>",
    "<details open ontoggle=__tripped('toggle')><input autofocus onfocus=__tripped('focus')>",
    "<link rel=stylesheet href=//evil.invalid/a.css><style>@import '//evil.invalid/b.css'</style>",
    "<base href=//evil.invalid/><meta http-equiv=refresh content='0;url=//evil.invalid/'>",
    "<form action=javascript:__tripped('form')><button>press</button></form>",
    "<!-- <p title='--><script>__tripped('comment')</script>'>",
    # addresses
    "javascript:__tripped('address')",
    "java\tscript:__tripped('address with a tab')",
    "data:text/html,<script>opener.__tripped('data')</script>",
    "//evil.invalid/protocol-relative",
    "http://evil.invalid/?steal",
    # templates and formats
    "${__tripped('template')}",
    "{{constructor.constructor(\"__tripped('expression')\")()}}",
    "%s%n%x{0.__class__}{}$(touch tripped)`touch tripped`",
    '=HYPERLINK("http://evil.invalid","a cell")',
    "'; DROP TABLE runs; --",
    ";background:url(//evil.invalid/c.png)",
    # names that programs trip over
    "__proto__",
    "constructor",
    "toString",
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "C:\\..\\nul",
    "a/../b//c/./d",
    "?key=1&key=2#fragment%zz",
    "\r\nSet-Cookie: tripped=1",
    # what eyes and layouts trip over
    "\x1b[31mred\x1b[0m \x1b]8;;javascript:__tripped('link')\x07link\x1b]8;;\x07",
    "\u202egnp.tpircs\u202c \u2066left\u2069 שלום مرحبا",
    "zero\u200bwidth\u200djoin\ufeff\u2060\u00ad",
    "Z̶͑͗a̷̛̾l̴̈́͝g̵͌̈o̸̊̀",
    "👩‍👩‍👧‍👦🏴‍☠️ \U0001f9ec",
    " ",
    "\u00a0\u3000",
    "W" * 300,
    "word " * 60,
)

#: HTML that a user logged: it may run in its own box, and reaches nothing from there.
HTML = """<!doctype html><title>logged</title>
<body><p id=shown>logged html</p>
<script>
const attempts = [
  () => top.__tripped("top"),
  () => parent.__tripped("parent"),
  () => { parent.document.title = "tripped"; parent.__tripped("document"); },
  () => { if (localStorage.length >= 0) top.__tripped("storage"); },
  () => { if (document.cookie) top.__tripped("cookie"); },
  () => { top.location = "//evil.invalid/navigated"; },
  () => { const w = open("//evil.invalid/window"); w && w.close(); },
  () => fetch("//evil.invalid/fetched").catch(() => {}),
  () => { new Image().src = "//evil.invalid/image.png"; },
  () => fetch("/ui/api/me").catch(() => {}),
  () => alert("tripped"),
];
for (const attempt of attempts) try { attempt(); } catch { /* as it should be */ }
document.getElementById("shown").textContent = "logged html has run";
</script>"""


def write_hostile() -> None:
    """Write runs whose every text is out of the corpus. Runs in a process of its own."""
    import numpy as np

    import quark.compat.wandb as wandb

    nested = {text: {text: [text, {text: text}]} for text in CORPUS if text.strip()}
    for number in range(2):
        run = wandb.init(
            id=f"hostile{number}",
            project="<img src=x onerror=__tripped('project')>",
            name="".join(CORPUS[number::7])[:500],
            notes="\n".join(CORPUS),
            group=CORPUS[number + 3],
            job_type=CORPUS[number + 4],
            tags=[text[:64] for text in CORPUS[number::9] if text.strip()],
            config={"lr": 0.1 * (number + 1), **nested},
        )
        keys = [text.strip() for text in CORPUS if text.strip()]
        for step in range(12):
            row = {key[:200]: float(step + place) for place, key in enumerate(keys)}
            run.log({**row, "loss": float("nan") if step == 5 else 1.0 / (1 + step)})
        if number == 0:
            _watch(run)
        for text in CORPUS:
            print(text)
            run.alert(title=text[:60] or "-", text=text, level="ERROR")
        table = wandb.Table(columns=["<b>column</b>", CORPUS[0], "n"])
        for place, text in enumerate(CORPUS):
            table.add_data(text, CORPUS[-1 - place], place)
        pixels = np.zeros((24, 24, 3), dtype=np.uint8)
        boxes = {
            "box_data": [
                {
                    "position": {"minX": 0.1, "maxX": 0.6, "minY": 0.1, "maxY": 0.6},
                    "class_id": 1,
                    "box_caption": CORPUS[3],
                }
            ],
            "class_labels": {1: CORPUS[0]},
        }
        masks = {"mask_data": pixels[:, :, 0] + 1, "class_labels": {1: CORPUS[4]}}
        run.log(
            {
                "table": table,
                "html": wandb.Html(HTML, inject=False),
                "image": wandb.Image(
                    pixels, caption=CORPUS[3], boxes={"b": boxes}, masks={"m": masks}
                ),
                "<img src=x onerror=__tripped('key')>": wandb.Histogram([1, 2, 3]),
            }
        )
        run.summary["text"] = CORPUS[0]
        for text in CORPUS[:30]:
            if text.strip():
                run.summary[text.strip()] = text
        artifact = wandb.Artifact(
            "hostile", type="dataset", description=CORPUS[0], metadata={"nested": nested}
        )
        for place, text in enumerate(CORPUS[:20]):
            Path("file.txt").write_text(text)
            name = text.replace("/", "_").replace("\x00", "")[:100]
            artifact.add_file("file.txt", name=f"{place}/{name}")
        Path("page.html").write_text(HTML)
        Path("page.svg").write_text(
            "<svg xmlns='http://www.w3.org/2000/svg' onload=\"top.__tripped('file')\"/>"
        )
        artifact.add_file("page.html")
        artifact.add_file("page.svg")
        seen = wandb.Table(columns=["<b>column</b>", CORPUS[0], "page"])
        for place, text in enumerate(CORPUS):
            seen.add_data(text, CORPUS[-1 - place], wandb.Html(HTML, inject=False))
        artifact.add(seen, "seen")
        artifact.add(
            wandb.Image(pixels, caption=CORPUS[3], boxes={"b": boxes}, masks={"m": masks}), "image"
        )
        artifact.add(wandb.Html(HTML, inject=False), "html")
        run.log_artifact(artifact, aliases=["latest", "best"])
        run.finish(exit_code=number)
    _write_session()


def _watch(run: Any) -> None:
    """Train a model whose layers have such names."""
    import torch

    model = torch.nn.Sequential()
    for place, text in enumerate(CORPUS[:8]):
        model.add_module(text.replace(".", "_"), torch.nn.Linear(4, 4))
        model.add_module(f"relu{place}", torch.nn.ReLU())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run.watch(model, log="all", log_freq=1)
    for _ in range(6):
        optimizer.zero_grad()
        loss = model(torch.ones(8, 4)).square().mean()
        loss.backward()
        optimizer.step()
        run.log({"train/loss": loss.item()})


def _write_session() -> None:
    """Write a run through the other door, which takes more in a project's name and in events."""
    from quark import EventLogger, MetricsLogger, TrainingSession
    from quark.session import RunRequest
    from quark.settings import Settings

    request = RunRequest(
        run_id="hostile2'onmouseover=__tripped()",
        project=CORPUS[3],
        name="\u202e<b>txt",
        tags=tuple(text[:200] for text in CORPUS if text.strip()),
        config={"a": CORPUS},
        settings=Settings.load(),
    )
    with (
        TrainingSession.open(request) as session,
        MetricsLogger(session) as metrics,
        EventLogger(session) as events,
    ):
        for step, text in enumerate(CORPUS):
            metrics.log("train/loss", 1.0 / (1 + step), step=step)
            events.log("tripped", severity="warning", status=text, payload={text: text})
            events.add_log(text, identifier="Error", payload={"more": text})
