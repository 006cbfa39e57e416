"""Writes a small MaxMind DB file, for tests: networks -> countries.

Format: maxmind.github.io/MaxMind-DB, version 2.0. The reader wants each number of the metadata in its type.
"""

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

_RECORD_BITS = 24
Tree = list[list[Any]]


def write_mmdb(path: Path, countries: Mapping[str, str]) -> Path:
    """``countries``: network such as ``81.2.69.0/24`` -> ISO code."""
    tree: Tree = [[None, None]]
    data = b""
    for network, code in countries.items():
        offset = len(data)
        data += _value({"country": {"iso_code": code}})
        _insert(tree, network, offset)
    nodes = b"".join(_record(side, len(tree)) for node in tree for side in node)
    metadata = {
        "node_count": _Uint32(len(tree)), "record_size": _RECORD_BITS, "ip_version": 6, "database_type": "Test-Country",
        "languages": ["en"], "binary_format_major_version": 2, "binary_format_minor_version": 0,
        "build_epoch": 1_760_000_000, "description": {"en": "made by a test"},
    }  # fmt: skip
    path.write_bytes(nodes + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + _value(metadata))
    return path


def _insert(tree: Tree, text: str, offset: int) -> None:
    network = ip_network(text)
    width = 128
    prefix = network.prefixlen + (96 if network.version == 4 else 0)  # IPv4 stands at ::/96
    bits = f"{int(network.network_address):0{width}b}"[:prefix]
    node = 0
    for bit in bits[:-1]:
        side = tree[node][int(bit)]
        if side is None:
            tree.append([None, None])
            side = tree[node][int(bit)] = ("node", len(tree) - 1)
        node = side[1]
    tree[node][int(bits[-1])] = ("data", offset)


def _record(side: Any, nodes: int) -> bytes:
    kind, place = side or ("none", nodes)
    number = nodes + 16 + place if kind == "data" else place
    return int(number).to_bytes(_RECORD_BITS // 8, "big")


class _Uint32(int):
    """A number that takes four bytes."""


def _value(value: Any) -> bytes:
    if isinstance(value, _Uint32):
        return bytes([6 << 5 | 4]) + value.to_bytes(4, "big")
    if isinstance(value, str):
        text = value.encode()
        return bytes([2 << 5 | len(text)]) + text
    if isinstance(value, dict):
        return bytes([7 << 5 | len(value)]) + b"".join(_value(k) + _value(v) for k, v in value.items())
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(_value, value))
    number = value.to_bytes(8, "big").lstrip(b"\0")
    if len(number) <= 2:
        return bytes([5 << 5 | len(number)]) + number  # uint16
    return bytes([len(number), 9 - 7]) + number  # uint64
