"""A mistake in a patch is reported before anything runs, with line and remedy.

That includes what a class of a patch puts in the place of a function or a struct.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim.patchrules.overrides import CLASS_RULES
from hgeisim.patchrules.rules import RULES
from tests.patchrules.own_patches import FREE, HEAD, found, free, take
from tests.support.commands import hgeisim

MISTAKES = {
    "overrides something": [
        ("    def take_line_awy(k, current, vcpu):\n        yield STEP\n", "take_line_away"),
        ("    def my_own(k):\n        yield STEP\n", "call it, or leave it out"),
        ("    def nr_hgie(k, hgctrl):\n        return 1\n", "nr_hgei"),
    ],
    "is called alike": [
        ("    def kvm_riscv_aia_free_hgei(k, cpu):\n        yield STEP\n", "(k, cpu, hgei)"),
        ("    def kvm_riscv_aia_free_hgei(cpu, hgei):\n        yield STEP\n", "(k, cpu, hgei)"),
        ("    def kvm_riscv_aia_free_hgei(k, a, b, c):\n        yield STEP\n", "(k, cpu, hgei)"),
        ("    def kvm_riscv_aia_free_hgei(k, hgei, cpu):\n        yield STEP\n", "(k, cpu, hgei)"),
        ("    def ack_flush(k, current):\n        yield STEP\n", "(k, current, sender)"),
        ("    def nr_hgei(k):\n        return 1\n", "(k, hgctrl)"),
        (
            "    def free(k, cpu, *, hgei):\n        yield STEP\n".replace("free", "nr_hgei"),
            "k, hg",
        ),
    ],
    "is a path alike": [
        (free("pass"), "yield from ()"),
        (free("if cpu: return None", "k.hgei[cpu].free_bitmap = 1"), "yield from ()"),
        ("    def nr_hgei(k, hgctrl):\n        yield STEP\n        return 1\n", "in its callers"),
    ],
    "yields stand alone": [
        (free("if (yield STEP): pass"), "ret = yield"),
        (free("n = 1 + (yield STEP)"), "ret = yield"),
        (free("return (yield STEP)"), "ret = yield"),
        (free("k.hgei[cpu].nr_hgei = yield STEP"), "ret = yield"),
    ],
    "no open block": [
        (free("for i in range(3): yield STEP"), "while"),
        (free("for i in range(3):", "    if i:", "        yield STEP"), "while"),
        (free("with open('x'): yield STEP"), "unlock"),
        (free("try: yield STEP", "finally: pass"), "returned"),
    ],
    "paths are run": [
        (take("yield STEP", "k.kvm_vcpu_kick(current, vcpu)"), "yield from k.kvm_vcpu_kick"),
        (take("yield STEP", "super().take_line_away(current, vcpu, hgei)"), "yield from super()"),
        (take("n = k.kvm_vcpu_kick(current, vcpu)", "yield from n"), "yield from k.kvm"),
        (take("yield STEP", "Aia.take_line_away(k, current, vcpu, hgei)"), "yield from Aia."),
        (take("yield STEP", "kick = k.kvm_vcpu_kick", "kick(current, vcpu)"), "yield from kick"),
        (
            "    def request_sgei(k):\n        k.mine()\n        return k.mine()\n"
            "    def mine(k):\n        yield STEP\n",
            "yield from k.mine",
        ),
    ],
    "paths are not yielded": [
        (take("yield k.kvm_vcpu_kick(current, vcpu)"), "yield from k.kvm_vcpu_kick(current"),
        (take("yield super().take_line_away(current, vcpu, hgei)"), "yield from super()"),
        (take("ret = yield k.kvm_vcpu_kick(current, vcpu)"), "yield from k.kvm_vcpu_kick(current"),
    ],
    "arguments fit": [
        (take("yield from k.kvm_vcpu_kick(vcpu)"), "(current, vcpu)"),
        (take("yield from k.kvm_vcpu_kick(current, vcpu, 1)"), "(current, vcpu)"),
        (take("yield from k.kvm_vcpu_kick(current, vcp=vcpu)"), "(current, vcpu)"),
        (take("yield from super().take_line_away(current, vcpu)"), "(current, vcpu, hgei)"),
    ],
    "operations are yielded": [
        (free("yield 5"), "docs/idioms.md"),
        (free("yield"), "yield STEP"),
        (free("yield STEP, STEP"), "yield STEP"),
        (free("if cpu: return", "yield"), "yield STEP"),
        (free("yield Step"), "docs/idioms.md"),
        (free("yield k.hgei[cpu].lock"), "docs/idioms.md"),
        (free("yield k.hgei[cpu].free_bitmap"), "docs/idioms.md"),
        (free("yield k.hgei[cpu].lock.lock_irqsave()"), "yield k.hgei[cpu].lock.lock_irqsave"),
        (free("yield k.request_sgei"), "yield from k.request_sgei(...)"),
        (free("k.hgei[cpu].lock.lock_irqsave", "yield STEP"), "yield k.hgei[cpu].lock"),
        (free("yield STEP", "STEP"), "yield STEP"),
        (take("yield atomic_inc(vcpu, 'cpu')"), "`yield STEP`, then `atomic_inc(vcpu, 'cpu')`"),
        (free("n = yield k.nr_hgei(k.hgei[cpu])"), "`yield STEP`, then `k.nr_hgei("),
    ],
    "operations are not called": [
        (take("yield STEP", "cpu = get_cpu()"), "yield get_cpu`"),
        (take("yield STEP", "vcpu.mutex.lock()"), "yield vcpu.mutex.lock`"),
        (take("yield STEP", "if vcpu.mutex.trylock(): return"), "got = yield vcpu.mutex.trylock"),
    ],
    "answers are yielded": [
        (take("yield STEP", "WARN_ON(vcpu.id > 9)"), "yield WARN_ON(vcpu.id > 9)"),
        (take("yield STEP", "if WARN_ON(vcpu.id > 9): return"), "got = yield WARN_ON"),
        (take("yield STEP", "lockdep_assert_held(vcpu.hfence_lock)"), "yield lockdep_assert_held"),
        (take("got = vcpu.hfence_lock.trylock", "yield STEP"), "vcpu.hfence_lock.trylock"),
        (take("yield STEP", "if not vcpu.mutex.trylock: return"), "yield vcpu.mutex.trylock"),
    ],
    "paths are delegated to": [
        (free("yield from k.hgei[cpu].lock.lock_irqsave"), "yield k.hgei[cpu].lock.lock_irqsave"),
        (free("yield from k.hgei[cpu].lock.lock()"), "yield k.hgei[cpu].lock.lock"),
        (free("yield from STEP"), "yield STEP"),
        (free("yield from k.request_sgei"), "yield from k.request_sgei(...)"),
    ],
    "fields are there": [
        (take("yield STEP", "if vcpu.vsfile_cpux == 3: return"), "vsfile_cpu"),
        (take("yield STEP", "vcpu.dying = 1"), "class Vcpu(structs.Vcpu)"),
        (take("yield STEP", "vcpu.dying += 1"), "class Vcpu(structs.Vcpu)"),
        (take("yield vcpu.vsfile_lock.write_lock_irqsav"), 'did you mean "write_lock_irqsave"? it'),
        (take("yield vcpu.vsfile_lock.down_read"), "it has assert_held, read_lock, "),
        (take("yield vcpu.mutex.lock_irqsave"), 'did you mean "lock"? it has assert_held, lock, '),
        (free("yield k.hgei[cpu].lock.raw_spin_lock"), 'did you mean "lock"? it has assert_held'),
        (free("yield k.cpu_hotplug_lock.downread"), 'did you mean "down_read"? it has'),
        (take("yield vcpu.vm.srcu.read_lock"), 'did you mean "srcu_read_lock"? it has'),
        (take("yield STEP", "vcpu.wait.dying = 1"), "it has waiter; a patch adds fields to Vcpu"),
        (free("yield STEP", "for h in k.hgei: h.lines = 1"), "class HgeiControl(structs."),
        (free("yield STEP", "return [h.lines for h in k.hgei[1:]]"), "class HgeiControl(structs."),
        (free("yield STEP", "this_cpu_ptr(k.hgei, k.threads[0]).dying = 1"), "class HgeiControl("),
        (take("yield current.hart.nothing"), "docs/own-patch.md"),
        (take("yield from k.kvm_vcpu_kik(current, vcpu)"), "kvm_vcpu_kick"),
        (take("yield from super().take_line_awy(current, vcpu, hgei)"), "take_line_away"),
        (free("yield STEP", "if k.hgei[cpu].lines: return"), "docs/own-patch.md"),
        (free("h = k.hgei[cpu]", "yield STEP", "h.lokc = 1"), '"lock"'),
        (free("yield STEP", "k.globals.nr = 1"), "class Globals(structs.Globals)"),
        (free("yield STEP", "k.hart[cpu].hgei_e = 1"), '"hgeie"'),
        (free("yield STEP", "k.vcpu(1).vm.mod = 1"), "class Vm(structs.Vm)"),
        (
            "    def take_line_away(k, c, v, hgei):\n        yield STEP\n        v.dying = 1\n",
            "class Vcpu(structs.Vcpu)",
        ),
        (
            "    def take_line_away(k, current, v, hgei):\n        yield from k.mine(v)\n"
            "    def mine(k, v: Vcpu):\n        yield STEP\n        v.dying = 1\n",
            "class Vcpu(structs.Vcpu)",
        ),
    ],
    "named fields are there": [
        (take("yield STEP", "atomic_inc(vcpu, 'vsfile_cpux')"), '"vsfile_cpu"'),
        (take("yield STEP", "if atomic_dec_and_test(vcpu, 'dying'): return"), "class Vcpu("),
        (take("yield STEP", "cmpxchg(vcpu, 'dying', 1, new=2)"), "class Vcpu("),
        (free("yield STEP", "set_bit(1, k.hgei[cpu], field='free_bitmp')"), '"free_bitmap"'),
        (free("yield STEP", "WRITE_ONCE(per_cpu_ptr(k.hgei, cpu), 'nr', 3)"), "class HgeiControl("),
        (take("yield STEP", "xchg(vcpu, 'vsfile_lock', 0)"), "such fields are cpu, "),
        (free("yield STEP", "atomic_inc(k.hgei[cpu], 'owners')"), "such fields are free_bitmap"),
        (take("yield STEP", "cmpxchg(vcpu.cpu, 1, 2, 3)"), 'such as `vcpu, "cpu"`'),
        (take("yield STEP", "atomic_inc(vcpu, vcpu.cpu)"), 'such as `vcpu, "cpu"`'),
        (take("yield STEP", "setattr(vcpu, 'dying', 1)"), "class Vcpu("),
        (take("yield STEP", "if getattr(vcpu, 'dying'): return"), "class Vcpu("),
    ],
    "names are there": [
        (free("yield STPE"), '"STEP"'),
        (free("yield STEP", "return bitt(cpu)"), '"bit"'),
        (free("yield STEP", "return [undefined for x in (1, 2)]"), "import it, or define it"),
    ],
    "functions come to an end": [
        (take("return k.take_line_away(current, vcpu, hgei)"), "super().take_line_away(current"),
        (take("yield from k.take_line_away(current, vcpu, hgei)"), "super().take_line_away(cur"),
        (take("yield STEP", "yield from Mine.take_line_away(k, current, vcpu, hgei)"), "super()."),
        (take("if hgei: vcpu.cpu = 1", "return k.take_line_away(current, vcpu, hgei)"), "super()."),
        (free("yield STEP", "k.mine()") + "    def mine(k):\n        k.mine()\n", "a condition"),
        (free("yield STEP", "m(k)") + "def m(k):\n    if m(k): return\n", "a condition"),
        (
            free("yield from k.mine()")
            + "    def mine(k):\n        yield from k.kvm_riscv_aia_free_hgei(0, 1)\n",
            "under a condition",
        ),
    ],
    "loops come to an end": [
        (free("yield STEP", "while not hgei: pass"), "put a `yield STEP` into it"),
        (free("yield STEP", "while True: cpu = 1"), "put a `yield STEP` into it"),
        (free("yield STEP", "while 1: k.nr_hgei(k.hgei[cpu])"), "put a `yield STEP` into it"),
        (take("yield STEP", "while vcpu.stop: hgei += 1"), "put a `yield STEP` into it"),
        (free("while k.hgei[cpu].owners[1]: continue", "yield STEP"), "put a `yield STEP` into"),
        (take("yield STEP", "while not READ_ONCE(vcpu.stop): pass"), "put a `yield STEP` into it"),
        (free("yield STEP", "while test_bit(hgei, k.hgei[cpu].free_bitmap): pass"), "into it"),
        (free("yield STEP", "n = 0", "while n < 10: cpu = n"), "put a `yield STEP` into it"),
        (
            "    def nr_hgei(k, h):\n        while not h.nr_hgei: pass\n        return 1\n",
            "comes to",
        ),
    ],
    "fields hold numbers": [
        (take("yield STEP", "vcpu.vsfile_cpu = None"), "-1 for none"),
        (take("yield STEP", "vcpu.vsfile_cpu = []"), "-1 for none"),
        (take("yield STEP", "vcpu.vsfile_cpu = {n: 1 for n in (1, 2)}"), "-1 for none"),
        (take("yield STEP", "vcpu.vsfile_cpu = 'none'"), "-1 for none"),
        (take("yield STEP", "vcpu.vsfile_cpu = 1.5"), "-1 for none"),
        (take("yield STEP", "vcpu.vsfile_cpu, vcpu.cpu = None, 3"), "-1 for none"),
        (take("yield STEP", "vcpu.cpu = vcpu.hvip = None"), "-1 for none"),
        (take("yield STEP", "vcpu.cpu = vcpu"), "the id for a vCPU"),
        (take("yield STEP", "n = None", "vcpu.cpu = n"), "-1 for none"),
        (take("yield STEP", "vcpu.cpu = k.nr_hgei"), "-1 for none"),
        (free("yield STEP", "k.hgei[cpu].owners[hgei] = None"), "-1 for none"),
        (take("yield STEP", "WRITE_ONCE(vcpu, 'cpu', None)"), "-1 for none"),
        (take("yield STEP", "xchg(vcpu, 'cpu', new='')"), "-1 for none"),
        (take("yield STEP", "setattr(vcpu, 'cpu', ())"), "-1 for none"),
    ],
    "references stay": [
        (take("yield STEP", "vcpu.vsfile_lock = None"), "write its fields"),
        (take("yield STEP", "vcpu.thread = current"), "write its fields"),
        (take("yield STEP", "setattr(vcpu, 'mutex', None)"), "write its fields"),
        (free("yield STEP", "k.hgei[cpu].lock = k.hgei[0].lock"), "write its fields"),
        (free("yield STEP", "k.hgei[cpu].owners = []"), "one after the other"),
    ],
    "new fields are fields": [
        ("    class Vcpu(Vcpu):\n        n: int\n" + take("yield STEP", "vcpu.n = 1"), "n: Field"),
    ],
    "checks get the kernel": [("    pass\ndef check():\n    return None\n", "def check(k):")],
    "checks say what is wrong": [
        ("    pass\ndef check(k):\n    return True\n", "else what is wrong"),
        ("    pass\ndef check(k):\n    return not k.vms and k.vcpus == []\n", "else what is wrong"),
        ("    pass\ndef check(k):\n    return all(h.cpu for h in k.hgei)\n", "else what is wrong"),
    ],
    "checks only look": [
        ("    pass\ndef check(k):\n    for v in k.vcpus[1:]: v.freed = 1\n", "in a local"),
        (
            "    pass\ndef check(k):\n    f(k.hgei[0])\ndef f(h: HgeiControl): h.owners[1] = 1\n",
            "in a local",
        ),
    ],
    "paths keep nothing that changes": [
        (FREE.replace("hgei)", "hgei, **rest)") + "        yield STEP\n", "name the parameters"),
        (FREE.replace("hgei)", "hgei, why=[])") + "        yield STEP\n", "a tuple of them"),
        (FREE.replace("hgei)", "hgei, *, why={})") + "        yield STEP\n", "a tuple of them"),
        (free("hs = k.hgei", "yield STEP", "return hs[0]"), "a tuple of them"),
        (free("f = lambda x: x", "yield STEP", "return f(1)"), "a tuple of them"),
        (free("def f(x): return x", "yield STEP", "return f(1)"), "in the class or the module"),
        (free("lines = [1, 2]", "yield STEP", "return lines[0]"), "a tuple of them"),
        (free("lines = {n: 1 for n in (1, 2)}", "if hgei: yield STEP"), "a tuple of them"),
        (free("while hgei: yield STEP", "g = (n for n in (1, 2))", "yield STEP"), "a tuple of"),
        (free("while hgei:", "    yield STEP", "    left = set()"), "a tuple of them"),
        (free("if hgei:", "    left: object = sorted(SEEN)", "yield STEP"), "a tuple of them"),
    ],
    "stdout is not written": [
        (free("sys.stdout.write('x')", "yield STEP") + "import sys\n", "print(...)"),
    ],
    "globals are not written": [
        (free("global TOTAL", "yield STEP", "TOTAL += 1"), "declared field"),
        (free("yield STEP", "SEEN.append(cpu)"), "declared field"),
        (free("yield STEP", "BY_CPU[cpu] = hgei"), "declared field"),
        (free("yield STEP", "BY_CPU[cpu].extend([hgei])").replace("BY_", "BY_"), "declared field"),
        (free("yield STEP", "del BY_CPU[cpu]"), "declared field"),
        (free("yield STEP", "n = next(NUMBERS)"), "declared field"),
        (free("yield STEP", "Mine.count = 1"), "declared field"),
        (free("yield STEP", "count(cpu)") + "def count(cpu):\n    SEEN.append(cpu)\n", "declared"),
    ],
    "kernel is not written": [
        (free("yield STEP", "k.halt_poll_ns_max = 1"), "declared field"),
        (free("yield STEP", "k.halt_poll_ns_max += 1"), "declared field"),
        ("    seen = []\n" + free("yield STEP", "k.seen.append(cpu)"), "declared field"),
        (take("yield STEP", "vcpu.vm.vcpus.pop()"), "declared field"),
    ],
}
CASES = [(rule, body, remedy) for rule, cases in MISTAKES.items() for body, remedy in cases]


@pytest.mark.parametrize(("rule", "body", "remedy"), CASES)
def test_a_mistake_is_reported_with_line_and_remedy(
    tmp_path: Path, rule: str, body: str, remedy: str
) -> None:
    mistakes = found(tmp_path, body)
    assert mistakes
    assert any(remedy in each for _, each in mistakes), mistakes
    first, last = HEAD.count("\n") + 1, (HEAD + body).count("\n")
    assert all(first <= int(where.removeprefix("line ")) <= last for where, _ in mistakes)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    monkeypatch.delitem(RULES, rule)
    for body, remedy in MISTAKES[rule]:
        mistakes = found(tmp_path, body)
        assert not any(remedy in each for _, each in mistakes), body


def test_all_mistakes_of_a_file_are_reported_together(tmp_path: Path) -> None:
    body = take("yield STPE", "vcpu.dying = 1", "k.kvm_vcpu_kick(current, vcpu)", "yield 5")
    assert [where for where, _ in found(tmp_path, body)] == [
        "line 10",
        "line 11",
        "line 12",
        "line 13",
    ]


def test_other_classes_of_the_file_are_not_looked_at(tmp_path: Path) -> None:
    assert found(tmp_path, free("yield STEP") + "class Other(Aia):\n" + free("yield 5")) == []


@pytest.mark.parametrize("command", ["run", "explore", "replay", "locks"])
def test_nothing_runs(tmp_path: Path, command: str) -> None:
    (tmp_path / "mine.py").write_text(HEAD + free("yield STEP", "k.hgei[cpu].lines = 1"))
    variant = f"v7.0+{tmp_path}/mine.py:Mine"
    words = {"run": ["run", "big-little"], "explore": ["explore", "patch-race"]}
    words |= {"replay": ["replay", "x"], "locks": ["locks", "check", "big-little"]}
    result = hgeisim(*words[command], "--variant", variant)
    assert (result.status, result.out) == (2, "")
    assert f"{tmp_path}/mine.py: line 11: k.hgei[cpu].lines: HgeiControl has no" in result.err


NO_PATH = "with `yield from ()`"
CLASS_MISTAKES = {
    "attributes override": [("    locks_are_stedy = False\n", '"locks_are_steady"')],
    "functions stay functions": [
        ("    take_line_away = None\n", NO_PATH),
        ("    nr_hgei = 3\n", "write `def nr_hgei(k, hgctrl)`"),
        ("    take_line_away: object = ()\n", NO_PATH),
        ("    take_line_away = lambda k, current, vcpu, hgei: None\n", NO_PATH),
        ("    take_line_away = lambda k: Aia.take_line_away(k)\n", NO_PATH),
        ("    take_line_away = Aia.kvm_riscv_aia_free_hgei\n", NO_PATH),
        ("    take_line_away = staticmethod(Aia.take_line_away)\n", NO_PATH),
        ("    class take_line_away:\n        pass\n", NO_PATH),
        ("    @property\n    def take_line_away(k):\n        return 1\n", NO_PATH),
        ("    @staticmethod\n" + take("yield STEP"), NO_PATH),
        ("    @classmethod\n" + take("return None"), NO_PATH),
        ("    def locks_are_steady(k):\n        return False\n", "locks_are_steady = True"),
    ],
    "structs stay structs": [
        ("    class Vcpu:\n        dying: int\n", "class Vcpu(structs.Vcpu)"),
        ("    class Vcpu(Vm):\n        dying: 'Field'\n", "class Vcpu(structs.Vcpu)"),
        ("    Globals = 5\n", "class Globals(structs.Globals)"),
        ("    class Vcpu(Vcpu):\n        lines: 'Array'\n", "a `Field` for each element"),
        ("    class Vcpu(Vcpu):\n        vgein: 'Field'\n", "give the new field another name"),
        ("    class Vcpu(Vcpu):\n        mutex: 'Field'\n", "give the new field another name"),
    ],
    "kernels are made": [
        ("    def __init__(k):\n        super().__init__()\n", "*args, **rest"),
        ("    def __init__(k, *args):\n        super().__init__(*args)\n", "*args, **rest"),
        ("    def __init__(k, *args, **rest):\n        k.mine = 1\n", "begin with `super()."),
    ],
}
CLASS_CASES = [(rule, *each) for rule, cases in CLASS_MISTAKES.items() for each in cases]


@pytest.mark.parametrize(("rule", "body", "remedy"), CLASS_CASES)
def test_a_mistake_of_a_class_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str, body: str, remedy: str
) -> None:
    """With line and remedy, and by one rule alone."""
    ((where, text),) = found(tmp_path, body)
    assert remedy in text
    assert HEAD.count("\n") < int(where.removeprefix("line ")) <= (HEAD + body).count("\n")
    monkeypatch.delitem(CLASS_RULES, rule)
    try:
        assert not any(remedy in each for _, each in found(tmp_path, body))
    except Exception as error:  # noqa: BLE001 - without the rule it is Python that fails
        assert rule not in ("attributes override", "functions stay functions"), error


def test_a_misspelt_attribute_of_a_class_is_reported(tmp_path: Path) -> None:
    mistakes = found(tmp_path, "    locks_are_stedy = False\n")
    assert mistakes == [("line 9", 'did you mean "locks_are_steady"?')]
    assert found(tmp_path, "    locks_are_steady = False\n    mine = 1\n") == []
