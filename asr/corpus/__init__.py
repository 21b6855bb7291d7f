"""Corpora before training: build a manifest from what lies on disk, check it, split it, join its utterances."""
