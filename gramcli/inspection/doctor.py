"""What works on this machine: versions, devices, decoders, the cache."""

from __future__ import annotations

import os
import platform
import tempfile
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from gramcli import __version__
from gramcli.embedding.cache import cache_folder
from gramcli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

# Import name -> (distribution, what it is needed for).
PACKAGES: Final[dict[str, tuple[str, str]]] = {
    "torch": ("torch", "scores and ranks"),
    "numpy": ("numpy", "arrays"),
    "scipy": ("scipy", "resampling, statistics"),
    "sklearn": ("scikit-learn", "the signal encoder"),
    "safetensors": ("safetensors", "stores"),
    "decord": ("decord2", "video"),
    "av": ("av", "video and sound tracks"),
    "soundfile": ("soundfile", "audio files"),
    "PIL": ("pillow", "images"),
    "pandas": ("pandas", "tables"),
    "matplotlib": ("matplotlib", "figures of the HTML page"),
    "jinja2": ("jinja2", "the HTML page"),
}


@dataclass(frozen=True)
class Check:
    """One thing that was tried.

    Attributes:
        name: What was tried.
        works: Whether it does.
        detail: The version, or what is wrong and what to do.
    """

    name: str
    works: bool
    detail: str


def diagnose(progress: Callable[[int, int], None] | None = None) -> tuple[Check, ...]:
    """Try every package the tool uses, the devices and the cache folder.

    Args:
        progress: Called with (done, total) after each package.

    Returns:
        One check per thing; nothing is raised for what does not work.
    """
    checks = [
        Check("gramcli", True, __version__),
        Check("python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
    ]
    for done, (module, (distribution, purpose)) in enumerate(PACKAGES.items(), start=1):
        checks.append(check_package(module, distribution, purpose))
        if progress:
            progress(done, len(PACKAGES))
    return (*checks, check_devices(), check_arithmetic(), check_cache())


def check_package(module: str, distribution: str, purpose: str) -> Check:
    """Import one package and say its version.

    Args:
        module: Import name.
        distribution: Name to install it by.
        purpose: What the tool needs it for.

    Returns:
        The check; a package that is there but cannot be imported does not work.
    """
    try:
        import_module(module)
        return Check(distribution, True, f"{version(distribution)} ({purpose})")
    except PackageNotFoundError:
        return Check(distribution, True, f"version unknown ({purpose})")
    except Exception as error:  # a broken shared library raises anything
        return Check(distribution, False, f"{error}. Needed for {purpose}: install {distribution} again.")


def check_devices() -> Check:
    """Say which devices torch can use; a CPU alone is fine."""
    try:
        import torch  # noqa: PLC0415 - a missing torch is a finding, not a crash

        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return Check("devices", True, ", ".join([f"cpu ({torch.get_num_threads()} threads)", *names]))
    except Exception as error:  # as above
        return Check("devices", False, str(error))


def check_arithmetic() -> Check:
    """Say how ranks are computed on the CPU; whatever it is, they are the same."""
    try:
        import torch  # noqa: PLC0415 - a missing torch is a finding, not a crash

        from gramcli.scoring.compiled.loading import loops  # noqa: PLC0415
        from gramcli.scoring.screening import native_bfloat16  # noqa: PLC0415

        dtype = "bfloat16" if native_bfloat16(torch.bfloat16) else "float32"
        how = "compiled loops" if loops(1 << 62) else "torch operations, slower (numba does not run, or is told not to)"
        return Check("arithmetic", True, f"ranks by {dtype} products and {how}; the same ranks whichever it is")
    except Exception as error:  # as above
        return Check("arithmetic", False, str(error))


def check_cache() -> Check:
    """Try to write to the cache folder."""
    try:
        folder = cache_folder()
    except UserError as error:
        return Check("cache", False, error.message)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Check("cache", True, str(folder))
    except OSError as error:
        advice = "Set GRAM_CACHE to a folder that can be written."
        return Check("cache", False, f"{os.fspath(folder)}: {error.strerror}. {advice}")
