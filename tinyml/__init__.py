"""tinyml takes a Keras model or an int8 ``.tflite`` file to a Cortex-M binary proven before it meets a board."""

__version__ = "0.1.0"
