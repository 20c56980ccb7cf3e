"""Run a notebook from top to bottom in a kernel of this Python, so that a second run gives the same bytes."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Literal

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode
from tqdm import tqdm

from retention_models.core.whole_files import work_folder
from retention_models.report.errors import ReportError

# Without these two runs would differ: by the name of a cell that warns (it holds the process id), the order
# of sets, the date in pictures, and progress bars.
_ENVIRONMENT = {
    "IPYKERNEL_CELL_NAME": "cell",
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "0",
    "TQDM_DISABLE": "1",
}
_MATPLOTLIBRC = "svg.hashsalt: retention-models\n"
# Switched on at the start: a first figure made within a `style.context` would switch it on for that context alone,
# and later figures would be lost.
_INLINE = "c.InteractiveShellApp.matplotlib = 'inline'\n"
# Lines stay sharp in SVG; what it embeds as pixels (heat maps) is drawn at 144 dots an inch.
_FIGURES = {
    "png": "",
    "svg": "c.InlineBackend.figure_formats = {'svg'}\n"
    "c.InlineBackend.print_figure_kwargs = {'bbox_inches': 'tight', 'dpi': 144}\n",
}


def execute(notebook: NotebookNode, *, name: str, folder: Path, figures: Literal["svg", "png"] = "svg") -> None:
    """Run every code cell of the notebook, in place.

    The kernel is this interpreter, works in ``folder``, and sees neither the user's IPython settings nor
    matplotlibrc. ``name`` is the notebook's name in messages and on the progress bar, which is drawn only on
    a terminal; ``figures`` is the format of the pictures.

    Raises
    ------
    ReportError
        If a cell fails, naming the notebook, the cell and the error; or if the kernel dies.
    """
    with work_folder() as scratch:
        client = NotebookClient(
            notebook,
            km=_kernel_manager(scratch),
            coalesce_streams=True,
            force_raise_errors=True,
            record_timing=False,
            shutdown_kernel="immediate",
        )
        with client.setup_kernel(cwd=str(folder), env=_environment(scratch, figures), cleanup_kc=True):
            for index, cell in enumerate(tqdm(notebook.cells, desc=name, unit="cell", disable=None)):
                _execute_cell(client, cell, index, name)


def _kernel_manager(scratch: Path) -> AsyncKernelManager:
    """Manager of a kernel of this interpreter, whatever kernels the user has registered.

    It talks over files in ``scratch``, not over TCP, where another user of the machine could listen.
    """
    return AsyncKernelManager(
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
        connection_file=str(scratch / "kernel.json"),
        transport="tcp" if sys.platform == "win32" else "ipc",
    )


def _environment(scratch: Path, figures: str) -> dict[str, str]:
    """Environment of the kernel, with settings of its own in ``scratch``."""
    profile = scratch / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text(_INLINE + _FIGURES[figures])
    matplotlibrc = scratch / "matplotlibrc"
    matplotlibrc.write_text(_MATPLOTLIBRC)
    return os.environ | _ENVIRONMENT | {"IPYTHONDIR": str(profile.parent), "MATPLOTLIBRC": str(matplotlibrc)}


def _execute_cell(client: NotebookClient, cell: NotebookNode, index: int, name: str) -> None:
    """Run one cell; numbers in the message count all cells from one."""
    place = f"{name}, cell {index + 1} of {len(client.nb.cells)}"
    try:
        client.execute_cell(cell, index, execution_count=client.code_cells_executed + 1)
    except CellExecutionError as error:
        raise ReportError(f"{place} ({_first_line(cell.source)}) failed: {_describe(error)}") from error
    except DeadKernelError as error:
        raise ReportError(f"{place} ({_first_line(cell.source)}) ended the kernel; was there enough memory?") from error
    for output in cell.get("outputs", ()):  # what fails when a figure is shown, after the code, raises nothing
        if output.output_type == "error":
            raise ReportError(f"{place} ({_first_line(cell.source)}) failed: {output.ename}: {output.evalue}")


def _first_line(source: str) -> str:
    lines = (line.strip() for line in source.splitlines())
    return next((line for line in lines if line and not line.startswith("#|")), "")


def _describe(error: CellExecutionError) -> str:
    """Name and message of the error, on one line; for an assert without a message, the code that failed."""
    message = strip_ansi(error.evalue).strip()
    if not message and (line := re.search(r"^-+> *\d+ *(.+)$", strip_ansi(error.traceback), re.MULTILINE)):
        message = line[1]
    return " ".join((f"{error.ename}: {message}" if message else error.ename).split())
