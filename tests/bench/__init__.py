"""``make bench``: the MLPerf Tiny models on every instruction set, beside other engines' figures."""
