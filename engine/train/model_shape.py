"""The embedded model's shape, by which the weights are named, split and joined."""
import dataclasses


@dataclasses.dataclass
class Shape:
    vocab: int = 16384
    width: int = 512
    layers: int = 10
    heads: int = 8
    nope: int = 64
    rope: int = 32
    value: int = 64
    q_rank: int = 256
    kv_rank: int = 256
    dense_ff: int = 1536
    experts: int = 16
    used: int = 4
    groups: int = 4
    used_groups: int = 3
    expert_ff: int = 256
    rope_base: float = 10000.0
    epsilon: float = 1e-6
    context: int = 2048
