"""The AMNL network: CNN, BiLSTM and self-attention under a RUL and a health head.

Notation: B batch, T window (steps), F channels of its input (17, with history more), C the last convolution's channels,
D = 2 * hidden_size. Source: amnl, Network. With the defaults of `NetworkConfig` it has 3,497,476 parameters.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from amnl_tune.rul.configuration import HEALTH_CLASSES, NetworkConfig, Pooling
from amnl_tune.rul.history import channel_names

RUL_HEAD = (64, 32, 16)
HEALTH_HEAD = (32, 16)


def health_names(classes: Iterable[int]) -> list[str]:
    """Of classes by number; "unknown" of those below 0."""
    return [HEALTH_CLASSES[number] if number >= 0 else "unknown" for number in classes]


class Prediction(NamedTuple):
    """`rul` (B,) in cycles, never negative; `health` (B, 3) logits over HEALTH_CLASSES."""

    rul: Tensor
    health: Tensor


class AMNL(nn.Module):
    """(B, T, F) -> Prediction."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width = 2 * config.hidden_size
        features = len(channel_names(config))
        self.convolutions = _convolutions((features, *config.conv_channels), config.dropout / 2)
        self.lstm = nn.LSTM(
            config.conv_channels[-1],
            config.hidden_size,
            config.num_layers,
            batch_first=True,
            bidirectional=True,
            dropout=config.dropout if config.num_layers > 1 else 0.0,
        )
        self.attention = nn.MultiheadAttention(
            width, config.num_heads, dropout=config.attention_dropout, batch_first=True
        )
        self.norm = nn.LayerNorm(width)
        self.pool = _Pool(config.pooling, width)
        self.shared = _hidden_layers((self.pool.size, *config.fc_sizes), config.dropout)
        self.rul_head = nn.Sequential(
            *_hidden_layers((config.fc_sizes[-1], *RUL_HEAD)), nn.Linear(RUL_HEAD[-1], 1), nn.ReLU()
        )
        self.health_head = nn.Sequential(
            *_hidden_layers((config.fc_sizes[-1], *HEALTH_HEAD)), nn.Linear(HEALTH_HEAD[-1], len(HEALTH_CLASSES))
        )

    def forward(self, x: Tensor) -> Prediction:
        return self.decode(self.encode(x))

    def encode(self, x: Tensor) -> Tensor:
        """(B, T, F) -> (B, T, C): the convolutions, the only part where the windows of a batch see each other."""
        return self.convolutions(x.transpose(1, 2)).transpose(1, 2)  # type: ignore[no-any-return]

    def decode(self, encoded: Tensor) -> Prediction:
        """(B, T, C) -> Prediction: everything after the convolutions."""
        h, _ = self.lstm(encoded)  # (B, T, D)
        attended, _ = self.attention(h, h, h, need_weights=False)
        h = self.shared(self.pool(self.norm(h + attended)))  # (B, fc_sizes[-1])
        if not torch.is_autocast_enabled(h.device.type):
            return self._heads(h)
        with torch.autocast(h.device.type, enabled=False):  # bfloat16 knows 100 cycles to the half cycle only
            return self._heads(h.float())

    def _heads(self, h: Tensor) -> Prediction:
        return Prediction(self.rul_head(h).squeeze(-1), self.health_head(h))

    def encoder(self) -> list[nn.Parameter]:
        """The parameters of `encode`."""
        return list(self.convolutions.parameters())

    def decoder(self) -> list[nn.Parameter]:
        """The parameters of `decode`."""
        own = {id(p) for p in self.encoder()}
        return [p for p in self.parameters() if id(p) not in own]

    def backbone(self) -> list[nn.Parameter]:
        """The parameters that both tasks share."""
        heads = {id(p) for head in (self.rul_head, self.health_head) for p in head.parameters()}
        return [p for p in self.parameters() if id(p) not in heads]

    def start_at(self, rul: float) -> None:
        """Lets the untrained RUL head answer `rul` cycles.

        The head ends in a ReLU: with a default start, a network whose first outputs are negative gets no gradient at
        all and predicts 0 forever; and raw cycles are far from the default's near-zero outputs.
        """
        last = self.rul_head[-2]
        assert isinstance(last, nn.Linear)
        nn.init.constant_(last.bias, rul)


def _convolutions(channels: Sequence[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [
            nn.Conv1d(before, after, kernel_size=3, padding=1),
            nn.BatchNorm1d(after),
            nn.ReLU(),
            nn.Dropout(dropout),
        ]
    return nn.Sequential(*layers)


def _hidden_layers(sizes: Sequence[int], dropout: float | None = None) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
        if dropout is not None:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


class _Pool(nn.Module):
    """(B, T, D) -> (B, size); size is D, or 2 D for `last+mean`."""

    def __init__(self, kind: Pooling, width: int) -> None:
        super().__init__()
        self.kind = kind
        self.size = 2 * width if kind is Pooling.LAST_MEAN else width
        self.score = nn.Linear(width, 1) if kind is Pooling.ATTENTION else None

    def forward(self, h: Tensor) -> Tensor:
        if self.score is not None:
            weight: Tensor = self.score(h).softmax(dim=1)  # (B, T, 1)
            return (weight * h).sum(dim=1)
        match self.kind:
            case Pooling.MEAN:
                return h.mean(dim=1)
            case Pooling.LAST_MEAN:
                return torch.cat((h[:, -1], h.mean(dim=1)), dim=1)
            case _:
                return h[:, -1]
