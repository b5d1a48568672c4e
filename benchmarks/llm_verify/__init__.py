"""`make llm-verify`: the client, the composer and the gate against a real vLLM with models that know nothing (deploy/vllm/verify)."""
