"""Rasa custom actions: thin adapters between the flows and the parts that know the answer. One module per journey group."""
