"""A program that logs every chart, and the same charts with hostile words in every place."""

from __future__ import annotations

from tests.browser.hostile import CORPUS


def write_plots() -> None:
    """Log ``plotted``, every chart that there is, and ``hostile``, charts out of the corpus."""
    import quark.compat.wandb as wandb
    from tests.dashboard import plotting

    settings = wandb.Settings(console="off")
    plotting.write(settings=settings)
    x, y, kind = CORPUS[:3]
    run = wandb.init(id="hostile", project="plots", name="hostile charts", settings=settings)
    rows = [[float(place), float(place % 7), text] for place, text in enumerate(CORPUS)]
    table = wandb.Table(columns=[x, y, kind], data=rows)
    names = [*CORPUS[:6]]
    run.log(
        {
            CORPUS[3]: wandb.plot.line(table, x, y, stroke=kind, title=CORPUS[4]),
            CORPUS[4]: wandb.plot.scatter(table, x, y, title=CORPUS[5]),
            CORPUS[5]: wandb.plot.bar(table, kind, y, title=CORPUS[6]),
            CORPUS[6]: wandb.plot.histogram(table, x, title=CORPUS[7]),
            CORPUS[7]: wandb.plot.confusion_matrix(
                y_true=list(range(6)), preds=[5, 4, 3, 2, 1, 0], class_names=names, title=CORPUS[8]
            ),
            CORPUS[8]: wandb.plot_table(CORPUS[9], table, {x: y}, {"title": CORPUS[10]}),
        }
    )
    run.finish()
