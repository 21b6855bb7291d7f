"""Recurrent language models of words or characters: trained, stored, asked; import the file that has what you need."""
