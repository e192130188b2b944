"""Images: a kind of modality, its convolutions over the member axis, and training on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mfm.data.dataset import Dataset, Modality, Task
from mfm.data.prepare import scale
from mfm.encoders.image import ImageEmbedding
from mfm.inputs.input_shape import Shape
from mfm.layers.convolution import ImageFeatures, ImagePixels
from mfm.layers.linear import initialise
from mfm.layers.random_streams import Quiet
from mfm.model.mfm import MFM
from mfm.pack_training import Member
from mfm.pack_training import Task as Training
from mfm.params.config import Config, base
from mfm.training import train

NAMES = ("large", "small")
IMAGES = {"large": (2, 9, 11), "small": (1, 4, 5)}  # odd and even sides, one and two channels
SMALL = {
    "encoder": "late_fusion", "z_y": 5, "f_y": 4, "late_width": 6, "z_shared": 4, "f_shared": 4, "batch_size": 8,
    **{f"{what}_{m}": 4 for m in NAMES for what in ("z", "f", "hidden")},
}  # fmt: skip
ARMS: dict[str, dict[str, Any]] = {
    "full": {},
    "one alone": {"use_small": False},
    "no generative factors": {"generative_factors": "none"},
    "shared factor": {"generative_factors": "shared"},
    "no multimodal factor": {"multimodal_factor": "none"},
    "kl": {"prior": "kl"},
    "tfn": {"encoder": "tfn", "tfn_width": 3, "tfn_hidden": 4},
    "mfn": {"encoder": "mfn", "memory": 4},
    "matched": {"generative_factors": "none", "capacity": "matched"},
}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Images whose brightness in one half is their class."""
    rng = np.random.default_rng(0)
    fold = np.repeat(["train", "valid", "test"], [24, 12, 12])
    target = rng.integers(0, 2, len(fold))

    def image(shape: tuple[int, int, int]) -> np.ndarray:
        values = rng.standard_normal((len(fold), *shape)).astype(np.float32)
        values[:, :, : shape[1] // 2] += 2 * target[:, None, None, None]
        return values

    modalities = [Modality(name=m, values=image(IMAGES[m]), mask=np.ones(len(fold), bool)) for m in NAMES]
    names = np.array([f"item{n}" for n in range(len(fold))])
    return Dataset(
        name="images", source="drawn", modalities=tuple(modalities), target=target.astype(np.int64),
        task=Task(kind="classification", targets=("half",), classes=("dark", "bright")),
        item=names, group=names, fold=fold,
    )  # fmt: skip


def config_of(**pins: Any) -> Config:
    return Config.from_params(base(NAMES, **SMALL) | pins, NAMES)


def run(dataset: Dataset, seeds: list[int], *, epochs: int = 3, **pins: Any) -> dict[str, Any]:
    members = [Member(name=str(s), config=config_of(**pins), seed=s, fold=dataset.fold) for s in seeds]
    task = Training(epochs=epochs, metric="valid_cross_entropy", mode="min", test=True)
    generator = train(dataset, members, task=task, device=torch.device("cpu"))
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value


def drawn(module: nn.Module) -> nn.Module:
    torch.manual_seed(3)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module.double()


def plain_layers(layers: nn.ModuleList, k: int, kind: type[nn.Conv2d] | type[nn.ConvTranspose2d]) -> list[nn.Module]:
    """The layers of member k as PyTorch's own, in float64."""
    made = []
    for layer in layers:
        weight = next(p for name, p in layer.named_parameters() if name.startswith("weight"))[k]
        others = (weight.shape[1], weight.shape[0]) if kind is nn.Conv2d else tuple(weight.shape[:2])
        own = {"output_padding": layer.odd} if kind is nn.ConvTranspose2d else {}
        plain = kind(*others, kernel_size=4, stride=2, padding=1, dtype=torch.float64, **own)
        plain.weight.data, plain.bias.data = weight.detach().clone(), layer.bias_KO[k].detach().clone()  # type: ignore[union-attr]
        made.append(plain)
    return made


@pytest.mark.parametrize("image", IMAGES.values())
def test_image_features_and_their_gradients_equal_plain_convolutions(image: tuple[int, int, int]) -> None:
    stack = drawn(ImageFeatures(3, image))
    x_KBD = torch.randn(3, 4, int(np.prod(image)), dtype=torch.float64)
    features = stack(x_KBD)
    assert features.shape == (3, 4, stack.width)
    features.square().sum().backward()
    for k in range(3):
        plain = plain_layers(stack.layers, k, nn.Conv2d)
        x = x_KBD[k].reshape(4, *image)
        for layer in plain:
            x = torch.relu(layer(x))
        torch.testing.assert_close(features[k], x.reshape(4, -1), rtol=1e-12, atol=1e-12)
        x.square().sum().backward()
        for mine, theirs in zip(stack.layers, plain, strict=True):
            torch.testing.assert_close(mine.weight_KOIHW.grad[k], theirs.weight.grad, rtol=1e-11, atol=1e-11)
            torch.testing.assert_close(mine.bias_KO.grad[k], theirs.bias.grad, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("image", IMAGES.values())
def test_generated_pixels_equal_plain_transposed_convolutions_of_the_image_s_own_size(
    image: tuple[int, int, int],
) -> None:
    stack = drawn(ImagePixels(3, image))
    features = torch.randn(3, 4, stack.num_features, dtype=torch.float64)
    pixels = stack(features)
    assert pixels.shape == (3, 4, int(np.prod(image)))
    for k in range(3):
        first, second = plain_layers(stack.layers, k, nn.ConvTranspose2d)
        x = second(torch.relu(first(features[k].reshape(4, *stack.smallest))))
        assert x.shape[1:] == image
        torch.testing.assert_close(pixels[k], x.reshape(4, -1), rtol=1e-12, atol=1e-12)


def test_an_embedding_is_convolutions_and_two_layers() -> None:
    image = IMAGES["large"]
    embedding = drawn(ImageEmbedding(2, image, 5, 3))
    x_KBD = torch.randn(2, 4, int(np.prod(image)), dtype=torch.float64)
    e = embedding(x_KBD, None, Quiet(), site="embedding_dropout_large")
    for k in range(2):
        x = x_KBD[k].reshape(4, *image)
        for layer in plain_layers(embedding.convolutions.layers, k, nn.Conv2d):
            x = torch.relu(layer(x))
        x = x.reshape(4, -1)
        for layer in (embedding.first, embedding.second):
            x = torch.relu(x @ layer.weight_KIO[k] + layer.bias_K1O[k])
        torch.testing.assert_close(e[k], x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("arm", ARMS)
def test_a_pack_of_members_equals_each_of_them_alone(dataset: Dataset, arm: str) -> None:
    together = run(dataset, [1, 2, 3], **ARMS[arm])
    for seed in (1, 2, 3):
        alone = run(dataset, [seed], **ARMS[arm])[str(seed)]
        mine = together[str(seed)]
        assert mine.best_epoch == alone.best_epoch
        for name, value in alone.metrics.items():
            np.testing.assert_allclose(mine.metrics[name], value, rtol=2e-4, atol=2e-4, err_msg=name)
        for name, value in alone.weights.items():
            np.testing.assert_allclose(mine.weights[name], value, rtol=2e-4, atol=2e-4, err_msg=name)


def test_every_image_is_encoded_and_generated_in_its_own_shape(dataset: Dataset) -> None:
    shape = Shape.of(dataset, NAMES)
    assert shape.images == IMAGES
    assert set(shape.kinds.values()) == {"image"}
    model = MFM(2, config_of(), shape)
    initialise(model, [1, 2])
    assert {name for name, _ in model.named_parameters() if "convolutions" in name}


def test_pixels_are_scaled_by_their_channel_and_by_training_items_alone(dataset: Dataset) -> None:
    rows = dataset.rows("train")
    modality = dataset.modalities[0]
    mean_D, sd_D = scale(modality, rows)
    for channel in range(2):
        pixels = modality.values[rows, channel]
        part = slice(channel * 99, (channel + 1) * 99)
        np.testing.assert_allclose(mean_D[part], pixels.mean(), rtol=1e-5)
        np.testing.assert_allclose(sd_D[part], pixels.std(), rtol=1e-5)


def test_learning_happens_on_images(dataset: Dataset) -> None:
    assert run(dataset, [1], epochs=25, lr=1e-2)["1"].metrics["test_accuracy"] > 0.8


def test_an_image_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 4 x 4; got 3 x 8"):
        ImageFeatures(1, (1, 3, 8))


def test_a_mask_of_an_image_has_one_entry_an_item() -> None:
    with pytest.raises(ValueError, match=r"mask must have shape \(2,\)"):
        Modality(name="m", values=np.zeros((2, 1, 4, 4), np.float32), mask=np.ones((2, 1), bool))
