"""The members of W&B's classes and the commands of its command line, for
:mod:`quark.compat.wandb.symbols`: what works, and of the rest why not."""

from __future__ import annotations

WORKS: dict[str, str] = {
    "Artifact": """
add add_dir add_file add_reference aliases checkout collection commit_hash created_at delete
description digest digest_algorithm distributed_id download entity file file_count files
finalize get get_added_local_path_name get_entry get_path history_step id incremental is_draft
is_link json_encode link linked_artifacts linked_at logged_by manifest metadata name new_draft
new_file project qualified_name remove save size source_artifact source_collection source_entity
source_name source_project source_qualified_name source_version state tags ttl type unlink
updated_at url use_as used_by verify version wait
""",
    "data types": """
Audio BatchableMedia Bokeh BoundingBoxes2D Classes EvalTable Graph Histogram Html Image ImageMask
JoinedTable Media Molecule Node Object3D PartitionedTable Plotly Table Video WBValue box3d
from_json Audio.durations Audio.sample_rates Graph.add_edge Graph.add_node Graph.from_keras
Histogram.MAX_LENGTH
Html.inject_head Image.MAX_DIMENSION Image.image Molecule.SUPPORTED_RDKIT_TYPES
Molecule.SUPPORTED_TYPES Molecule.from_rdkit Molecule.from_smiles
Object3D.SUPPORTED_POINT_CLOUD_TYPES Object3D.SUPPORTED_TYPES Object3D.from_file
Object3D.from_numpy Object3D.from_point_cloud Plotly.make_plot_media Table.MAX_ARTIFACT_ROWS
Table.MAX_ROWS Table.add_column Table.add_computed_columns Table.add_data Table.add_row
Table.cast Table.get_column Table.get_dataframe Table.get_index Table.has_been_logged
Table.index_ref Table.iterrows Table.set_fk Table.set_pk Video.EXTS
""",
    "plot": """
CustomChart Visualize bar confusion_matrix custom_chart histogram line line_series plot_table
pr_curve roc_curve scatter visualize viz
""",
    "apis.public": """
Api ArtifactCollection ArtifactCollections ArtifactType ArtifactTypes Artifacts ConsoleLogLine
ConsoleLogs File Files HistoryScan Project Projects Run RunArtifacts Runs Sweep Team User artifacts
""",
    "Api objects": """
ArtifactCollection.aliases ArtifactCollection.artifacts ArtifactCollection.change_type
ArtifactCollection.created_at ArtifactCollection.delete ArtifactCollection.description
ArtifactCollection.entity ArtifactCollection.id ArtifactCollection.is_sequence
ArtifactCollection.name ArtifactCollection.project ArtifactCollection.save ArtifactCollection.tags
ArtifactCollection.type ArtifactCollection.updated_at ArtifactCollections.more
ArtifactType.collection ArtifactType.collections ArtifactType.id ArtifactType.name
ArtifactTypes.more Artifacts.more File.delete File.download File.path_uri File.size Files.more
Project.artifacts_types Project.collections Project.id Project.owner Project.path Project.sweeps
Project.url Projects.more RunArtifacts.more Runs.histories Runs.more Runs.next Runs.upgrade_to_full
Sweep.best_run Sweep.config Sweep.entity Sweep.expected_run_count Sweep.load Sweep.name
Sweep.order Sweep.path Sweep.url Sweep.username User.teams
""",
    "commands": "agent sweep",
}

#: Why, and what of each part is not supported for that reason.
_FIELDS = "The words of W&B's protocol; the rows and files themselves can be read."
_PAGING = "Pages of W&B's server. Iterate, index or call `len` instead."
_SERVER = "Needs W&B's server."
_SHOWN = "There is no page that it could show."
_INSIDE = "How W&B writes a value into a run; nothing that a script calls."
NOT_SUPPORTED: dict[str, dict[str, str]] = {
    "data types": {
        _INSIDE: """
all_boxes all_captions all_masks bind_to_run captions file_is_set get_media_subdir
init_from_json is_bound path_is_reference seq_to_json to_data_array to_json type_mapping
with_suffix Audio.resolve_ref Classes.get_type Graph.pprint Image.guess_mode Video.encode
""",
        "A list keeps all its images.": "Image.MAX_ITEMS",
        "Traces of language models are W&B Weave's.": "WBTraceTree",
    },
    "plot": {"What W&B's charts share; not a chart.": "utils"},
    "apis.public": {
        _SERVER: """
AgentRuns Automations BetaReport Integrations Job Member Organization PanelMetricsHelper QueuedRun
Registries Registry Reports RunQueue RunQueueAccessType RunQueuePrioritizationMode
RunQueueResourceType SlackIntegrations WebhookIntegrations automations integrations jobs
organizations registries reports service_api
""",
        _FIELDS: """
DownloadHistoryResult FILE_FRAGMENT IncompleteRunHistoryError PythonMongoishQueryGenerator
QueryGenerator RUN_FRAGMENT RunNotFoundError query_generator runhistory
""",
        "The classes are in `apis.public` itself.": """
ArtifactFiles ProjectArtifactCollections Sweeps api console_logs files history projects runs sweeps
teams users utils
""",
    },
    "Api objects": {
        _PAGING: """
ArtifactCollections.QUERY ArtifactCollections.convert_objects ArtifactCollections.cursor
ArtifactCollections.next ArtifactCollections.update_variables ArtifactTypes.QUERY
ArtifactTypes.convert_objects ArtifactTypes.cursor ArtifactTypes.next
ArtifactTypes.update_variables Artifacts.QUERY Artifacts.convert_objects Artifacts.cursor
Artifacts.next Artifacts.update_variables Files.convert_objects Files.cursor Files.last_response
Files.next Files.update_variables Projects.QUERY Projects.convert_objects
Projects.cursor Projects.length Projects.next Projects.update_variables
RunArtifacts.convert_objects RunArtifacts.cursor RunArtifacts.next RunArtifacts.update_variables
Runs.convert_objects Runs.cursor Runs.last_response Runs.update_variables
""",
        _SHOWN: """
File.display File.to_html Project.display Project.to_html Sweep.display Sweep.to_html User.display
User.to_html
""",
        _SERVER: """
Sweep.agent Sweep.agents Sweep.enqueue_run User.api_keys User.create User.delete_api_key
User.generate_api_key User.user_api
""",
        _FIELDS: """
ArtifactCollection.load ArtifactCollection.project_id ArtifactCollection.project_internal_id
ArtifactType.load File.snake_to_camel Project.snake_to_camel Sweep.get Sweep.snake_to_camel
User.snake_to_camel
""",
    },
    "module": {
        "What W&B reports about itself to its makers.": "analytics",
        "W&B's protocol to a service process that there is not.": "proto",
        "There is no key that a SageMaker job would need.": "sagemaker_auth",
    },
    "Api": {
        _SERVER: """
automation automations create_automation create_custom_chart create_registry create_run_queue
create_team create_user delete_automation integrations job list_jobs organization queued_run
registries registry reports run_queue slack_integrations update_automation upsert_run_queue
webhook_integrations
""",
    },
    "Api run": {
        "Files that W&B's server exports; `scan_history` reads all rows.": (
            "download_history_exports"
        ),
        "A run is stopped where it runs.": "stop",
    },
    "commands": {
        "There is no account: nothing to log in to.": "login",
        "Set `WANDB_MODE`.": "disabled enabled off offline on online",
        "Runs that were not delivered are delivered by the next run that uses the store.": "sync",
        "Read with `Api`; a command line for runs is being built.": (
            "artifact leet projects pull restore status verify"
        ),
        "Use `wandb.controller`, or just agents.": "controller",
        "`init` needs no set-up.": "init",
        "Caches and copies are not kept apart from the runs.": "clean purge-cache",
        "Launch and W&B's own server are not part of Quark.": (
            "beta docker docker-run job launch launch-agent launch-sweep local scheduler server "
            "sweep-scheduler"
        ),
    },
    "environment": {
        "Payloads rest in the store, once; nothing is cached beside it.": (
            "WANDB_CACHE_DIR WANDB_DATA_DIR"
        ),
    },
}

NOTES: dict[tuple[str, str], str] = {
    ("commands", "agent"): "`quark agent SWEEP`.",
    ("commands", "sweep"): "`quark sweep FILE.yaml`; `--do pause` and the like change one.",
    ("Artifact", "ttl"): "Nothing is deleted before `quark.catalog.removal.collect` is called.",
    ("Artifact", "url"): "None: there is no page.",
    ("Artifact", "digest_algorithm"): "MD5 alone.",
    ("data types", "Graph.from_keras"): "Raises: what it reads is gone since Keras 3.",
    ("Api objects", "Sweep.url"): "None.",
    ("Api objects", "Project.url"): "None.",
}
