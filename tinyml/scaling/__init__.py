"""The largest member of a family that fits a board, found with plans of untrained networks."""
