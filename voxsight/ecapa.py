"""ECAPA-TDNN, a speaker encoder, under the tensor names of SpeechBrain's.

Desplanques et al., "ECAPA-TDNN: emphasized channel attention, propagation and aggregation
in TDNN based speaker verification", 2020. SpeechBrain itself needs torchaudio, which has
ended and does not load beside this PyTorch; tests compare with values that it gave.
"""

import numpy as np
import torch
from torch import nn

RATE, N_FFT, HOP = 16_000, 400, 160
FLOOR, TOP_DB = 1e-10, 80.0
KERNELS, DILATIONS = (5, 3, 3, 3, 1), (1, 2, 3, 4, 1)
SCALE = 8  # groups of channels of a Res2Net block


class Ecapa(nn.Module):
    """The network; its widths are read from the tensors that it shall hold.

    Parameters
    ----------
    state : dict of str to torch.Tensor
        under SpeechBrain's names

    Raises
    ------
    KeyError, RuntimeError
        if the tensors are those of another network
    """

    def __init__(self, state):
        super().__init__()

        def width(name, axis=0):
            return state[name].shape[axis]

        channels = [width("blocks.0.conv.conv.weight"),
                    *(width(f"blocks.{i}.tdnn2.conv.conv.weight") for i in (1, 2, 3)),
                    width("mfa.conv.conv.weight")]
        self.n_mels = width("blocks.0.conv.conv.weight", 1)
        squeezed = width("blocks.1.se_block.conv1.conv.weight")
        self.blocks = nn.ModuleList([_Tdnn(self.n_mels, channels[0], KERNELS[0])])
        for i in (1, 2, 3):
            self.blocks.append(_Block(channels[i - 1], channels[i], squeezed, KERNELS[i],
                                      DILATIONS[i]))
        self.mfa = _Tdnn(sum(channels[1:4]), channels[4], KERNELS[4])
        self.asp = _Pooling(channels[4], width("asp.tdnn.conv.conv.weight"))
        self.asp_bn = _Norm(2 * channels[4])
        self.fc = _Conv(2 * channels[4], width("fc.conv.weight"), 1)
        self.load_state_dict(state)
        self.eval()

    def forward(self, features):
        """Embeddings, shape (n, d), of log-mel features, shape (n, n_mels, frames)."""
        outputs = [self.blocks[0](features)]
        for block in self.blocks[1:]:
            outputs.append(block(outputs[-1]))
        pooled = self.asp(self.mfa(torch.cat(outputs[1:], dim=1)))
        return self.fc(self.asp_bn(pooled)).squeeze(2)


def log_mel(samples, n_mels):
    """Log-mel features as the published weights expect them, the mean over time taken out.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), float32]
        at 16 kHz
    n_mels : int

    Returns
    -------
    torch.Tensor [shape=(1, n_mels, frames)]
    """
    spectrum = torch.stft(torch.from_numpy(np.ascontiguousarray(samples)), N_FFT, HOP,
                          window=torch.hamming_window(N_FFT), center=True, pad_mode="constant",
                          return_complex=True)
    power = _filters(n_mels) @ spectrum.abs().square()
    decibels = 10 * torch.log10(power.clamp(min=FLOOR))
    decibels = torch.maximum(decibels, decibels.max() - TOP_DB)
    return (decibels - decibels.mean(dim=1, keepdim=True))[None]


def _filters(n_mels):
    """Triangles as wide on both sides as the distance to the centre below them."""
    mel = torch.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), n_mels + 2)
    hertz = 700 * (10 ** (mel / 2595) - 1)
    centre, width = hertz[1:-1, None], hertz.diff()[:-1, None]
    bins = torch.linspace(0, RATE // 2, 1 + N_FFT // 2)
    slope = (bins - centre) / width
    return torch.clamp(torch.minimum(slope + 1, 1 - slope), min=0)


class _Conv(nn.Module):
    def __init__(self, inputs, outputs, kernel, dilation=1):
        super().__init__()
        reach = dilation * (kernel - 1) // 2
        self.conv = nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=reach,
                              padding_mode="reflect")

    def forward(self, x):
        return self.conv(x)


class _Norm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x):
        return self.norm(x)


class _Tdnn(nn.Module):
    def __init__(self, inputs, outputs, kernel, dilation=1):
        super().__init__()
        self.conv, self.norm = _Conv(inputs, outputs, kernel, dilation), _Norm(outputs)

    def forward(self, x):
        return self.norm(torch.relu(self.conv(x)))


class _Res2Net(nn.Module):
    def __init__(self, channels, kernel, dilation):
        super().__init__()
        width = channels // SCALE
        self.blocks = nn.ModuleList(_Tdnn(width, width, kernel, dilation)
                                    for _ in range(SCALE - 1))

    def forward(self, x):
        first, *rest = x.chunk(SCALE, dim=1)
        outputs = [first]
        for i, (part, block) in enumerate(zip(rest, self.blocks)):
            outputs.append(block(part + outputs[-1] if i else part))
        return torch.cat(outputs, dim=1)


class _Squeeze(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.conv1, self.conv2 = _Conv(channels, squeezed, 1), _Conv(squeezed, channels, 1)

    def forward(self, x):
        mean = x.mean(dim=2, keepdim=True)
        return x * torch.sigmoid(self.conv2(torch.relu(self.conv1(mean))))


class _Block(nn.Module):
    def __init__(self, inputs, channels, squeezed, kernel, dilation):
        super().__init__()
        self.tdnn1 = _Tdnn(inputs, channels, 1)
        self.res2net_block = _Res2Net(channels, kernel, dilation)
        self.tdnn2 = _Tdnn(channels, channels, 1)
        self.se_block = _Squeeze(channels, squeezed)
        self.shortcut = _Conv(inputs, channels, 1) if inputs != channels else None

    def forward(self, x):
        y = self.se_block(self.tdnn2(self.res2net_block(self.tdnn1(x))))
        return y + (self.shortcut(x) if self.shortcut else x)


class _Pooling(nn.Module):
    """Mean and spread over time, weighted by attention."""

    def __init__(self, channels, attention):
        super().__init__()
        self.tdnn, self.conv = _Tdnn(3 * channels, attention, 1), _Conv(attention, channels, 1)

    def forward(self, x):
        mean, spread = _moments(x, torch.full_like(x[:, :1], 1 / x.shape[2]))
        context = torch.cat([x, mean.expand_as(x), spread.expand_as(x)], dim=1)
        weights = torch.softmax(self.conv(torch.tanh(self.tdnn(context))), dim=2)
        return torch.cat(_moments(x, weights), dim=1)


def _moments(x, weights):
    mean = (weights * x).sum(dim=2, keepdim=True)
    variance = (weights * (x - mean).square()).sum(dim=2, keepdim=True)
    return mean, variance.clamp(min=1e-12).sqrt()
