"""What detectors' raw outputs mean: boxes and keypoints, computed as the firmware computes them."""
