"""The network as ONNX graphs whose weights stay in the safetensors file.

The head is linear after global average pooling. The class maps (the last feature maps
weighted by the head, Zhou et al., "Learning deep features for discriminative localization",
2016) averaged over the picture are therefore the logits, and one graph gives both.

A second graph also computes the gradient of the log-odds with respect to an early stage, by
the chain rule, so that attribution maps need no torch.

Why this is written by hand: exporters write the forward pass only, and none exports gradients
as standard operators that every ONNX runtime has. Tests compare the forward graph with torch and
the attribution maps with those of pytorch-grad-cam. `_Forward` builds the forward half and
`_Backward` adds the backward half: each of its methods is the derivative of one of `_Forward`.
"""

import dataclasses
import json
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxsight.network.folder import Architecture

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

INPUT, LOGITS, MAPS, ATTRIBUTION = "pictures", "logits", "maps", "evidence"
BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
_EPSILON = 1e-5  # torch's BatchNorm2d
_OPSET, _IR_VERSION = 17, 9  # versions of the ONNX operators and of the file format


def build_graph(weights: str | os.PathLike, architecture: Architecture) -> bytes:
    """Graph of a ResNet of basic blocks: uint8 pictures in, logits and class maps out.

    Parameters
    ----------
    weights : str or os.PathLike
        A safetensors file with float16 tensors under torchvision's names.
    architecture : Architecture

    Returns
    -------
    bytes
        An ONNX model with input ``pictures`` (n, height, width, 3) uint8, outputs ``logits``
        (n, 2) and ``maps`` (n, 2, h, w). It reads its weights from the safetensors file of the
        same folder.
    """
    builder = _Forward(weights)
    last_block = builder.forward(architecture)[-1]
    builder.logits(builder.class_maps(last_block.output))
    return builder.model({LOGITS: ["n", 2], MAPS: ["n", 2, "h", "w"]})


def build_attribution_graph(weights: str | os.PathLike, architecture: Architecture) -> bytes:
    """Graph of HiResCAM at the first stage, for the log-odds of female.

    HiResCAM (Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful
    explanations", 2020) is the sum over channels of activation times gradient.

    Parameters
    ----------
    weights : str or os.PathLike
        As for `build_graph`.
    architecture : Architecture

    Returns
    -------
    bytes
        An ONNX model with input ``pictures`` and output ``evidence`` (n, h, w), positive
        where the picture speaks for female and negative where it speaks for male.
    """
    builder = _Backward(weights)
    blocks = builder.forward(architecture)
    gradient = builder.log_odds_backward(blocks[-1])
    after_first_stage = blocks[BLOCKS[architecture.name][0]:]
    for block in reversed(after_first_stage):
        gradient = builder.basic_block_backward(gradient, block)
    builder.attribution(after_first_stage[0].input, gradient)
    return builder.model({ATTRIBUTION: ["n", "h", "w"]})


@dataclasses.dataclass(frozen=True)
class _Block:
    """A basic block and the names of its tensors.

    Attributes
    ----------
    name : str
        torchvision's, such as ``layer1.0``.
    stride : int
    size : (int, int)
        Height and width of the maps that it is given, cells.
    input, hidden, output : str
        Maps before the block, between its two convolutions, and after it.
    """

    name: str
    stride: int
    size: tuple[int, int]
    input: str
    hidden: str
    output: str


class _Graph:
    """Nodes and constants of a graph; methods return the name of the tensor they add."""

    def __init__(self, weights: str | os.PathLike) -> None:
        from onnx import helper

        self._helper = helper
        self._nodes: list[NodeProto] = []
        self._initialisers: list[TensorProto] = []
        self._added: set[str] = set()
        self._file, self._tensors = Path(weights).name, _tensor_table(weights)

    def node(self, kind: str, inputs: Sequence[str], name: str | None = None,
             **attributes: Any) -> str:
        """An operator of ONNX."""
        name = name or f"{kind}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(kind, inputs, [name], **attributes))
        return name

    def weight(self, name: str) -> str:
        """A tensor of the file, cast to float32; onnxruntime does so once, when it loads."""
        from onnx import TensorProto

        if name in self._added:
            return name + ".float"
        self._added.add(name)
        shape, start, length = self._tensors[name]
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT16, dims=shape,
                             data_location=TensorProto.EXTERNAL)
        for key, value in (("location", self._file), ("offset", start), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
        self._initialisers.append(tensor)
        return self.node("Cast", [name], name + ".float", to=TensorProto.FLOAT)

    def constant(self, name: str, value: np.ndarray | np.generic) -> str:
        """A constant that is stored in the graph, once per name."""
        from onnx import numpy_helper

        if name not in self._added:
            self._added.add(name)
            self._initialisers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def kernel_size(self, convolution: str) -> int:
        """Height, and width, of the kernel of a convolution."""
        shape, _, _ = self._tensors[f"{convolution}.weight"]
        return shape[2]

    def has_downsampling(self, block: str) -> bool:
        """Whether the shortcut of a block is a convolution."""
        return f"{block}.downsample.0.weight" in self._tensors

    def model(self, outputs: Mapping[str, Sequence[str | int]]) -> bytes:
        """The finished model; `outputs` has the shape of each output."""
        from onnx import TensorProto

        info = self._helper.make_tensor_value_info
        graph = self._helper.make_graph(
            self._nodes, "voxsight",
            [info(INPUT, TensorProto.UINT8, ["n", "height", "width", 3])],
            [info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            self._initialisers)
        opset = self._helper.make_opsetid("", _OPSET)
        return self._helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION,
                                       producer_name="voxsight").SerializeToString()


class _Forward(_Graph):
    """The forward half: from pictures to logits and class maps."""

    def forward(self, architecture: Architecture) -> list[_Block]:
        """Every block of the network, in order."""
        maps = self.normalised(INPUT, architecture.mean, architecture.std)
        maps = self.convolution(maps, "conv1", "bn1", stride=2, padding=3, relu=True)
        maps = self.node("MaxPool", [maps], kernel_shape=[3, 3], strides=[2, 2],
                         pads=[1, 1, 1, 1])
        size = _strided(architecture.size, 4)
        blocks: list[_Block] = []
        for stage, n_blocks in enumerate(BLOCKS[architecture.name], start=1):
            first_stride = {1: 1, 4: architecture.last_stride}.get(stage, 2)
            for i in range(n_blocks):
                stride = 1 if i else first_stride
                blocks.append(self.basic_block(maps, f"layer{stage}.{i}", stride, size))
                maps, size = blocks[-1].output, _strided(size, stride)
        return blocks

    def normalised(self, pictures: str, mean: Sequence[float], std: Sequence[float]) -> str:
        """Normalised pictures with the channels first."""
        from onnx import TensorProto

        means, stds = np.asarray(mean, np.float32), np.asarray(std, np.float32)
        maps = self.node("Cast", [pictures], to=TensorProto.FLOAT)
        maps = self.node("Mul", [maps, self.constant("scale", 1 / (255 * stds))])
        maps = self.node("Sub", [maps, self.constant("shift", means / stds)])
        return self.node("Transpose", [maps], perm=[0, 3, 1, 2])

    def convolution(self, maps: str, conv: str, norm: str, *, stride: int, padding: int,
                    relu: bool) -> str:
        """Convolution, batch normalisation and, where asked for, ReLU."""
        maps = self.node("Conv", [maps, self.weight(f"{conv}.weight")],
                         kernel_shape=[self.kernel_size(conv)] * 2, strides=[stride] * 2,
                         pads=[padding] * 4)
        statistics = [self.weight(f"{norm}.{part}")
                      for part in ("weight", "bias", "running_mean", "running_var")]
        maps = self.node("BatchNormalization", [maps, *statistics], epsilon=_EPSILON)
        return self.node("Relu", [maps]) if relu else maps

    def basic_block(self, maps: str, name: str, stride: int, size: tuple[int, int]) -> _Block:
        """Two convolutions beside a shortcut."""
        shortcut = maps
        if self.has_downsampling(name):
            shortcut = self.convolution(maps, f"{name}.downsample.0", f"{name}.downsample.1",
                                        stride=stride, padding=0, relu=False)
        hidden = self.convolution(maps, f"{name}.conv1", f"{name}.bn1", stride=stride,
                                  padding=1, relu=True)
        inner = self.convolution(hidden, f"{name}.conv2", f"{name}.bn2", stride=1, padding=1,
                                 relu=False)
        output = self.node("Relu", [self.node("Add", [inner, shortcut])])
        return _Block(name, stride, size, maps, hidden, output)

    def class_maps(self, maps: str) -> str:
        """The last feature maps weighted by the head, a map per label."""
        classes, features = self._tensors["fc.weight"][0]
        shape = self.constant("kernel_shape", np.array([classes, features, 1, 1], np.int64))
        kernel = self.node("Reshape", [self.weight("fc.weight"), shape])
        return self.node("Conv", [maps, kernel], MAPS, kernel_shape=[1, 1])

    def logits(self, class_maps: str) -> str:
        """Means of the class maps, and the bias of the head."""
        pooled = self.node("Flatten", [self.node("GlobalAveragePool", [class_maps])])
        return self.node("Add", [pooled, self.weight("fc.bias")], LOGITS)


class _Backward(_Forward):
    """The backward half: gradients of the log-odds, from the last block to the first.

    A method ``..._backward`` is given the gradient with respect to an output, and returns that
    with respect to the input.
    """

    def log_odds_backward(self, last: _Block) -> str:
        """With respect to the last feature maps: the head's weights, spread over the cells."""
        rows, columns = _strided(last.size, last.stride)
        difference = self.constant("difference", np.array([[1, -1]], np.float32))
        weights = self.node("MatMul", [difference, self.weight("fc.weight")])
        shape = self.constant("channel", np.array([1, -1, 1, 1]))
        per_cell = self.constant("share", np.float32(1 / (rows * columns)))
        return self.node("Mul", [self.node("Reshape", [weights, shape]), per_cell])

    def basic_block_backward(self, gradient: str, block: _Block) -> str:
        """Through both branches of a block, whose gradients add up."""
        second = dataclasses.replace(block, stride=1)
        gradient = self.relu_backward(gradient, block.output)
        inner = self.convolution_backward(gradient, "conv2", "bn2", second, padding=1)
        inner = self.relu_backward(inner, block.hidden)
        inner = self.convolution_backward(inner, "conv1", "bn1", block, padding=1)
        if self.has_downsampling(block.name):
            gradient = self.convolution_backward(gradient, "downsample.0", "downsample.1", block,
                                                 padding=0)
        return self.node("Add", [inner, gradient])

    def relu_backward(self, gradient: str, activation: str) -> str:
        """Through a ReLU: nothing where its output is zero."""
        from onnx import TensorProto

        positive = self.node("Greater", [activation, self.constant("nothing", np.float32(0))])
        return self.node("Mul", [gradient, self.node("Cast", [positive], to=TensorProto.FLOAT)])

    def convolution_backward(self, gradient: str, conv: str, norm: str, block: _Block, *,
                             padding: int) -> str:
        """Through a convolution and its batch normalisation, which scales each channel."""
        conv, norm = f"{block.name}.{conv}", f"{block.name}.{norm}"
        gradient = self.node("Mul", [gradient, self._channel_scale(norm)])
        # With a stride of 2 an odd and an even size give the same number of cells; the
        # transposed convolution has to be told which of them it was.
        output_padding = [1 - cells % 2 if block.stride == 2 else 0 for cells in block.size]
        return self.node("ConvTranspose", [gradient, self.weight(f"{conv}.weight")],
                         kernel_shape=[self.kernel_size(conv)] * 2, strides=[block.stride] * 2,
                         pads=[padding] * 4, output_padding=output_padding)

    def attribution(self, activation: str, gradient: str) -> str:
        """The sum over channels of activation times gradient."""
        product = self.node("Mul", [activation, gradient])
        channels = self.constant("channels", np.array([1]))
        return self.node("ReduceSum", [product, channels], ATTRIBUTION, keepdims=0)

    def _channel_scale(self, norm: str) -> str:
        """What a batch normalisation multiplies each channel by."""
        variance = self.node("Add", [self.weight(f"{norm}.running_var"),
                                     self.constant("epsilon", np.float32(_EPSILON))])
        scale = self.node("Div", [self.weight(f"{norm}.weight"), self.node("Sqrt", [variance])])
        return self.node("Reshape", [scale, self.constant("channel", np.array([1, -1, 1, 1]))])


def _strided(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Height and width of maps after padded convolutions of that stride in total."""
    height, width = size
    return -(-height // stride), -(-width // stride)


def _tensor_table(path: str | os.PathLike) -> dict[str, tuple[list[int], int, int]]:
    """Shape, first byte and length of each tensor of a safetensors file."""
    with open(path, "rb") as file:
        (header_length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(header_length))
    header.pop("__metadata__", None)
    data_start = 8 + header_length
    table = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        table[name] = entry["shape"], data_start + start, end - start
    return table
