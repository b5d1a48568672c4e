"""A language model for demo and tests: the protocol of vLLM's OpenAI server, a script instead of weights, and faults to order."""
