"""scikit-learn's estimators: networks for its pipelines, searches and cross-validation."""

from importlib.util import find_spec

if find_spec("sklearn") is None:
    raise ModuleNotFoundError("jaxdeep.sklearn needs scikit-learn. Install jaxdeep[sklearn].", name="sklearn")

from jaxdeep.sklearn.classifier import DNNClassifier
from jaxdeep.sklearn.regressor import DNNRegressor

__all__ = ["DNNClassifier", "DNNRegressor"]
