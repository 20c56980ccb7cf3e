"""Write the reference of the public functions as pages to read offline: ``make docs``, or with a folder as argument.

One page for the package and one for each room, with the public names of that room. Modules within a room are left out,
except those that document the methods which all models share.
"""

import inspect
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

WITHOUT_NAMES = r"!retention_models\.(core|tables|estimation|cli|__main__)($|\.)"
WITHIN_ROOMS = r"!retention_models\.[a-z]+\."
BASES = ("retention_models.btyd.purchase_model", "retention_models.survival.contract_model")  # of the models' methods
SHORT_TYPES = {  # what a type is called on the pages, in place of all that it stands for
    inspect.formatannotation(ArrayLike): "ArrayLike",
    inspect.formatannotation(NDArray[np.float64]): "numpy.ndarray",
    inspect.formatannotation(NDArray[np.int64]): "numpy.ndarray",
    inspect.formatannotation(NDArray[np.bool_]): "numpy.ndarray",
}


def short(annotation: Any, *more: Any, format_annotation: Any = inspect.formatannotation, **options: Any) -> str:
    """An annotation as the pages show it."""
    text = format_annotation(annotation, *more, **options)
    for long, name in SHORT_TYPES.items():
        text = text.replace(long, name)
    return str(text)


def main(folder: Path) -> None:
    import pdoc
    import pdoc.doc

    import retention_models

    warnings.filterwarnings("ignore", "Error parsing type annotation Parameter")  # a field's, in another module
    inspect.formatannotation = pdoc.doc.formatannotation = short
    footer = f"retention_models {retention_models.__version__}"
    pdoc.render.configure(docformat="numpy", footer_text=footer, show_source=False)
    pdoc.pdoc("retention_models", WITHOUT_NAMES, WITHIN_ROOMS, *BASES, output_directory=folder)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
