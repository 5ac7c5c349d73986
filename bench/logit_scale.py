"""Test whether a network's logits are too large, by the validation loss of finished runs with scaled logits.

    python -m bench.logit_scale runs/cifar/alpha_dropout,seeds=10 --scales 1 0.829 0.7

Alpha dropout of rate q leaves a(1-q) of a trained layer's mean, which is .829 for q = .1. At inference it leaves the
whole mean. The command writes bench/records/logit-scale-NAME.json. It needs the run's images in JAXDEEP_DATA.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from jaxdeep.analysis.statistics import mean_over_runs
from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.sources import load_images
from jaxdeep.study.files import write_json
from jaxdeep.study.summarise import commit
from jaxdeep.train.devices import describe_processor
from jaxdeep.train.fit import fit


def main() -> None:
    """Take the best weights from the checkpoints and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of a finished run on CIFAR-10")
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0, 0.829, 0.7])
    arguments = parser.parse_args()
    summary = json.loads((arguments.folder / "summary.json").read_text())
    config = Config.from_dict(summary["config"])
    data = Dataset.from_images(load_images("cifar10", source="cifar10"), config.data)
    losses: dict[float, list[float]] = {scale: [] for scale in arguments.scales}
    for seed in summary["seeds"]:
        run = fit(config, data, seed, checkpoints=arguments.folder / "checkpoints" / f"seed_{seed}")  # it is finished
        log_probabilities = np.log(run.predict(np.asarray(data.valid.images)))
        for scale, values in losses.items():
            values.append(scaled_loss(log_probabilities, np.asarray(data.valid.labels), scale))
    record = {
        "config": summary["config"],
        "seeds": summary["seeds"],
        "val_loss": {
            str(scale): mean_over_runs(values)._asdict() | {"values": values} for scale, values in losses.items()
        },
        "processor": describe_processor(),
        "commit": commit(),
    }
    write_json(Path(__file__).parent / "records" / f"logit-scale-{summary['name']}.json", record)
    print(json.dumps(record["val_loss"], indent=2))


def scaled_loss(log_probabilities: np.ndarray, labels: np.ndarray, scale: float) -> float:
    """Return the mean cross-entropy of logits times a scale.

    Args:
        log_probabilities: Logarithms of probabilities, [N, C]. They are logits up to a constant in each row.
        labels: Class of each row, [N].
        scale: Factor of the logits, 1 / temperature.

    Returns:
        The loss in nats.
    """
    logits = scale * log_probabilities.astype(np.float64)
    normaliser = np.logaddexp.reduce(logits, axis=1)
    return float((normaliser - logits[np.arange(len(labels)), labels]).mean())


if __name__ == "__main__":
    main()
