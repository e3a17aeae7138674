"""What the displays share: the import of matplotlib, probabilities of an estimator, ink."""

from __future__ import annotations

from typing import Any

import numpy as np

INK, GREY, PALE = "#27303f", "#8b95a3", "#dfe3e8"


def import_pyplot(caller: str) -> Any:
    """Return matplotlib.pyplot, or say what to install."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError(
            f"{caller} needs matplotlib: install it, or sksoftmax with the extra: "
            'pip install "sksoftmax[plot]".'
        ) from None
    return plt


def predict(estimator: Any, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and the class of each column."""
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"The picture needs probabilities, but {type(estimator).__name__} has no predict_proba."
        )
    return np.asarray(estimator.predict_proba(X)), np.asarray(estimator.classes_)


def plain_text(label: Any, at_most: int = 32) -> str:
    """A label on one line, cut where it is long, and read literally: "$" starts no formula."""
    text = " ".join(str(label).split())
    text = text if len(text) <= at_most else text[: at_most - 1] + "…"
    return text.replace("$", r"\$")


def tidy(ax: Any) -> None:
    """No frame to the right and on top, quiet ink."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.tick_params(color=GREY, labelcolor=INK)
