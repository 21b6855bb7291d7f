"""log_probs to a hypothesis; a decoder is ``(log_probs, symbols, frame_seconds) -> Hypothesis``."""

from asr.decoding.decoder import BeamDecoder, BeamSettings
from asr.decoding.greedy import decode_greedy

__all__ = ["BeamDecoder", "BeamSettings", "decode_greedy"]
