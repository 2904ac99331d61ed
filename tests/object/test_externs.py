"""Paths that stand for the C functions that objects call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hgeisim.kernel.object.externs import EXTERNS
from tests.object.toy import code

ARRAY, VCPUS = 0x100, (0x10, 0x20, 0x30)


def kernel() -> tuple[Any, int]:
    """A kernel with three vCPUs in one VM, and a word for an index."""
    made = code()

    def vcpu_in(array: int, index: int) -> int:
        assert array == ARRAY
        return VCPUS[index] if index < len(VCPUS) else 0

    k = SimpleNamespace(object=made, structs=SimpleNamespace(vcpu_in=vcpu_in))
    return k, made.allocate(8, "index")


def called(name: str, k: Any, *arguments: int) -> int:
    path = EXTERNS[name](k, None, *arguments)
    try:
        next(path)
    except StopIteration as end:
        return int(end.value)
    raise AssertionError(f"{name} yields an operation")


def test_each_vcpu_is_found_once() -> None:
    k, index = kernel()
    found = [called("xa_find", k, ARRAY, index, -1, 8)]
    while found[-1]:
        found.append(called("xa_find_after", k, ARRAY, index, -1, 8))
    assert found == [*VCPUS, 0]
    assert k.object.shared.load(index, 8) == len(VCPUS) - 1


def test_a_vcpu_is_loaded_by_its_index() -> None:
    k, _ = kernel()
    assert [called("xa_load", k, ARRAY, i) for i in range(4)] == [*VCPUS, 0]
