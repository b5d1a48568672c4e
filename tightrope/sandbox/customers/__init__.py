"""Who the sandbox's invented customers are: a readable list of traits, one customer for each; `tightrope/sandbox/catalogue.py` puts them together."""
