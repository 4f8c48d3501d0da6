"""The public data sets that ``tinyml data get`` knows: where they are, how large, their checksums and licences."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.errors import UsageError


@dataclass(frozen=True)
class RemoteFile:
    """One file to get: its address, size in bytes, checksum as ``md5:…`` or ``sha256:…``, and whether to unpack it.

    A size of 0 or an empty checksum is one that its publisher does not give; the download then says so.
    """

    url: str
    size_bytes: int
    checksum: str
    unpack: bool

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class RemoteDataset:
    """A data set by name, with its layout (see :mod:`tinyml.data.detect`) and where it comes from.

    ``folder``: the folder, within the output folder, that ``--data`` takes once it is there.
    """

    name: str
    title: str
    layout: str
    licence: str
    source: str
    folder: str
    files: tuple[RemoteFile, ...]


_TENSORFLOW = "https://storage.googleapis.com/download.tensorflow.org/data/"
_MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist/"

REMOTE_DATASETS = (
    RemoteDataset(
        "speech_commands",
        "Speech Commands v0.02: 105,829 one-second clips of 35 words",
        "speech_commands",
        "CC BY 4.0",
        "Warden 2018, arXiv:1804.03209; checksum as in torchaudio's SPEECHCOMMANDS",
        ".",
        (
            RemoteFile(
                _TENSORFLOW + "speech_commands_v0.02.tar.gz",
                2_428_923_189,
                "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
                True,
            ),
        ),
    ),
    RemoteDataset(
        "mini_speech_commands",
        "Mini Speech Commands: 8,000 clips of eight words",
        "speech_commands",
        "CC BY 4.0",
        "TensorFlow's tutorial on simple audio recognition",
        "mini_speech_commands",
        (RemoteFile(_TENSORFLOW + "mini_speech_commands.zip", 0, "", True),),
    ),
    RemoteDataset(
        "cifar10",
        "CIFAR-10: 60,000 pictures of ten classes, 32 by 32",
        "cifar10",
        "none stated; cite Krizhevsky 2009",
        "https://www.cs.toronto.edu/~kriz/cifar.html; checksum from that page",
        "cifar-10-batches-py",
        (
            RemoteFile(
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                170_498_071,
                "md5:c58f30108f718f92721af3b95e74349a",
                True,
            ),
        ),
    ),
    RemoteDataset(
        "mnist",
        "MNIST: 70,000 handwritten digits, 28 by 28",
        "mnist",
        "CC BY-SA 3.0",
        "LeCun, Cortes and Burges; checksums as in torchvision's MNIST",
        ".",
        (
            RemoteFile(_MNIST + "train-images-idx3-ubyte.gz", 9_912_422, "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873", False),
            RemoteFile(_MNIST + "train-labels-idx1-ubyte.gz", 28_881, "md5:d53e105ee54ea40749a09fcbcd1e9432", False),
            RemoteFile(_MNIST + "t10k-images-idx3-ubyte.gz", 1_648_877, "md5:9fb629c4189551a2d022fa330f9573f3", False),
            RemoteFile(_MNIST + "t10k-labels-idx1-ubyte.gz", 4_542, "md5:ec29112dd5afa0611ce80d1b7f02629c", False),
        ),
    ),
    RemoteDataset(
        "tiny_imagenet",
        "Tiny ImageNet: 100,000 training and 10,000 labelled validation pictures of 200 classes, 64 by 64",
        "tiny_imagenet",
        "ImageNet's terms: research and education, no commercial use",
        "Stanford CS231N; checksum as projects that use it record it",
        "tiny-imagenet-200",
        (
            RemoteFile(
                "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
                248_100_043,
                "md5:90528d7ca1a48142e341f4ef8d21d0de",
                True,
            ),
        ),
    ),
    RemoteDataset(
        "visual_wake_words",
        "Visual Wake Words of MLPerf Tiny: 109,619 pictures with and without persons, 96 by 96",
        "visual_wake_words",
        "CC BY 4.0 annotations; Flickr's terms for the pictures",
        "the MLPerf Tiny benchmark's training set, from COCO 2014; checksum as projects that use it record it",
        "vw_coco2014_96",
        (
            RemoteFile(
                "https://www.silabs.com/public/files/github/machine_learning/benchmarks/datasets/vw_coco2014_96.tar.gz",
                234_810_765,
                "sha256:f8746b9e44f8a7a4293f73be9ba6e8da9239fe69798d42364aae62b915cfab58",
                True,
            ),
        ),
    ),
)


def find_remote(name: str) -> RemoteDataset:
    """The data set of that name, ``-`` and ``_`` alike, or ``vww`` for Visual Wake Words; UsageError otherwise."""
    wanted = name.lower().replace("-", "_")
    wanted = {"vww": "visual_wake_words"}.get(wanted, wanted)
    for dataset in REMOTE_DATASETS:
        if dataset.name == wanted:
            return dataset
    names = ", ".join(dataset.name for dataset in REMOTE_DATASETS)
    raise UsageError(f"there is no data set {name!r} to get", hint=f"there are {names}")
