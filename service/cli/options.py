"""Arguments and options that several commands take."""

from typing import Annotated

import typer

from service.cli.completion import any_ids, experiment_ids, run_ids

Url = Annotated[str, typer.Option(envvar="RANKWARD_URL", help="The server.")]
ApiKey = Annotated[
    str | None,
    typer.Option(envvar="RANKWARD_API_KEY", show_envvar=True, help="API key, where the server asks for one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Wait = Annotated[bool, typer.Option(help="Wait until every run is over.")]
ExperimentId = Annotated[
    str,
    typer.Argument(
        help="Id of an experiment, whole or short: its last 8 characters or more, or its first ones.",
        autocompletion=experiment_ids,
    ),
]
RunId = Annotated[
    str, typer.Argument(help="Id of a run, whole or short: its last 8 characters or more.", autocompletion=run_ids)
]
AnyId = Annotated[str, typer.Argument(help="Id of an experiment or of a run, whole or short.", autocompletion=any_ids)]
OfExperiment = Annotated[str | None, typer.Option(help="Only runs of this experiment.", autocompletion=experiment_ids)]
Where = Annotated[str | None, typer.Option(help='Only these, e.g. "model.depth >= 3 AND summary.loss < 1e-4".')]
Fields = Annotated[str | None, typer.Option(help="Only these fields, e.g. id,model.depth,summary.loss.")]
