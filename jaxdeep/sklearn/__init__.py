"""scikit-learn's estimators: networks for its pipelines, searches and cross-validation."""

try:
    import sklearn.base  # noqa: F401 (found or not)
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "jaxdeep.sklearn needs scikit-learn. Install jaxdeep[sklearn].", name=error.name
    ) from error

from jaxdeep.sklearn.classifier import DNNClassifier
from jaxdeep.sklearn.regressor import DNNRegressor

__all__ = ["DNNClassifier", "DNNRegressor"]
