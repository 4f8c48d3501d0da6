"""TFLite files: reading them into a graph, making them from Keras, and the reference they are compared with."""
