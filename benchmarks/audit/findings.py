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
    "| the verifier apart over a whole log: of 2.4 µs a leaf, hashing is 1.0; leaves' tails are cut once instead of searching each bundle for the "
    "log's own (0.14 µs), file names are cut, not computed (0.08), a tile above is read once and not 256 times (0.1), files are read unbuffered, "
    "zip support loads only for a zip | a quarter less | old and new by turns, 500,000 leaves of 555 bytes, load 3 to 7: "
    "least 1.20 s to 1.03 s of processor, medians 1.31 to 1.09 s (a sixth less); "
    "in one undisturbed pair 1.30 to 1.03 s. Tried and not kept: one loop for all (slower than list comprehensions), memoryviews instead of copies "
    "(no gain), no garbage collection (no gain) |",
    "",
    "Later, at 1,000 events a second on the same machine with little other work (load 1 to 2), runs of 8 to 25 s; p50, p95, p99 in ms:",
    "",
    "| what | prediction | outcome |",
    "| --- | --- | --- |",
    "| before | | 5.3, 17, 31 in the first quarter of a minute, 10, 24, 34 in the second: it grew worse with the table |",
    "| read the queue from where it was read before, past what was taken and is not yet cleaned up | no growth | none of it: not kept |",
    "| the planner read all of `audit.records` for the four that waited, as long as the table was small (a plain join); now one look at its index for each | "
    "0.4 ms instead of 4, at any size | 0.4 ms; 2.4, 13, 22, and stays so |",
    "| segments and leaves read in slices of 32 and 128 with 2 ms between them (a burst of 50 ms stood in the way every half second); tiles, bundles and "
    "their folders flushed together, each folder once | no clusters every 0.56 s | 2.0 to 3.1, 6 to 9, 9 to 16 |",
    "| threads of the sealer give the interpreter up after 0.5 ms, not 5 | some milliseconds of the p99 | by turns: 10 and 15 ms to 9 and 10; kept |",
    "| what was imported is left out of garbage collection (57 ms once in 20 s) | a lower maximum | not measured by itself |",
    "| the benchmark's own listener and writers went through all that they had imported when they collected garbage (62 ms); they leave it out now, as "
    "every part of the product does | no maximum near 100 ms | on the idle machine, a minute each: 1.8, 5.0, 8.4 and 98 at most to 1.4, 3.6, 5.8 and 48 |",
    "| tried again, not kept: writers that do not notify, a sealer that looks every 3 ms | a p99 below 10 | p50 5.6 to 7, p99 14 to 16: worse |",
]
