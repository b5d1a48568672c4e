"""Acceptance cases on the command line: `commands` and `files` are what people type, `world` is what `talk` plays a case against, `run` plays many."""
