"""From a document somebody wrote to a release that may be quoted: checks, signatures, releases, which of them is active."""
