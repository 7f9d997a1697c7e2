"""Study files: what is asked. Reading, checking, and one frozen value of each. Nothing here needs torch."""
