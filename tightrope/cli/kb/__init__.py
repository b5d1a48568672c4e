"""Knowledge on the command line: `commands` reads and tells, `sign` is for makers and checkers, `publish` changes what is quoted, `show` is how it looks."""
