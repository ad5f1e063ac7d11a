"""The set-up and the monthly taskflow as Airflow 3 DAGs: thin tasks over ``tripcast.pipeline`` and ``tripcast.taskflow``.

Airflow's ``dags_folder`` is this folder. Tasks find the warehouse as everything else does: by connections.toml
(SNOWFLAKE_HOME, TRIPCAST_CONNECTION), in the environment of Airflow's processes.
"""
