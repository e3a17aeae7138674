"""Export to ONNX, through skl2onnx: models here run wherever onnxruntime does."""

from __future__ import annotations

from typing import Any

from sklearn.linear_model import LogisticRegression

from sksoftmax.linear import MultinomialLogit

__all__ = ["register_converters", "to_onnx"]


def to_onnx(estimator: Any, X: Any = None, **options: Any) -> Any:
    """Convert a fitted model, or a pipeline that ends in one, to an ONNX graph.

    Parameters
    ----------
    estimator : MultinomialLogit, or a pipeline or other estimator of scikit-learn that holds one
        Fitted. Offsets and masks of prediction are not part of the graph.
    X : array-like of shape (n_samples, n_features), default=None
        Tells the type of the input: the graph of float64 rows computes in float64.
    **options : Any
        Passed on to ``skl2onnx.to_onnx``: `initial_types` instead of `X`, `target_opset`, ...
        `options` is ``{"zipmap": False}`` unless given.

    Returns
    -------
    graph : onnx.ModelProto
        Its outputs are ``label``, shape (n_samples,), and ``probabilities``, shape (n_samples,
        n_classes), in the order of `classes_`.

    Raises
    ------
    ImportError
        skl2onnx is not installed: ``pip install sksoftmax[onnx]``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import MultinomialLogit
    >>> from sksoftmax.onnx import to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> graph = to_onnx(MultinomialLogit().fit(X, y), X[:1])
    >>> [output.name for output in graph.graph.output]
    ['label', 'probabilities']
    """
    register_converters()
    import skl2onnx

    return skl2onnx.to_onnx(estimator, X, **{"options": {"zipmap": False}, **options})


def register_converters() -> None:
    """Make `MultinomialLogit` known to skl2onnx, whose own functions then convert it.

    Raises
    ------
    ImportError
        skl2onnx is not installed: ``pip install sksoftmax[onnx]``.

    Examples
    --------
    >>> from sksoftmax.onnx import register_converters
    >>> register_converters()
    """
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    except ImportError as error:
        raise ImportError("Export to ONNX needs skl2onnx: pip install sksoftmax[onnx].") from error

    update_registered_converter(
        MultinomialLogit,
        "SksoftmaxMultinomialLogit",
        calculate_linear_classifier_output_shapes,
        _convert_multinomial_logit,
        options={"zipmap": [True, False, "columns"], "nocl": [True, False]},
    )


def _convert_multinomial_logit(scope: Any, operator: Any, container: Any) -> None:
    """Write the nodes: both models have the same coefficients and the same probabilities."""
    from skl2onnx.operator_converters.linear_classifier import convert_sklearn_linear_classifier

    model = operator.raw_operator
    twin = LogisticRegression()
    for name in ("classes_", "coef_", "intercept_", "n_features_in_"):
        setattr(twin, name, getattr(model, name))
    operator.raw_operator = twin
    try:
        convert_sklearn_linear_classifier(scope, operator, container)
    finally:
        operator.raw_operator = model
