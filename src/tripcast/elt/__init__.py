"""Extract trip files to a stage, load them raw, conform them to TRIPS.

The functions that the guide's notebooks call are here by their names there.
"""

from tripcast.elt.guide import bulk_elt, extract_trips_to_stage, incremental_elt, load_trips_to_raw, transform_trips

__all__ = [
    "bulk_elt",
    "extract_trips_to_stage",
    "incremental_elt",
    "load_trips_to_raw",
    "transform_trips",
]
