"""Many recordings: found, shared among processes or machines, written as they come.

inputs -> jobs -> batches -> (alone | processes | cluster) -> outputs
"""

from asr.transcription.jobs import Job, batches, find_jobs, shard
from asr.transcription.outputs import Outputs, Printed, Saved
from asr.transcription.running import Summary, run

__all__ = ["Job", "Outputs", "Printed", "Saved", "Summary", "batches", "find_jobs", "run", "shard"]
