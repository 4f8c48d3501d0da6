"""Integer audio front-end and image preprocessing: the arithmetic that the C on the board repeats bit for bit."""

from tinyml.features.config import FrontendConfig, default_config
from tinyml.features.frontend import Frontend, FrontendStream, frontend
from tinyml.features.image import ImageConfig, process

__all__ = ["Frontend", "FrontendConfig", "FrontendStream", "ImageConfig", "default_config", "frontend", "process"]
