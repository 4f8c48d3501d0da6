"""Results of the verbs, as JSON objects and as tables for a terminal."""
