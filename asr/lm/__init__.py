"""Word models: n-grams read, stored, looked up and built; import the file that has what you need."""
