"""A sound patch is never accused."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hgeisim.drivers.run_to_end import run_alone
from hgeisim.errors import InputError
from hgeisim.kernel.variants import find_variant
from hgeisim.library.own_patch import execute
from hgeisim.machine.shared import Memory
from hgeisim.patchrules.patch_file import PatchFile
from hgeisim.patchrules.rules import mistakes
from tests.patchrules.own_patches import HEAD, found, free, take
from tests.support import kernels
from tests.support.commands import hgeisim
from tests.support.source import ROOT, python_files

SOUND = {
    "nothing": "    pass\n",
    "a function of its own": take("yield from k.mine(vcpu)")
    + "    def mine(k, v):\n        yield STEP\n",
    "two functions of its own": free("yield from k.f()")
    + "    def f(k):\n        yield from k.g()\n    def g(k):\n        yield STEP\n",
    "super": take("yield from super().take_line_away(current, vcpu, hgei)"),
    "an alias": free("h = k.hgei[cpu]", "lock = h.lock", "yield lock.lock", "yield lock.unlock"),
    "either lock": free(
        "lock = k.hgei[cpu].lock if hgei else k.rq[cpu].lock",
        "yield lock.lock",
        "yield lock.unlock",
    ),
    "setattr": free("yield STEP", "setattr(k.globals, 'kvm_rebooting', 1)"),
    "asked first by name": take("yield STEP", "if hasattr(vcpu, 'gone'): atomic_inc(vcpu, 'gone')"),
    "atomics": take(
        "yield STEP", "h = this_cpu_ptr(k.hgei, current)", "set_bit(hgei, h, 'free_bitmap')"
    ),
    "a name in a local": take("yield STEP", "f = 'cpu' if hgei else 'hvip'", "atomic_inc(vcpu, f)"),
    "a default": take("yield STEP", "return getattr(vcpu, 'dying', 0)"),
    "an own setattr": take("yield STEP", "setattr(vcpu, 'dying', 1)")
    + "def setattr(*args): pass\n",
    "asked first": take("yield STEP", "if hasattr(vcpu, 'dying'): vcpu.dying = 1"),
    "a parameter more": free("yield STEP").replace("hgei)", "hgei, why=0)"),
    "a keyword more": free("yield STEP").replace("hgei)", "hgei, *, why=0)"),
    "renamed": "    def kvm_riscv_aia_free_hgei(k, where, line):\n        yield STEP\n",
    "any": "    def kvm_riscv_aia_free_hgei(k, *args):\n"
    "        yield from super().kvm_riscv_aia_free_hgei(*args)\n",
    "delegates": "    def kvm_riscv_aia_free_hgei(k, cpu, hgei):\n"
    "        return super().kvm_riscv_aia_free_hgei(cpu, hgei)\n",
    "wrong annotation": "    def take_line_away(k, current: int, vcpu: Thread, hgei: Vcpu):\n"
    "        yield STEP\n        vcpu.stop = current.cpu\n",
    "a for without yield": free("yield STEP", "for h in k.hgei:", "    h.nr_hgei = 1"),
    "a comprehension": free("yield STEP", "return sum(h.nr_hgei for h in k.hgei)"),
    "a local shadows": free("SEEN = k.hgei[cpu]", "yield STEP", "SEEN.nr_hgei = 1"),
    "the module's function": free("yield from mine(k)") + "def mine(k):\n    yield STEP\n",
    "a path in a local": free("f = k.request_sgei", "yield from f()"),
    "state is set up": "    def __init__(k, *args, **rest):\n"
    "        super().__init__(*args, **rest)\n"
    "        k.mine = [1, 2]\n" + free("yield STEP", "return k.mine[cpu]"),
    "a new field": "    class Vcpu(Vcpu):\n        dying: 'Field'\n"
    + take("yield STEP", "vcpu.dying += 1", "k.vcpu(1).dying = 0"),
    "its caller changes, too": "    def nr_hgei(k, hgctrl):\n        return k.count(hgctrl, 1)\n"
    "    def count(k, hgctrl, more):\n        return hgctrl.nr_hgei + more\n",
    "a union": take("yield STEP", "if current.id: current.need_resched = 1"),
    "a property": "    @property\n    def mine(k):\n        return 1\n"
    + free("yield STEP", "k.mine"),
    "a static method": "    @staticmethod\n    def mine(x):\n        return x\n"
    + free("yield STEP", "return k.mine(1)"),
    "an alias of a path": "    take_line_away = Aia.take_line_away\n",
    "a lambda": "    take_line_away = lambda k, a, b, c: Aia.take_line_away(k, a, b, c)\n",
    "a lambda that yields": "    take_line_away = lambda k, a, b, c: (yield STEP)\n",
    "a static path": "    @staticmethod\n"
    "    def take_line_away(current, vcpu, hgei):\n        yield STEP\n        vcpu.cpu = 1\n",
    "a path of the class": "    @classmethod\n" + take("yield STEP"),
    "a property that is a path": "    @property\n    def take_line_away(k):\n"
    "        return super().take_line_away\n",
    "an attribute by a property": "    locks_are_steady = property(lambda k: False)\n",
    "state is set up, with names": "    def __init__(k, shape, memory, rt=0, **rest):\n"
    "        super().__init__(shape, memory, rt, **rest)\n",
    "nothing, as in Python": free("return", "yield"),
    "nothing, on one line": free("return; yield"),
    "nothing, never": free("if False: yield", "k.hgei[cpu].nr_hgei = 1"),
    "nothing, in a loop": free("while 0: yield", "raise AssertionError"),
    "calls itself now and then": free(
        "yield STEP", "if hgei: yield from k.kvm_riscv_aia_free_hgei(cpu, hgei - 1)"
    ),
    "calls itself after a return": free(
        "if not hgei: return", "yield from k.kvm_riscv_aia_free_hgei(cpu, hgei - 1)"
    ),
    "asks itself at the end": free("yield STEP", "m(3)") + "def m(n):\n    return n and m(n - 1)\n",
    "values": take("yield STEP", "vcpu.cpu = True", "vcpu.hvip = 2.0", "vcpu.stop = hgei > 1"),
    "either value": take("yield STEP", "n = None", "if hgei: n = 1", "if n: vcpu.cpu = n"),
    "a value of its own": "    def __init__(k, *args, **rest):\n"
    "        super().__init__(*args, **rest)\n"
    "        k.hgei[0].lock = k.hgei[1].lock\n",
    "a name put together": take("yield STEP", "return getattr(vcpu, 'vsfile' + '_cpu')"),
    "walks over vCPUs": take("yield STEP", "for v in k.vcpus[1:]: v.stop = len(k.vcpus[1:])"),
    "a part of a list": take("yield STEP", "return k.vcpus[1:].count(vcpu)"),
    "walks over keys": take("yield STEP", "for t in k.vcpu_of: t.need_resched = 1"),
    "walks over pairs": take("yield STEP", "for n, h in enumerate(k.hgei): h.nr_hgei = n"),
    "a check that yields texts": "    pass\ndef bad(k):\n"
    "    for v in k.vcpus[1:]: yield 'stop' if v.stop else ''\n"
    "def check(k):\n    yield from bad(k)\n    yield 'x' if k.vms else ''\n",
    "a check with a list": "    pass\ndef check(k):\n    found = {}\n    found[1] = 'x'\n"
    "    for v in k.vcpus[1:]: found[v.id] = v.name\n    return found.values()\n",
    "a check of text or text": "    pass\ndef check(k):\n    return k.name and ''\n",
    "a list before the yields": free("n = [1, 2]", "n = len(n)", "yield STEP", "return n"),
    "a list that is dropped": free("n = [1, 2]", "m = n[0]", "del n", "yield STEP", "return m"),
    "a list after the yields": free("yield STEP", "n = [h.cpu for h in k.hgei]", "return n[0]"),
    "a list on the way out": free("if hgei:", "    n = [1]", "    return n[0]", "yield STEP"),
    "a tuple": free("n = (1, k.hgei[cpu])", "yield STEP", "return n[0]"),
    "prints": free("print(cpu, hgei, file=sys.stdout)", "yield STEP") + "import sys\n",
    "counts": free("n = 0", "while n < 3: n += 1", "yield STEP"),
    "loops with a yield": free("while not k.hgei[cpu].nr_hgei: yield STEP"),
    "loops for ever with a yield": free("while True:", "    yield STEP"),
    "leaves a loop": free("yield STEP", "while True:", "    if cpu: break", "    cpu += 1"),
    "returns from a loop": free("yield STEP", "while 1:", "    cpu += 1", "    if cpu > 3: return"),
    "takes away": free("yield STEP", "n = [1, 2]", "while n: n.pop()"),
    "deletes": free("yield STEP", "n = [1, 2]", "while n: del n[0]"),
    "adds": free("yield STEP", "while k.hgei[cpu].nr_hgei < 3: k.hgei[cpu].nr_hgei += 1"),
    "writes by another name": free("h = k.hgei[cpu]", "yield STEP", "while h.nr_hgei: f(h)")
    + "def f(h): h.nr_hgei = 0\n",
    "clears bits": free(
        "h = k.hgei[cpu]",
        "yield STEP",
        "while h.free_bitmap: clear_bit(ffs(h.free_bitmap), h, 'x')",
    ).replace("'x'", "'free_bitmap'"),
    "tests and sets": free(
        "yield STEP", "while not test_and_set_bit(1, k.hgei[0], 'nr_hgei'): pass"
    ),
    "walks a list": take("yield STEP", "v = vcpu", "while v: v = k.vcpus[v.id - 1]"),
    "is thrown out": free(
        "yield STEP", "n = [1]", "try:", "    while 1: n.pop()", "except IndexError: pass"
    ),
    "asks a property": "    @property\n    def tries(k):\n        return next(NUMBERS) < 3\n"
    + free("yield STEP", "while k.tries: pass"),
    "never": free("yield STEP", "while False: pass"),
    "a nested function": free("yield STEP", "def f(x): return x + hgei", "return f(1)"),
    "either kind": take("who = vcpu if hgei else current", "yield STEP", "return who.cpu"),
    "walks": take("v = vcpu", "while v: v = k.vcpus[v.id - 1]", "yield STEP"),
    "annotated": free("h: HgeiControl = k.hgei[cpu]", "yield STEP", "h.nr_hgei = 1"),
    "from another": free("yield STEP").replace("Mine", "Other"),
    "a dictionary": take("yield STEP", "v = k.vcpu_of.get(current)", "if v: v.stop = 1"),
}


@pytest.mark.parametrize("body", SOUND.values(), ids=SOUND)
def test_a_sound_patch_is_not_accused(tmp_path: Path, body: str) -> None:
    assert found(tmp_path, body) == []


def test_a_patch_on_a_patch_of_the_same_file(tmp_path: Path) -> None:
    body = free("yield from k.mine()") + "    def mine(k):\n        yield STEP\n"
    body += "class More(Mine):\n" + free("yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)")
    (tmp_path / "mine.py").write_text(HEAD + body)
    execute(f"v7.0+{tmp_path}/mine.py:More")
    execute(f"v7.0+{tmp_path}/mine.py:Mine+{tmp_path}/mine.py:More")


def test_a_patch_may_be_called_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(HEAD + "    def mine(k):\n        yield STEP\n")
    (tmp_path / "b.py").write_text(HEAD + free("yield from k.mine()"))
    execute(f"v7.0+{tmp_path}/a.py:Mine+{tmp_path}/b.py:Mine")
    with pytest.raises(InputError, match="overrides nothing"):
        execute(f"v7.0+{tmp_path}/a.py:Mine")


SOURCES = tuple((ROOT / name).read_bytes() for name in python_files("hgeisim"))


@pytest.mark.slow
@pytest.mark.parametrize("variant", [*kernels.ALL_VARIANTS, kernels.CLAMP, kernels.MIN])
@pytest.mark.proof
def test_no_shipped_file_is_accused(variant: str) -> None:
    """Each file of a kernel is looked at as if it were a patch."""
    kernel = find_variant(variant)
    modules = {cls.__module__ for cls in kernel.__mro__ if "kernel" in cls.__module__}
    for name in sorted(modules - {"hgeisim.kernel.variants"}):
        module = sys.modules[name]
        source = Path(str(module.__file__)).read_bytes()
        file = PatchFile(module, kernel, (source, *SOURCES))
        replaced = lines_replaced(kernel, module)
        assert [
            each for each in mistakes(file) if getattr(each.node, "lineno", 0) not in replaced
        ] == []


def lines_replaced(kernel: type, module: ModuleType) -> set[int]:
    """The lines of functions in whose place the kernel has others: mmu_lock is an rwlock there."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    others = [each for each in functions if home_of(kernel, each.name) not in ("", module.__name__)]
    return {line for each in others for line in range(each.lineno, (each.end_lineno or 0) + 1)}


def home_of(kernel: type, function: str) -> str:
    """The module of the function that a kernel has under a name."""
    return str(getattr(getattr(kernel, function, None), "__module__", ""))


EXTRA = {
    "cpu, hgei, why=0": "cpu, hgei",
    "cpu, hgei, *, why=0": "cpu, hgei",
    "cpu, hgei, why=()": "cpu, hgei",
    "*args": "*args",
    "a, *b": "a, *b",
}


@pytest.mark.slow
@pytest.mark.parametrize(("parameters", "passed"), EXTRA.items())
@pytest.mark.parametrize(
    "command", [("run", "vm-churn", "--until", "1ms"), ("explore", "moved-sleeper")]
)
def test_callers_that_fit_may_run(
    tmp_path: Path, parameters: str, passed: str, command: tuple[str, ...]
) -> None:
    (tmp_path / "mine.py").write_text(
        f"{HEAD}    def kvm_riscv_aia_free_hgei(k, {parameters}):\n"
        f"        yield from super().kvm_riscv_aia_free_hgei({passed})\n"
    )
    result = hgeisim(*command, "--variant", f"v7.0+{tmp_path}/mine.py:Mine")
    unchanged = hgeisim(*command, "--variant", "v7.0").status
    assert (result.status, result.complaints) == (unchanged, "")


KEPT = """from hgeisim.patch import *
class Mine(Aia):
    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        import itertools
        ask, low, h = k.nr_hgei, ffs, (k.hgei[cpu], cpu)
        mine = [each for each in k.hgei if each.cpu == cpu][0]
        owners = mine.owners
        yield STEP
        assert mine is h[0] and ask(mine) and low(2)
        assert any(each.cpu == cpu for each in k.hgei)
        yield mine.lock.lock_irqsave
        owners[hgei] = owners[hgei]
        yield mine.lock.unlock_irqrestore
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [("run", "vm-churn", "--until", "1ms"), ("explore", "moved-sleeper")]
)
def test_what_cannot_change_may_be_kept(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "mine.py").write_text(KEPT)
    result = hgeisim(*command, "--variant", f"v7.0+{tmp_path}/mine.py:Mine")
    unchanged = hgeisim(*command, "--variant", "v7.0").status
    assert (result.status, result.complaints) == (unchanged, "")


FIELDS = """
from hgeisim.kernel import structs
from hgeisim.kernel.aia import Aia
from hgeisim.machine.ops import STEP
from hgeisim.machine.shared import Field


class A(Aia):
    class Vcpu(structs.Vcpu):
        a: Field

    class HgeiControl(structs.HgeiControl):
        c: Field

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        yield STEP
        k.vcpu(1).a += 1
        k.hgei[cpu].c += 2


class B(Aia):
    class Vcpu(structs.Vcpu):
        b: "Field"

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)
        yield STEP
        k.vcpu(1).b = k.vcpu(1).a + 1
"""


@pytest.mark.parametrize("memory", [None, Memory()])
def test_patches_add_fields_to_a_struct(tmp_path: Path, memory: Memory | None) -> None:
    """Also where annotations are not evaluated; in a search each is a cell."""
    (tmp_path / "f.py").write_text(FIELDS)
    variant = f"v7.0+{tmp_path}/f.py:A+{tmp_path}/f.py:B"
    execute(variant)
    k: Any = kernels.booted(variant, [3], memory)
    vcpu: Any = kernels.add_vcpu(k, "a", 0)
    run_alone(k.kvm_riscv_aia_free_hgei(0, 1), k.threads[0])
    assert (vcpu.a, vcpu.b, k.hgei[0].c) == (1, 2, 2)
    if memory is not None:
        assert {"a.a", "a.b", "hgei0.c"} <= {*memory.names}
