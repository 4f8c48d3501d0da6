"""From a model's scores over a stream of sound to announced words: smoothing, thresholds, refractory times."""
