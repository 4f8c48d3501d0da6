"""TensorFlow and Keras, imported late and without their start-up chatter.

``import tensorflow`` costs seconds and writes to the terminal from C++, where neither ``logging`` nor ``warnings``
reach; so it is imported inside functions only, always through here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

from tinyml.errors import BuildError


@contextlib.contextmanager
def quiet_native_stderr() -> Iterator[None]:
    """Drop what native code writes to file descriptor 2; when the body raises, the last lines go into a note of it."""
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # no standard error at all: nothing to silence
        yield
        return
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        except Exception as error:
            log.seek(0)
            error.add_note(log.read()[-2000:].decode("utf-8", "replace"))
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)


def import_tensorflow() -> Any:
    """The ``tensorflow`` module, quiet.

    Raises:
        BuildError: TensorFlow is not installed.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # oneDNN sums in another order: runs would not be repeatable
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        with warnings.catch_warnings(), quiet_native_stderr():
            warnings.simplefilter("ignore")
            import tensorflow
    except ImportError as error:
        raise BuildError(
            f"TensorFlow cannot be imported ({error})",
            hint="training and conversion need the train extra: pip install 'tinyml[train]'",
        ) from error
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)
    return tensorflow


def import_keras() -> Any:
    """The ``keras`` module on the TensorFlow backend, quiet.

    Raises:
        BuildError: TensorFlow or Keras is not installed.
    """
    import_tensorflow()
    with warnings.catch_warnings(), quiet_native_stderr():
        warnings.simplefilter("ignore")
        import keras
    return keras
