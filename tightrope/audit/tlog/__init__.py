"""The transparency log's formats: RFC 6962 tree, C2SP tiles, signed notes, checkpoints, proofs and policies. No files, no network, no clock."""
