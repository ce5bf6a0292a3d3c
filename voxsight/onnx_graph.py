"""The network as an ONNX graph whose weights stay in the safetensors file.

The head is linear after global average pooling. The class maps (the last feature maps
weighted by the head, Zhou et al., "Learning Deep Features for Discriminative
Localization", 2016) averaged over the picture are therefore the logits, and one graph
gives both.
"""

import json
import struct
from pathlib import Path

import numpy as np

INPUT, LOGITS, MAPS = "pictures", "logits", "maps"
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
    flow = builder.normalised(INPUT, architecture.mean, architecture.std)
    flow = builder.convolution(flow, "conv1", "bn1", stride=2, padding=3, relu=True)
    flow = builder.node("MaxPool", [flow], kernel_shape=[3, 3], strides=[2, 2],
                        pads=[1, 1, 1, 1])
    for stage, blocks in enumerate(BLOCKS[architecture.name], start=1):
        stride = {1: 1, 4: architecture.last_stride}.get(stage, 2)
        for block in range(blocks):
            flow = builder.basic_block(flow, f"layer{stage}.{block}", stride if not block else 1)
    return builder.finished(builder.class_maps(flow))


class _Builder:
    def __init__(self, weights):
        from onnx import helper

        self._helper = helper
        self._nodes, self._initialisers = [], []
        self._file, self._tensors = Path(weights).name, _tensor_table(weights)

    def node(self, kind, inputs, name=None, **attributes):
        name = name or f"{kind}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(kind, inputs, [name], **attributes))
        return name

    def weight(self, name):
        """Tensor of the file, cast to float32 (onnxruntime does so once, at load)."""
        from onnx import TensorProto

        shape, start, length = self._tensors[name]
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT16, dims=shape,
                             data_location=TensorProto.EXTERNAL)
        for key, value in (("location", self._file), ("offset", start), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
        self._initialisers.append(tensor)
        return self.node("Cast", [name], name + ".float", to=TensorProto.FLOAT)

    def constant(self, name, value):
        from onnx import numpy_helper

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

    def basic_block(self, flow, name, stride):
        shortcut = flow
        if f"{name}.downsample.0.weight" in self._tensors:
            shortcut = self.convolution(flow, f"{name}.downsample.0", f"{name}.downsample.1",
                                        stride=stride, padding=0, relu=False)
        flow = self.convolution(flow, f"{name}.conv1", f"{name}.bn1", stride=stride,
                                padding=1, relu=True)
        flow = self.convolution(flow, f"{name}.conv2", f"{name}.bn2", stride=1, padding=1,
                                relu=False)
        return self.node("Relu", [self.node("Add", [flow, shortcut])])

    def class_maps(self, flow):
        classes, features = self._tensors["fc.weight"][0]
        shape = self.constant("kernel_shape", np.array([classes, features, 1, 1], np.int64))
        kernel = self.node("Reshape", [self.weight("fc.weight"), shape])
        return self.node("Conv", [flow, kernel], MAPS, kernel_shape=[1, 1])

    def finished(self, maps):
        from onnx import TensorProto

        pooled = self.node("Flatten", [self.node("GlobalAveragePool", [maps])])
        self.node("Add", [pooled, self.weight("fc.bias")], LOGITS)
        info = self._helper.make_tensor_value_info
        graph = self._helper.make_graph(
            self._nodes, "voxsight",
            [info(INPUT, TensorProto.UINT8, ["n", "height", "width", 3])],
            [info(LOGITS, TensorProto.FLOAT, ["n", 2]),
             info(MAPS, TensorProto.FLOAT, ["n", 2, "h", "w"])],
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
