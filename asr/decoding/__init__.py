"""log_probs to a hypothesis; a decoder is ``(log_probs, symbols, frame_seconds) -> Hypothesis``."""

from asr.decoding.decoder import BeamDecoder, BeamSettings, BeamStream, Partial, num_cores
from asr.decoding.greedy import decode_greedy

__all__ = ["BeamDecoder", "BeamSettings", "BeamStream", "Partial", "decode_greedy", "num_cores"]
