"""One module for each command: a workspace or files in, an answer out; what the command line, pages and notebooks call."""
