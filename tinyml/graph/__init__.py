"""The compiler's intermediate representation, the ops it knows, and the passes over it."""
