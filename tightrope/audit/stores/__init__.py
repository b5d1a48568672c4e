"""Where segments and checkpoints are kept: the seam (`models`), a write-once folder, an S3 bucket with Object Lock, and what checks the latter."""
