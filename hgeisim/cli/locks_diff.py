"""`hgeisim locks diff`: two lock orders side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.options import complete_kernels
from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW

if TYPE_CHECKING:
    from hgeisim.lockorder.baseline.baseline import Baseline


@click.command("diff", short_help="Compare two kernels, baselines, or /proc/lockdep.")
@click.argument("a", shell_complete=complete_kernels)
@click.argument("b", shell_complete=complete_kernels)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(a: str, b: str, as_json: bool) -> int:
    """Tell how the lock order B differs from A.

    Each is a baseline file, a kernel (v7.1, v7.1+my-patch.py:MyPatch), or a copy of /proc/lockdep
    of a real kernel, plain or .gz.  `+` is in B only, `-` in A only, `~` has changed.  Against
    /proc/lockdep only classes that both have are compared, without their use in softirqs, which the
    model does not have.  A dependency of the model counts as there when it follows from others,
    since that file leaves out those at a distance.  A kernel without a baseline is run in the
    scenarios of the other one.

    \b
    Example:
      hgeisim locks diff v6.12 v7.1
      hgeisim locks diff /proc/lockdep v6.12

    Exit status: 0 they are the same, 1 they differ, 2 one of them is malformed.
    """
    from hgeisim.cli.console import print_json  # noqa: PLC0415 - late, for a quick --help
    from hgeisim.cli.lock_source import lock_orders_of  # noqa: PLC0415

    before, after = lock_orders_of(a, b)
    rows = list(_rows(before, after))
    shared = _common(before, after)
    if as_json:
        facts: dict[str, Any] = {"a": before.kernel, "b": after.kernel, "common": shared}
        facts["scenarios"] = {"a": before.scenarios, "b": after.scenarios}
        print_json({**facts, "differences": [dict(zip(_KEYS, row, strict=True)) for row in rows]})
    else:
        click.echo("\n".join(_text(before, after, shared, rows)))
    return EXIT_FINDING if rows else EXIT_NOTHING_NEW


_KEYS = ("sign", "what", "name", "detail")
Row = tuple[str, str, str, str]


def _is_dump(order: Baseline) -> bool:
    return any(cls.kind == "?" for cls in order.classes.values())


def _common(before: Baseline, after: Baseline) -> list[str]:
    from hgeisim.lockorder.baseline.proc_lockdep import common  # noqa: PLC0415

    return common(before, after)


def _rows(before: Baseline, after: Baseline) -> Iterator[Row]:
    from hgeisim.lockorder.baseline.baseline import compare, edge_detail  # noqa: PLC0415
    from hgeisim.lockorder.baseline.proc_lockdep import (  # noqa: PLC0415
        differing_usage,
        hides_some,
        lacking_in_kernel,
        lacking_in_model,
    )

    if _is_dump(before) == _is_dump(after):
        yield from ((d.sign, d.what, d.name, d.detail) for d in compare(before, after))
        return
    dump, model, sign = (before, after, "-") if _is_dump(before) else (after, before, "+")
    other = "+" if sign == "-" else "-"
    for name in differing_usage(dump, model):
        a, b = before.classes[name].usage, after.classes[name].usage
        yield "~", "usage", name, f"{{{a}}} -> {{{b}}}"
    for pair in lacking_in_model(dump, model):
        yield sign, "edge", " < ".join(pair), "the real kernel has it, the model does not"
    for pair in lacking_in_kernel(dump, model):
        hidden = "; maybe there, not all is printed" if hides_some(dump, pair[0]) else ""
        detail = f"the model has it: {edge_detail(model.edges[pair])}{hidden}"
        yield other, "edge", " < ".join(pair), detail


def _seen_in(a: Sequence[str], b: Sequence[str]) -> str:
    """Whether two lock orders were seen in the same scenarios; else a difference may be theirs."""
    if sorted(a) == sorted(b):
        return f"both from the same scenarios ({len(a)})"
    only = [
        ("a", [each for each in a if each not in b]),
        ("b", [each for each in b if each not in a]),
    ]
    named = "; ".join(f"only {side}: {', '.join(names)}" for side, names in only if names)
    return f"not from the same scenarios ({named}): what one of them shows, the other may lack"


def _text(before: Baseline, after: Baseline, shared: list[str], rows: list[Row]) -> Iterator[str]:
    from hgeisim.report.layout import count, indented  # noqa: PLC0415

    yield from indented(f"a: {before.kernel}, b: {after.kernel}", 0)
    if before.scenarios and after.scenarios:
        yield from indented(_seen_in(before.scenarios, after.scenarios), 0, 6)
    if _is_dump(before) != _is_dump(after):
        yield from indented(f"common: {', '.join(shared) or 'nothing'}", 0)
    for sign, what, name, detail in rows:
        yield from indented(f"{sign} {what} {name}" + (f"  {detail}" if detail else ""), 0, 6)
    yield count(len(rows), "difference") if rows else "no difference"
