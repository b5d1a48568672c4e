"""Everything between us and a language model: masking, prompts, the client, the ledger of its calls."""
