"""The network as an ONNX graph whose weights stay in the safetensors file.

The head is linear after global average pooling. The class maps (the last feature maps
weighted by the head, Zhou et al., "Learning Deep Features for Discriminative
Localization", 2016) averaged over the picture are therefore the logits, and one graph
gives both.

A second graph goes back from the logits to an early stage, by the chain rule written out,
so that maps which need gradients can be drawn where there is no torch.
"""

import dataclasses
import json
import struct
from pathlib import Path

import numpy as np

INPUT, LOGITS, MAPS, EVIDENCE = "pictures", "logits", "maps", "evidence"
BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
_EPSILON = 1e-5  # torch's BatchNorm2d


def build_graph(weights, architecture):
    """Graph of a ResNet of basic blocks: uint8 pictures in, logits and class maps out.

    Parameters
    ----------
    weights : str or os.PathLike
        safetensors file with float16 tensors under torchvision's names
    architecture : checkpoint.Architecture

    Returns
    -------
    bytes
        an ONNX model with input ``pictures`` (n, height, width, 3) uint8, outputs
        ``logits`` (n, 2) and ``maps`` (n, 2, h, w); it finds its weights in the
        safetensors file of the same folder
    """
    builder = _Builder(weights)
    return builder.answering(builder.class_maps(builder.forward(architecture)[-1].output))


def build_evidence_graph(weights, architecture):
    """Graph of HiResCAM at the first stage, gradients and all, for the log-odds of female.

    HiResCAM (Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful
    explanations", 2020) is the sum over channels of activation times gradient.

    Parameters
    ----------
    weights, architecture
        as for `build_graph`

    Returns
    -------
    bytes
        an ONNX model with input ``pictures`` and output ``evidence`` (n, h, w), positive
        where the picture speaks for female and negative where it speaks for male
    """
    builder = _Builder(weights)
    blocks = builder.forward(architecture)
    gradient = builder.gradient_of_log_odds(blocks[-1])
    later = blocks[BLOCKS[architecture.name][0]:]
    for block in reversed(later):
        gradient = builder.block_backward(gradient, block)
    return builder.explaining(later[0].input, gradient)


@dataclasses.dataclass(frozen=True)
class _Block:
    """A basic block and the tensors in it; `size` is that of its input, in cells."""

    name: str
    stride: int
    size: tuple
    input: str
    hidden: str
    output: str


class _Builder:
    def __init__(self, weights):
        from onnx import helper

        self._helper = helper
        self._nodes, self._initialisers, self._known = [], [], set()
        self._file, self._tensors = Path(weights).name, _tensor_table(weights)

    def forward(self, architecture):
        """Every block of the network, in order."""
        flow = self.normalised(INPUT, architecture.mean, architecture.std)
        flow = self.convolution(flow, "conv1", "bn1", stride=2, padding=3, relu=True)
        flow = self.node("MaxPool", [flow], kernel_shape=[3, 3], strides=[2, 2],
                         pads=[1, 1, 1, 1])
        size, blocks = tuple(-(-pixels // 4) for pixels in architecture.size), []
        for stage, count in enumerate(BLOCKS[architecture.name], start=1):
            first = {1: 1, 4: architecture.last_stride}.get(stage, 2)
            for block in range(count):
                stride = first if not block else 1
                blocks.append(self.basic_block(flow, f"layer{stage}.{block}", stride, size))
                flow, size = blocks[-1].output, tuple(-(-cells // stride) for cells in size)
        return blocks

    def node(self, kind, inputs, name=None, **attributes):
        name = name or f"{kind}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(kind, inputs, [name], **attributes))
        return name

    def weight(self, name):
        """Tensor of the file, cast to float32 (onnxruntime does so once, at load)."""
        from onnx import TensorProto

        if name in self._known:
            return name + ".float"
        self._known.add(name)
        shape, start, length = self._tensors[name]
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT16, dims=shape,
                             data_location=TensorProto.EXTERNAL)
        for key, value in (("location", self._file), ("offset", start), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
        self._initialisers.append(tensor)
        return self.node("Cast", [name], name + ".float", to=TensorProto.FLOAT)

    def constant(self, name, value):
        from onnx import numpy_helper

        if name in self._known:
            return name
        self._known.add(name)
        self._initialisers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def normalised(self, flow, mean, std):
        from onnx import TensorProto

        mean, std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
        flow = self.node("Cast", [flow], to=TensorProto.FLOAT)
        flow = self.node("Mul", [flow, self.constant("scale", 1 / (255 * std))])
        flow = self.node("Sub", [flow, self.constant("shift", mean / std)])
        return self.node("Transpose", [flow], perm=[0, 3, 1, 2])

    def convolution(self, flow, conv, norm, *, stride, padding, relu):
        kernel = self._tensors[f"{conv}.weight"][0][2]
        flow = self.node("Conv", [flow, self.weight(f"{conv}.weight")],
                         kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4)
        parts = ("weight", "bias", "running_mean", "running_var")
        flow = self.node("BatchNormalization", [flow, *(self.weight(f"{norm}.{p}") for p in parts)],
                         epsilon=_EPSILON)
        return self.node("Relu", [flow]) if relu else flow

    def basic_block(self, flow, name, stride, size):
        start = shortcut = flow
        if f"{name}.downsample.0.weight" in self._tensors:
            shortcut = self.convolution(flow, f"{name}.downsample.0", f"{name}.downsample.1",
                                        stride=stride, padding=0, relu=False)
        hidden = self.convolution(flow, f"{name}.conv1", f"{name}.bn1", stride=stride,
                                  padding=1, relu=True)
        flow = self.convolution(hidden, f"{name}.conv2", f"{name}.bn2", stride=1, padding=1,
                                relu=False)
        output = self.node("Relu", [self.node("Add", [flow, shortcut])])
        return _Block(name, stride, size, start, hidden, output)

    def block_backward(self, gradient, block):
        """Gradient with respect to the input of a block, given that of its output."""
        one = dataclasses.replace(block, stride=1)
        gradient = self.where_positive(gradient, block.output)
        inner = self.convolution_backward(gradient, "conv2", "bn2", one, padding=1)
        inner = self.where_positive(inner, block.hidden)
        inner = self.convolution_backward(inner, "conv1", "bn1", block, padding=1)
        if f"{block.name}.downsample.0.weight" in self._tensors:
            gradient = self.convolution_backward(gradient, "downsample.0", "downsample.1", block,
                                                 padding=0)
        return self.node("Add", [inner, gradient])

    def where_positive(self, gradient, activation):
        """Gradient before a ReLU, given that after it."""
        from onnx import TensorProto

        passed = self.node("Greater", [activation, self.constant("nothing", np.float32(0))])
        return self.node("Mul", [gradient, self.node("Cast", [passed], to=TensorProto.FLOAT)])

    def convolution_backward(self, gradient, conv, norm, block, *, padding):
        """Gradient before a convolution and its normalisation, which scales each channel."""
        conv, norm = f"{block.name}.{conv}", f"{block.name}.{norm}"
        variance = self.node("Add", [self.weight(f"{norm}.running_var"),
                                     self.constant("epsilon", np.float32(_EPSILON))])
        scale = self.node("Div", [self.weight(f"{norm}.weight"), self.node("Sqrt", [variance])])
        scale = self.node("Reshape", [scale, self.constant("channel", np.array([1, -1, 1, 1]))])
        gradient = self.node("Mul", [gradient, scale])
        kernel = self._tensors[f"{conv}.weight"][0][2]
        # A step of two forgets whether the size before it was even.
        missing = [1 - cells % 2 if block.stride == 2 else 0 for cells in block.size]
        return self.node("ConvTranspose", [gradient, self.weight(f"{conv}.weight")],
                         kernel_shape=[kernel] * 2, strides=[block.stride] * 2,
                         pads=[padding] * 4, output_padding=missing)

    def gradient_of_log_odds(self, last):
        """With respect to the last feature maps: the head's weights over the cells."""
        rows, columns = (-(-cells // last.stride) for cells in last.size)
        difference = self.constant("difference", np.array([[1, -1]], np.float32))
        weights = self.node("MatMul", [difference, self.weight("fc.weight")])
        shape = self.constant("channel", np.array([1, -1, 1, 1]))
        share = self.constant("share", np.float32(1 / (rows * columns)))
        return self.node("Mul", [self.node("Reshape", [weights, shape]), share])

    def class_maps(self, flow):
        classes, features = self._tensors["fc.weight"][0]
        shape = self.constant("kernel_shape", np.array([classes, features, 1, 1], np.int64))
        kernel = self.node("Reshape", [self.weight("fc.weight"), shape])
        return self.node("Conv", [flow, kernel], MAPS, kernel_shape=[1, 1])

    def answering(self, maps):
        """The graph whose outputs are logits and class maps."""
        pooled = self.node("Flatten", [self.node("GlobalAveragePool", [maps])])
        self.node("Add", [pooled, self.weight("fc.bias")], LOGITS)
        return self._finished({LOGITS: ["n", 2], MAPS: ["n", 2, "h", "w"]})

    def explaining(self, activation, gradient):
        """The graph whose output is the sum over channels of their product."""
        product = self.node("Mul", [activation, gradient])
        channels = self.constant("channels", np.array([1]))
        self.node("ReduceSum", [product, channels], EVIDENCE, keepdims=0)
        return self._finished({EVIDENCE: ["n", "h", "w"]})

    def _finished(self, outputs):
        from onnx import TensorProto

        info = self._helper.make_tensor_value_info
        graph = self._helper.make_graph(
            self._nodes, "voxsight",
            [info(INPUT, TensorProto.UINT8, ["n", "height", "width", 3])],
            [info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            self._initialisers)
        opset = self._helper.make_opsetid("", 17)
        return self._helper.make_model(graph, opset_imports=[opset], ir_version=9,
                                       producer_name="voxsight").SerializeToString()


def _tensor_table(path):
    """Shape, first byte and length of each tensor of a safetensors file."""
    with open(path, "rb") as file:
        (header_length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(header_length))
    header.pop("__metadata__", None)
    first = 8 + header_length
    return {name: (about["shape"], first + about["data_offsets"][0],
                   about["data_offsets"][1] - about["data_offsets"][0])
            for name, about in header.items()}
