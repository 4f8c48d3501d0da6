"""PlatformIO development platform: toolchains come from PATH or from PyPI, so it asks no registry for any package."""

import importlib.util
import json
import os
import re
from pathlib import Path

from platformio.dependencies import get_core_dependencies
from platformio.package.manager.core import get_core_package_dir
from platformio.platform.base import PlatformBase

SCONS_PY = """import os, sys
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != here]
from SCons.Script import main
sys.exit(main())
"""


class BaremetalPlatform(PlatformBase):
    """The platform's class; PlatformIO finds it by the name in platform.json."""

    def is_embedded(self):
        """Uploading goes through a programmer or a serial port."""
        return True

    def configure_default_packages(self, options, targets):
        """Makes sure that SCons is there before PlatformIO asks its registry for it."""
        self._provide_scons()
        return super().configure_default_packages(options, targets)

    def _provide_scons(self):
        """PlatformIO wants the package platformio/tool-scons; where PyPI's SCons is installed, that stands in for it.

        The owner is compared too, and it is only read from ``.piopm``; without that file the registry is asked.
        """
        if get_core_package_dir("tool-scons", auto_install=False):
            return
        if importlib.util.find_spec("SCons") is None:
            return
        wanted = get_core_dependencies()["tool-scons"]
        version = re.search(r"\d+\.\d+\.\d+", wanted).group(0)
        package = Path(self.pm.package_dir) / "tool-scons"
        package.mkdir(parents=True, exist_ok=True)
        spec = {"owner": "platformio", "id": None, "name": "tool-scons", "requirements": None, "uri": None}
        files = {
            "package.json": json.dumps(
                {"name": "tool-scons", "version": version, "system": ["*"], "description": "SCons as installed from PyPI"}
            ),
            "scons.py": SCONS_PY,
            ".piopm": json.dumps({"type": "tool", "name": "tool-scons", "version": version, "spec": spec}),
        }
        for name, text in files.items():
            temporary = package / f"{name}.{os.getpid()}"
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(package / name)
