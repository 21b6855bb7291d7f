"""log_probs to a hypothesis; a decoder is ``(log_probs, symbols, frame_seconds, ...) -> Hypothesis``."""

from asr.decoding.attention import AttentionDecoder, AttentionSearch, attend
from asr.decoding.beam_settings import BeamSettings
from asr.decoding.decoder import BeamDecoder, BeamStream, num_cores
from asr.decoding.greedy import decode_greedy
from asr.decoding.stream import GreedyStream, Partial, open_stream

__all__ = [
    "AttentionDecoder",
    "AttentionSearch",
    "BeamDecoder",
    "BeamSettings",
    "BeamStream",
    "GreedyStream",
    "Partial",
    "attend",
    "decode_greedy",
    "num_cores",
    "open_stream",
]
