"""tinyml takes a Keras model or an int8 ``.tflite`` file to a Cortex-M binary that is proven before a board is on the desk."""

__version__ = "0.1.0"
