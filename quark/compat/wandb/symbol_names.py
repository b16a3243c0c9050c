"""The names behind :mod:`quark.compat.wandb.symbols`, by state and part, and the notes on them."""

from __future__ import annotations

_INIT = """
allow_val_change anonymous config config_exclude_keys config_include_keys dir entity fork_from
group id job_type mode monitor_gym name notes project reinit resume resume_from save_code settings
sync_tensorboard tags tensorboard
"""

WORKS: dict[str, str] = {
    "module": """
__version__ agent agents alert AlertLevel annotations Api api apis Artifact ArtifactTTL attach
Audio box3d catboost Classes CommError Config config controller data_types define_metric
ensure_configured env Error errors EvalTable finish Graph gym helper Histogram Html Image init
integration join JoinedTable keras lightgbm link_model log log_artifact log_model login
mark_preempting Molecule Object3D patched pin_config_keys plot plot_table Plotly profiler require
restore Run run sacred save sdk Settings setup sklearn summary sweep Table teardown tensorboard
tensorflow termerror termlog termsetup termwarn trigger unwatch UsageError use_artifact use_model
util Video visualize wandb wandb_agent wandb_lib wandb_sdk wandb_torch watch xgboost
""",
    "init": _INIT,
    "Run": """
alert config config_static define_metric dir disabled display entity finish finish_artifact group
id job_type link_artifact link_model log log_artifact log_code log_model mark_preempting name notes
offline path pin_config_keys project project_url restore resumed save settings start_time
starting_step status step summary sweep_id sweep_url sync_dir tags to_html unwatch upsert_artifact
url use_artifact use_model watch write_logs
""",
    "Config": "as_dict get items keys merge_locked persist setdefaults update update_locked",
    "Summary": "get keys update",
    "Settings": """
code_dir config_paths console disable_code disable_git entity fork_from git_commit git_remote_url
host ignore_globs mode notebook_name program project quiet reinit resume resume_from root_dir
run_group run_id run_job_type run_name run_notes run_tags save_code silent sweep_id
sweep_param_path symlink sync_tensorboard table_raise_on_max_row_limit_exceeded use_dot_wandb
username x_disable_stats x_files_dir x_label x_primary x_start_time x_stats_sampling_interval
x_sync_dir_suffix x_update_finish_state
""",
    "Api": """
artifact artifact_collection artifact_collection_exists artifact_collections artifact_exists
artifact_type artifact_types artifact_versions artifacts create_project create_run default_entity
flush from_path project projects run runs sweep sync_tensorboard team user user_agent users viewer
""",
    "Api run": """
beta_scan_history config console_logs create created_at delete display entity file files group
history id job_type json_config lastHistoryStep load load_full_data log_artifact logged_artifacts
metadata name notes path project rawconfig save scan_history snake_to_camel state storage_id
summary summary_metrics sweep sweep_name system_metrics tags to_html update update_state
upload_file url use_artifact used_artifacts user username wait_until_finished
""",
}

NO_OP: dict[str, str] = {
    "module": "jupyter",
    "init": "force",
    "Settings": """
allow_media_symlink allow_offline_artifacts allow_val_change anonymous api_key app_url_override
azure_account_url_to_access_key base_url capture_loggers console_chunk_max_bytes
console_chunk_max_seconds console_multipart credentials_file disable_git_fork_point
disable_job_creation docker email finish_timeout finish_timeout_raises force git_remote git_root
heartbeat_seconds http_proxy https_proxy identity_token_file init_timeout insecure_disable_ssl
job_name job_source label_disable launch launch_config_path login_timeout
max_end_of_run_history_metrics max_end_of_run_summary_metrics organization program_abspath
program_relpath relogin resumed sagemaker_disable settings_system show_colors show_emoji
show_errors show_info show_warnings stop_fn stop_on_fatal_error strict summary_timeout
summary_warnings x_cli_only_mode x_disable_machine_info x_disable_meta x_disable_viewer
x_executable x_extra_http_headers x_file_stream_max_bytes x_file_stream_max_line_bytes
x_file_stream_no_gzip x_file_stream_retry_max x_file_stream_retry_wait_max_seconds
x_file_stream_retry_wait_min_seconds x_file_stream_timeout_seconds x_file_stream_transmit_interval
x_file_transfer_retry_max x_file_transfer_retry_wait_max_seconds
x_file_transfer_retry_wait_min_seconds x_file_transfer_timeout_seconds x_flow_control_custom
x_flow_control_disabled x_graphql_retry_max x_graphql_retry_wait_max_seconds
x_graphql_retry_wait_min_seconds x_graphql_timeout_seconds x_history_value_encoding
x_internal_check_process x_jupyter_name x_jupyter_path x_jupyter_root x_live_policy_rate_limit
x_live_policy_wait_time x_log_level x_network_buffer x_proxies x_runqueue_item_id
x_save_requirements x_server_side_derived_summary x_service_transport x_service_wait
x_skip_transaction_log x_stats_buffer_size x_stats_coreweave_metadata_base_url
x_stats_coreweave_metadata_endpoint x_stats_cpu_count x_stats_cpu_logical_count
x_stats_dcgm_exporter x_stats_disk_paths x_stats_gpu_count x_stats_gpu_device_ids x_stats_gpu_type
x_stats_neuron_monitor_config_path x_stats_no_cgroup x_stats_open_metrics_endpoints
x_stats_open_metrics_filters x_stats_open_metrics_http_headers x_stats_pid x_stats_self_usage
x_stats_track_process_tree x_sync x_transaction_log_flush_interval
""",
}

#: What differs, or why nothing comes of it.
NOTES: dict[tuple[str, str], str] = {
    ("module", "sweep"): "The store keeps the sweep; also takes a YAML file.",
    ("module", "agent"): "A trial that is stopped early ends by an exception out of `log`.",
    ("module", "agents"): "`pyagent`.",
    ("module", "controller"): "Steers a sweep of the local store.",
    ("module", "wandb_agent"): "`agent`.",
    ("Api", "sweep"): "`set_state` pauses, resumes, stops and cancels.",
    ("Api run", "sweep"): "None for a run of no sweep.",
    ("module", "login"): "There is nothing to log in to: always False, never a question.",
    ("module", "setup"): "Nothing is started; returns an object without use.",
    ("module", "require"): "Accepts every feature.",
    ("module", "ensure_configured"): "Nothing to configure.",
    ("module", "api"): "A namespace with `api_key`, which is None.",
    ("module", "apis"): "`PublicApi` and `public`, with `Api`, `Run` and `Runs`.",
    ("module", "attach"): "Each process counts its rows itself.",
    ("module", "env"): "The names of the variables and the functions that libraries use.",
    ("module", "util"): "What integrations use, and `generate_id`, which W&B 0.31 has removed.",
    ("module", "sdk"): "The classes that libraries use in `isinstance`, all of them the shim's.",
    ("module", "wandb_lib"): "`sdk.lib`, as far as it is used.",
    ("module", "wandb_sdk"): "`sdk`, as far as it is used.",
    ("module", "log"): "A row below the open step is kept at its own step, not dropped.",
    ("module", "Histogram"): "Numbers that are not finite are left out.",
    ("module", "Image"): "Floats in [0, 1] and [-1, 1] are scaled, as before 0.31; lists keep all "
    "their images; encoded in the background.",
    ("module", "Video"): "Frames are encoded in the background.",
    ("module", "Audio"): "Samples are encoded in the background.",
    ("module", "Html"): "`inject` does not link W&B's style sheet.",
    ("module", "Graph"): "`from_keras` raises: what it reads is gone since Keras 3.",
    ("module", "box3d"): "Keeps the signs of the quaternion.",
    ("module", "Table"): "All rows are kept; a table that was changed is kept as it is, however "
    "often it is logged.",
    ("module", "EvalTable"): "A table that says which columns are inputs, outputs and scores.",
    ("module", "JoinedTable"): "Can be logged without an artifact.",
    ("module", "plot"): "`pr_curve` and `roc_curve` need no scikit-learn and keep all points.",
    ("module", "watch"): "Gradients are those in `.grad` at the end of the backward pass; "
    "of more than 4,096 elements a sample is counted.",
    ("Run", "watch"): "Gradients are those in `.grad` at the end of the backward pass; "
    "of more than 4,096 elements a sample is counted.",
    ("module", "alert"): "An event of the run and a line on the terminal, for each title no more "
    "often than `wait_duration` says.",
    ("init", "dir"): "Holds `wandb` and `.quark`; `QUARK_STORAGE_DIR` moves the latter.",
    ("init", "save_code"): "The script is copied into the run's files, below `code`.",
    ("init", "mode"): "online, offline and shared all keep the run in the local store.",
    ("init", "id"): "A known id without `resume` goes on with that run, with a warning.",
    ("init", "resume"): "Works without a server.",
    ("init", "sync_tensorboard"): "Events are logged as they are written, texts and "
    "hyperparameters too; `run.step` counts their rows.",
    ("Run", "log"): "A row below the open step is kept at its own step, not dropped.",
    ("Run", "name"): "Always set, also offline.",
    ("Run", "summary"): "Can be read after `finish`; `in`, `len` and `items` work.",
    ("Run", "alert"): "An event of the run and a line on the terminal, for each title no more "
    "often than `wait_duration` says.",
    ("Run", "save"): "Keeps copies, not links; `live` also takes files that come later.",
    ("Run", "to_html"): "A small table: there is no page to show.",
    ("Run", "status"): "Counts what this process logged.",
    ("init", "fork_from"): "Works offline too.",
    ("init", "resume_from"): "Works offline too; the whole run stays, as `<id>~1`.",
    ("Run", "dir"): "W&B's folder; a link to `.quark/runs/<id>/files`.",
    ("Settings", "ignore_globs"): "`save` leaves out what they fit.",
    ("Settings", "x_primary"): "Not given: the process that starts a shared run ends it.",
    ("Settings", "x_stats_sampling_interval"): "10 seconds unless it is given.",
    ("Api", "default_entity"): "The workspace, `local`.",
    ("Api", "viewer"): "The workspace, as a user: there are no accounts.",
    ("Api run", "url"): "None.",
    ("Api run", "history"): "All rows, unless `samples` is given; NaN and the infinities are "
    "floats, not strings.",
    ("Api run", "system_metrics"): "Quark's keys, and W&B's where they mean the same.",
    ("Api run", "user"): "The workspace, as a user.",
    ("Api run", "username"): "The workspace.",
    ("Api run", "delete"): "Refuses a run that a process still writes into.",
    ("Api run", "files"): "What lies in `run.dir`.",
    ("Api run", "update_state"): "`failed` for a run that nobody writes into; nothing else.",
    ("Api run", "to_html"): "A small table: there is no page to show.",
    ("Api", "team"): "The workspace, as a team of one.",
    ("Api", "user"): "The workspace, as a user.",
    ("Api", "users"): "The workspace, as a user.",
    ("Api run", "scan_history"): "NaN and the infinities are floats, not strings.",
    ("Api run", "metadata"): "Made from the files in the run's folder; without GPUs and packages.",
    ("module", "Artifact"): "Files are copied into the store when they are added; versions, "
    "aliases and lineage work without a server.",
    ("module", "ArtifactTTL"): "There are no teams: `INHERIT` means for ever.",
    ("Run", "use_artifact"): "Works offline too.",
    ("Run", "link_artifact"): "Works offline too; a registry is a project of the store.",
    ("Run", "link_model"): "Works offline too; a registry is a project of the store.",
    ("Run", "use_model"): "Works offline too.",
    ("Api", "artifacts"): "All at once; pages are accepted and not needed.",
    ("Run", "write_logs"): "Kept as a console line, also in `output.log`.",
    ("Settings", "console"): "All but `off` mean `wrap`.",
    ("Api run", "console_logs"): "A sequence; all lines are read at once.",
    ("Api run", "state"): "`crashed` also for a run that SIGTERM ended.",
    ("Config", "update"): "Takes an OmegaConf DictConfig too.",
    ("Summary", "update"): "NaN is kept.",
}
