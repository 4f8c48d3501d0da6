"""What makes a trained network cheaper without making it worse: quantisation-aware training and distillation."""
