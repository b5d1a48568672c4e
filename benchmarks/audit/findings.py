"""What was looked for where an aim was missed, with prediction and outcome; goes at the report's end as it is."""

LINES = [
    "## What was mended on the way, prediction and outcome (2026-11-22)",
    "",
    "Old and new by turns in one minute on the same machine, whose two cores had a load of 4 to 7 from other work.",
    "",
    "| what | prediction | outcome |",
    "| --- | --- | --- |",
    "| a batch cost four round trips (begin, read, place, commit), now two: read in one statement, place in one; nothing is written where the shard "
    "did not grow from the size that the sequencer knows | half the wait, a third of the sealer's processor time | a batch of four: median 6.5 ms to "
    "3.5 and 5.4 ms, lower quartile 4.2 and 5.0 to 3.1 and 3.6 ms; 1,450 and 1,630 to 1,110 and 1,170 µs of processor |",
    "| a look that finds nothing waiting: three round trips to one | a third | median 1.0 and 1.3 ms to 0.3 and 0.4 ms |",
    "| building a segment held the sequencer up for 10 ms, twice a second at 1,000 events a second; now in slices of 32 entries | no wait above a "
    "millisecond from it, so a p99 some milliseconds lower | slices of 0.6 ms by the clock; at this load nothing to be seen in the p99, which "
    "waits for a core |",
    "| leaves and ciphertexts are read back in binary, not as hexadecimal text | half the bytes | not measured by itself |",
    "| tried, not kept: writers that do not notify, a sealer that looks every 3 ms (Postgres lets transactions that notify commit only one after the "
    "other, each with its flush) | half the median at 1,000 a second | p50 9.6 and 10.8 ms to 8.0 and 8.5 ms, p95 41 and 43 to 28 and 42 ms, within "
    "what the load changes: no case for it yet; try again on an idle machine |",
    "| the verifier apart over a whole log: of 2.4 µs a leaf, hashing is 1.0; leaves' tails are cut once instead of searching each bundle for the log's own "
    "(0.14 µs), file names are cut, not computed (0.08), a tile above is read once and not 256 times (0.1), files are read unbuffered, "
    "zip support loads only for a zip | a quarter less | old and new by turns, 500,000 leaves of 555 bytes, load 3 to 7: least 1.20 s to 1.03 s of processor, "
    "medians 1.31 to 1.09 s (a sixth less); in one undisturbed pair 1.30 to 1.03 s. Tried and not kept: one loop for all (slower than list comprehensions), "
    "memoryviews instead of copies "
    "(no gain), no garbage collection (no gain) |",
]
