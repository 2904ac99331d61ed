"""`hgeisim explore --series` and `--revisions`: several patches, searched and compared."""

from __future__ import annotations

from typing import Any

from hgeisim.cli.console import print_result, progress
from hgeisim.cli.process import EXIT_BUDGET, EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.errors import InputError, Problem
from hgeisim.library.series import REVISIONS, SERIES, series

SEARCHED = ("strategy", "walk", "steps", "seconds", "memory", "after")
ALONE = ("base", *SEARCHED, "races", "first", "mail", "finding", "full", "strict")
"""Options that are for a single kernel."""


def form_of(options: dict[str, Any]) -> str:
    """The form that is asked for: "series" or "revisions".

    Raises `InputError` where other options do not go with it.
    """
    forms = [form for form in (SERIES, REVISIONS) if options[form]]
    others = [name for name in ALONE if options[name]]
    if len(forms) > 1:
        allowed = "does not go with --series"
        remedy = "--series stacks the patches, --revisions puts each alone on the base"
        raise InputError([Problem("command line", "--revisions", "", allowed, remedy)])
    if others:
        allowed, remedy = f"does not go with --{forms[0]}", "leave it out, or explore one kernel"
        raise InputError([_given(name, options[name], allowed, remedy) for name in others])
    return forms[0]


def _given(name: str, value: Any, allowed: str, remedy: str) -> Problem:
    shown = "" if value is True else repr(value)
    return Problem("command line", f"--{name}", shown, allowed, remedy)


def explore(name: str, options: dict[str, Any]) -> int:
    """Explore and print; the exit status."""
    form = form_of(options)
    made = series(
        name,
        options[form],
        stacked=form == SERIES,
        progress=progress(),
        **{key: options[key] for key in ("variant", "preemption", "seed", "states")},
    )
    print_result(made, options["as_json"])
    if made.stopped is not None:
        raise made.stopped
    if made.document["verdict"] == "violation":
        return EXIT_FINDING
    return EXIT_BUDGET if made.document["coverage"] == "bounded" else EXIT_NOTHING_NEW
