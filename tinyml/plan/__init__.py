"""Where every tensor and every scratch buffer lies in the arena, and what the whole costs on a board."""
