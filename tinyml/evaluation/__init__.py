"""How good a model is: accuracy by class, ROC curves, confusion, anomaly scores, misses against false accepts."""
