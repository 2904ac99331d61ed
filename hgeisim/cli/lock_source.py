"""Where `hgeisim locks` gets a lock order from: a file, a baseline that is here, or a survey."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hgeisim.errors import InputError, Problem
from hgeisim.user_file import is_file, read_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from hgeisim.drivers.lock_survey import Survey
    from hgeisim.lockorder.baseline.baseline import Baseline
    from hgeisim.scenario.schema import Scenario


def surveyed(names: Sequence[str], variant: str | None, realtime: bool = False) -> Survey:
    """Learn from scenarios; without names from those that show between them all there is."""
    from hgeisim.drivers.lock_survey import survey  # noqa: PLC0415 - late: --help
    from hgeisim.scenario.find import surveyed_names  # noqa: PLC0415

    loaded = [(name, _load(name, variant, realtime)) for name in names or surveyed_names()]
    with _progress() as progress:
        return survey(loaded, progress)


def _load(name: str, variant: str | None, realtime: bool) -> Scenario:
    from hgeisim.kernel.variants import variant_problem  # noqa: PLC0415
    from hgeisim.scenario.load import load_scenario  # noqa: PLC0415

    own = {"variant": variant, "preemption": "rt" if realtime else None}
    scenario = load_scenario(name, own, variant_problem)
    if scenario.kernel.realtime and not realtime:
        return load_scenario(name, {**own, "preemption": "full"}, variant_problem)
    return scenario


def baseline_of(found: Survey, variant: str) -> Baseline:
    """A survey as a baseline that accepts what has a name and a reason already."""
    from hgeisim.checks.known import known  # noqa: PLC0415
    from hgeisim.lockorder.baseline.baseline import learned  # noqa: PLC0415

    realtime = True in found.validators
    entries = {finding: known(finding, variant, realtime) for finding in found.findings()}
    reasons = {f: f"{entry.name}: {entry.reason}" for f, entry in entries.items() if entry}
    validators = [validator.known for validator in found.validators.values()]
    return learned(validators, variant, found.scenarios, reasons)


def lock_order_of(word: str, scenarios: Sequence[str] = ()) -> Baseline:
    """The lock order that a word names: a file, a variant with a baseline here, or any variant,
    which is surveyed in some scenarios."""
    return _at_hand(word) or baseline_of(surveyed(scenarios, _known(word)), word)


def lock_orders_of(a: str, b: str) -> tuple[Baseline, Baseline]:
    """Two lock orders to compare: one that has to be surveyed is, in the scenarios of the other."""
    first, second = _at_hand(a), _at_hand(b)
    here = first or second
    scenarios = here.scenarios if here else ()
    return first or lock_order_of(a, scenarios), second or lock_order_of(b, scenarios)


def _at_hand(word: str) -> Baseline | None:
    """The lock order of a file, or of a variant with a baseline here."""
    from hgeisim.lockorder.baseline.baseline_file import (  # noqa: PLC0415
        baseline_from,
        read_baseline,
        shipped_path,
    )
    from hgeisim.lockorder.baseline.proc_lockdep import dump_from, is_dump  # noqa: PLC0415
    from hgeisim.machine.kernel_name import present_id  # noqa: PLC0415

    if is_file(word):
        text = read_text(Path(word))
        return dump_from(text, word) if is_dump(text) else baseline_from(text, word, present_id)
    path = shipped_path(word)
    return read_baseline(path, present_id) if path is not None else None


def _known(word: str) -> str:
    from hgeisim.cli.own_patch import execute  # noqa: PLC0415
    from hgeisim.kernel.variants import variant_problem  # noqa: PLC0415
    from hgeisim.lockorder.baseline.baseline_file import shipped_names  # noqa: PLC0415

    execute(word)
    wrong = variant_problem(word)
    if wrong:
        here = ", ".join(shipped_names())
        allowed = f"is no file, no baseline of those here ({here}), and no kernel: {wrong}"
        raise InputError([Problem("command line", "", repr(word), allowed)])
    return word


def known_kernel(order: Baseline, word: str) -> str:
    """The kernel that a lock order is of, if it can be run; `word` is how the command line calls
    the lock order."""
    from hgeisim.kernel.variants import variant_problem  # noqa: PLC0415

    if wrong := variant_problem(order.kernel):
        raise InputError([Problem(word, "kernel", repr(order.kernel), wrong)])
    return order.kernel


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """On a terminal, show which scenario runs."""
    import sys  # noqa: PLC0415

    from hgeisim.cli.console import console  # noqa: PLC0415

    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with console(sys.stderr).status("learning") as status:
        yield lambda name: status.update(f"learning from {name}")
