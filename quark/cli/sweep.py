"""``quark sweep`` and ``quark agent``: a sweep of a program, from the command line."""

from __future__ import annotations

import click

from quark import jsonio

_STATES = {"pause": "PAUSED", "resume": "RUNNING", "stop": "FINISHED", "cancel": "CANCELED"}


@click.command(name="sweep")
@click.argument("config_or_id", metavar="CONFIG.YAML|SWEEP")
@click.option("--project", "-p", help="What the sweep's runs belong to.")
@click.option("--entity", "-e", help="The workspace.")
@click.option("--name", help="What the sweep is called.")
@click.option("--prior-run", "prior_runs", multiple=True, help="The id of a run that counts too.")
@click.option(
    "--do",
    "action",
    type=click.Choice([*_STATES]),
    help="Change a sweep that is there: 'pause' starts no new trials, 'stop' lets running ones "
    "end, 'cancel' ends them.",
)
@click.option("--json", "as_json", is_flag=True, help='Print {"id", "path", "agent"} as JSON.')
def make_sweep(
    config_or_id: str,
    project: str | None,
    entity: str | None,
    name: str | None,
    prior_runs: tuple[str, ...],
    action: str | None,
    as_json: bool,
) -> None:
    """Make a sweep of a YAML file, or change one.

    The file is as W&B's.

    \b
    quark sweep sweep.yaml
    quark agent digits/k3x9q0ab --count 20     # as often as there are processes for it
    quark sweep digits/k3x9q0ab --do pause
    """
    from quark.compat.wandb.sweeps.create import create_sweep, load_sweep_config

    if action is not None:
        from quark.compat.wandb.public_api import Api

        overrides = {name: value for name, value in (("project", project),) if value}
        Api(overrides=overrides).sweep(config_or_id).set_state(_STATES[action])
        return
    config = load_sweep_config(config_or_id)
    if name:
        config["name"] = name
    sweep = create_sweep(config, entity, project, prior_runs)
    path = f"{sweep.project}/{sweep.id}"
    if as_json:
        said = {"id": sweep.id, "path": path, "agent": f"quark agent {path}"}
        click.echo(jsonio.dumps(said).decode())
    else:
        click.echo(f"quark agent {path}")


@click.command(name="agent")
@click.argument("sweep")
@click.option("--project", "-p", help="The sweep's project, if SWEEP does not say it.")
@click.option("--entity", "-e", help="The workspace.")
@click.option("--count", type=click.IntRange(min=1), help="How many trials to run at most.")
@click.option(
    "--forward-signals", is_flag=True, help="SIGTERM, SIGHUP and SIGQUIT end the trial's program."
)
def run_agent(
    sweep: str, project: str | None, entity: str | None, count: int | None, forward_signals: bool
) -> None:
    """Run trials of a sweep until none is left.

    Each is the sweep's program, with Quark as its `wandb`. Start as many agents as there is room
    for.
    """
    from quark.compat.wandb.sweeps.agents import agent

    agent(sweep, entity=entity, project=project, count=count, forward_signals=forward_signals)
