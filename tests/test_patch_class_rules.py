"""What a class of a patch puts in the place of a function or a struct is looked at, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim.patchrules import class_body
from tests.own_patches import HEAD, found, take

NO_PATH = "with `yield from ()`"
CLASS_MISTAKES = {
    "attributes override": [("    locks_are_stedy = False\n", "'locks_are_steady'")],
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
        ("    class Vcpu(Vcpu):\n        vgein: 'Field'\n", "call the new field otherwise"),
        ("    class Vcpu(Vcpu):\n        mutex: 'Field'\n", "call the new field otherwise"),
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
    (told,) = found(tmp_path, body)
    assert remedy in told[1]
    assert HEAD.count("\n") < int(told[0].removeprefix("line ")) <= (HEAD + body).count("\n")
    monkeypatch.delitem(class_body.RULES, rule)
    try:
        assert not any(remedy in each for _, each in found(tmp_path, body))
    except Exception as error:  # noqa: BLE001 - without the rule it is Python that fails
        assert rule not in ("attributes override", "functions stay functions"), error


def test_a_misspelt_attribute_of_a_class_is_reported(tmp_path: Path) -> None:
    told = found(tmp_path, "    locks_are_stedy = False\n")
    assert told == [("line 9", "did you mean 'locks_are_steady'?")]
    assert found(tmp_path, "    locks_are_steady = False\n    mine = 1\n") == []
