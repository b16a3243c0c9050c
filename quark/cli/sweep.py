"""``quark sweep`` and ``quark agent``: a sweep of a program, from the command line."""

from __future__ import annotations

import shlex

import click

from quark import jsonio
from quark.cli.output import object_of, states
from quark.cli.target import Place, with_place

_STATES = {"pause": "PAUSED", "resume": "RUNNING", "stop": "FINISHED", "cancel": "CANCELED"}


@click.command(name="sweep")
@states(object_of(id="string", path="string", agent="string"))
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
@with_place
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def make_sweep(
    config_or_id: str,
    project: str | None,
    entity: str | None,
    name: str | None,
    prior_runs: tuple[str, ...],
    action: str | None,
    place: Place,
    as_json: bool,
) -> None:
    """Make a sweep of a YAML file, or change one.

    The file is as W&B's. The sweep is kept where new runs are, unless the options say where; its
    agents need the same ones.

    \b
    quark sweep sweep.yaml
    quark agent digits/k3x9q0ab --count 20     # as often as there are processes for it
    quark sweep digits/k3x9q0ab --do pause
    """
    from quark.compat.wandb.sweeps.create import create_sweep, load_sweep_config

    place.impose()
    if action is not None:
        from quark.compat.wandb.public_api import Api

        named = {"project": project, "entity": entity}
        overrides = {key: value for key, value in named.items() if value}
        found = Api(overrides=overrides).sweep(config_or_id)
        found.set_state(_STATES[action])
        path = f"{found.project}/{found.id}"
        if as_json:
            click.echo(_said(found.id, path, place))
        else:
            click.echo(f"Sweep {path} is {_STATES[action].lower()}.")
        return
    config = load_sweep_config(config_or_id)
    if name:
        config["name"] = name
    sweep = create_sweep(config, entity, project, prior_runs)
    path = f"{sweep.project}/{sweep.id}"
    if as_json:
        click.echo(_said(sweep.id, path, place))
    else:
        click.echo(_agent_of(path, place))


def _said(sweep_id: str, path: str, place: Place) -> str:
    agent = _agent_of(path, place)
    return jsonio.dumps({"id": sweep_id, "path": path, "agent": agent}).decode()


def _agent_of(path: str, place: Place) -> str:
    """Return what starts an agent from the same folder."""
    return shlex.join(["quark", "agent", path, *place.words])


@click.command(name="agent")
@click.argument("sweep")
@click.option("--project", "-p", help="The sweep's project, if SWEEP does not say it.")
@click.option("--entity", "-e", help="The workspace.")
@click.option("--count", type=click.IntRange(min=1), help="How many trials to run at most.")
@click.option(
    "--forward-signals", is_flag=True, help="SIGTERM, SIGHUP and SIGQUIT end the trial's program."
)
@with_place
def run_agent(
    sweep: str,
    project: str | None,
    entity: str | None,
    count: int | None,
    forward_signals: bool,
    place: Place,
) -> None:
    """Run trials of a sweep until none is left.

    Each is the sweep's program, with Quark as its `wandb`. Start as many agents as there is room
    for.

    \b
    quark agent digits/k3x9q0ab --count 20
    """
    from quark.compat.wandb.sweeps.agents import agent

    place.impose()
    agent(sweep, entity=entity, project=project, count=count, forward_signals=forward_signals)
