"""Functions of the project's own object, run alone: results, and requests on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.object.arithmetic import HALF, WORD, quotient, remainder, s32, s64
from hgeisim.object.object_code import GUARD, KernelFault
from hgeisim.object.request import Access, Call, Csr, Done, Preempt, ThisCpu
from tests.object.toy import RUNNER, Alone, code, field, image, pool, user

BUILDS = ("pool.o", "pool-zbb.o")
WORDS = st.one_of(
    st.integers(0, WORD),
    st.sampled_from([0, 1, 2, WORD, WORD - 1, 1 << 63, (1 << 63) - 1, HALF, 1 << 31, 1 << 32]),
)
WEIGHTS = (3, 5, 7, 11)


def mixed(a: int, b: int, how: int) -> int:
    """pool_mix of pool.c, by the rules of C."""
    low, high = b & 63, -b & 63
    return [
        lambda: a // (b | 1) + a % (b | 1),
        lambda: quotient(s64(a), s64(b | 2)) ^ s64(a) >> low,
        lambda: (a & HALF) * (b & HALF) % (1 << 32) + s32(a - b),
        lambda: s64(a) * s64(b) >> 64,
        lambda: a * b >> 64,
        lambda: a << low | a >> high,
        lambda: a.bit_count() + 64 - (b | 1).bit_length() + ((a | 8) & -(a | 8)).bit_length() - 1,
        lambda: a & ~b if s64(a) < s64(b) else a | ~b,
        lambda: (a & 0x7FFF) - (a & 0x8000) + (b & 0x7F) - (b & 0x80) + (b & 0xFFFF),
        lambda: (a << (b & 31)) + (s32(a) >> (b & 31)) + WEIGHTS[a & 3] & HALF,
        lambda: (a & HALF) // (b & HALF | 1) + remainder(s32(a), s32(b | 1)),
        lambda: (a ^ ~b) + int.from_bytes(a.to_bytes(8, "little"), "big"),
        lambda: max(s64(a), s64(b)) - min(a, b),
    ][how]() & WORD  # fmt: skip


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("how", range(13))
def test_computes_as_c_does(build: str, how: int) -> None:
    made = Alone(code(build))

    @given(WORDS, WORDS)
    def check(a: int, b: int) -> None:
        assert made.call("pool_mix", a, b, how) & WORD == mixed(a, b, how)

    check()


def test_allocates_a_line_under_its_lock() -> None:
    made = Alone(code())
    owner = user(made.code, 7)
    assert made.call("pool_alloc", 1, owner) == 1
    control = pool(made.code, 1)
    assert field(made.code, control, "line_control", "free_bitmap") == 0b1100
    assert made.code.shared.load(control + 24, 8) == owner
    assert field(made.code, owner, "user", "line") == 1
    assert field(made.code, owner, "user", "cpu") == 1
    assert made.code.shared.load(made.code.image.symbols["handed_out"], 8) == 2
    names = [each.name for each in made.requests if isinstance(each, Call)]
    names.remove("__ctzdi2")
    assert names == ["_raw_spin_lock_irqsave", "_raw_spin_unlock_irqrestore"]
    others = field(made.code, pool(made.code, 0), "line_control", "free_bitmap")
    assert others == 0b1110


def test_each_shared_access_is_a_step() -> None:
    made = Alone(code())
    owner = user(made.code, 7)
    made.call("pool_alloc", 0, owner)
    steps = [each for each in made.requests if isinstance(each, Access)]
    control = pool(made.code, 0)
    free = control + made.code.debug.offset("line_control", "free_bitmap")
    assert steps[0] == Access(free, 8)
    assert Access(free, 8, writes=True) in steps
    assert steps[-1] == Access(made.code.image.symbols["handed_out"], 8, writes=True)


def test_no_line_is_left() -> None:
    made = Alone(code())
    owner = user(made.code, 1)
    assert [made.call("pool_alloc", 0, owner) for _ in range(4)] == [1, 2, 3, -2]


def test_finds_a_line_on_its_own_cpu_without_preemption() -> None:
    made = Alone(code(), cpu=1)
    owners = [user(made.code, i) for i in range(3)]
    for owner in owners:
        made.call("pool_alloc", 1, owner)
    made.requests.clear()
    assert made.call("pool_find", owners[2]) == 3
    kinds = [type(each) for each in made.requests]
    assert kinds[:2] == [Preempt, ThisCpu]
    assert made.requests[-2] == Preempt(off=False)
    assert made.call("pool_find", user(made.code, 9)) == -1
    made.cpu = 0
    assert made.call("pool_find", owners[2]) == -1


def test_an_interrupt_writes_to_the_stack_of_its_sender() -> None:
    made = Alone(code())
    sender, seen = Alone(made.code), list[int]()
    target = Alone(made.code, cpu=1)
    target.registers[0xE12] = 0b1110

    def send(condition: int, function: int, info: int, wait: int, mask: int, *_: int) -> int:
        seen.append(made.code.shared.constant(mask, 8) or 0)
        target.call(function, info, runner=RUNNER + 1)
        return 0

    sender.calls.on_each_cpu_cond_mask = send
    assert sender.call("pool_read", 1, 2) == 0b100
    assert seen == [0b10]
    assert Csr(0xE12, "read", 0) in target.requests
    assert not any(made.code.memory.cells[cell] for cell in stack_cells(made))


def stack_cells(made: Alone) -> list[int]:
    """The cells of words of stacks; none holds anything once nobody is shown a stack."""
    return [i for i, name in enumerate(made.code.memory.names) if name.startswith("stack")]


def test_a_loop_of_lr_and_sc_is_one_step() -> None:
    made = Alone(code())
    word = made.code.allocate(8, "word")
    made.code.shared.store_bytes(word, 8, 0xFF00FF00FF00FF00)
    assert made.call("pool_swap", word, 0x1234, 0xFFFF) & WORD == 0xFF00FF00FF00FF00
    assert made.code.shared.load(word, 8) == 0xFF00FF00FF001234
    assert [each for each in made.requests if isinstance(each, Access)] == [
        Access(word, 8, writes=True)
    ]


@pytest.mark.parametrize("build", BUILDS)
def test_copies_word_by_word(build: str) -> None:
    made = Alone(code(build))
    who, counts = user(made.code, 1), made.code.allocate(16, "counts")
    made.code.shared.store_bytes(counts, 8, 5)
    made.code.shared.store_bytes(counts + 8, 8, 7)
    assert made.call("pool_add", who, counts) == 35
    steps = [each.address for each in made.requests if isinstance(each, Access)]
    assert steps[:2] == [counts, counts + 8]
    assert field(made.code, who, "user", "counts") == 5 | 7 << 64


def test_what_was_done_once_is_not_interpreted_again() -> None:
    made = Alone(code())
    owner = user(made.code, 1)
    assert made.call("pool_find", owner) == -1
    before = made.code.goes
    assert made.call("pool_find", owner) == -1
    assert made.code.goes == before
    made.call("pool_alloc", 0, owner)
    assert made.call("pool_find", owner) == 1


def test_a_null_pointer_is_a_fault_with_its_function_and_line() -> None:
    made = Alone(code())
    with pytest.raises(
        KernelFault, match=r"pool_alloc: NULL dereference, offset 0x4 \(pool\.c:\d+"
    ):
        made.call("pool_alloc", 0, 0)


def test_a_stray_pointer_is_a_fault() -> None:
    made = Alone(code())
    with pytest.raises(KernelFault, match="pool_follow: nothing is mapped at 0x123450000"):
        made.call("pool_follow", 0x123450000)
    with pytest.raises(KernelFault, match="8 bytes at"):
        made.call("pool_swap", made.code.allocate(16, "word") + 4, 1, 1)


def test_a_loop_without_end_is_a_fault() -> None:
    made = Alone(code())
    who = user(made.code, 3)
    made.code.shared.fix(who, 4, 3)
    made.code.shared.fix(who + made.code.debug.offset("user", "next"), 8, who)
    with pytest.raises(KernelFault, match="instructions without a shared access"):
        made.call("pool_follow", who)


def test_the_end_of_a_function_remembers_its_value_only() -> None:
    made = Alone(code())
    made.call("pool_follow", 0)
    done = made.requests[-1]
    assert done == Done(0, 0)


def test_a_function_is_not_over_before_its_tail_call() -> None:
    with pytest.raises(KernelFault) as fault:
        Alone(code("stack.o")).call("stack_left_over")
    assert fault.value.functions == ("stack_left_over", "left_over", "chosen")


def test_the_guard_of_a_protected_stack_has_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """-fstack-protector reads it on the way in and out; the kernel's own code defines it."""
    place = 0x7000_0000
    monkeypatch.setitem(image("pool.o").symbols, "__stack_chk_guard", place)
    made = code()
    assert made.shared.load(place, 8) == GUARD
