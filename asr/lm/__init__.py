"""Language models of words or characters: read, stored, looked up and built; import the file that has what you need."""
