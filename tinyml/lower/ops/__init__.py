"""Lowering, one file an op: from an op of the graph to the step that calls its portable kernel."""
