"""The list of all rules, and the mistakes that they find in a patch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hgeisim.patchrules.fields import fields_are_there, named_fields_are_there, names_are_there
from hgeisim.patchrules.hidden_state import (
    globals_are_not_written,
    kernel_is_not_written,
    paths_keep_nothing_that_changes,
)
from hgeisim.patchrules.invariant import (
    checks_get_the_kernel,
    checks_only_look,
    checks_say_what_is_wrong,
)
from hgeisim.patchrules.mistake import Mistake
from hgeisim.patchrules.operations import (
    answers_are_yielded,
    arguments_fit,
    operations_are_not_called,
    operations_are_yielded,
    paths_are_delegated_to,
    paths_are_not_yielded,
    paths_are_run,
)
from hgeisim.patchrules.overrides import (
    CLASS_RULES,
    is_a_path_alike,
    is_called_alike,
    overrides_something,
)
from hgeisim.patchrules.patch_file import PatchFile
from hgeisim.patchrules.subject import Scope, Specimen, Subject
from hgeisim.patchrules.termination import functions_come_to_an_end, loops_come_to_an_end
from hgeisim.patchrules.writes import (
    fields_hold_numbers,
    new_fields_are_fields,
    references_stay,
    stdout_is_not_written,
)
from hgeisim.patchrules.yields import no_open_block, yields_stand_alone

RULES: dict[str, Callable[[Subject], Iterator[Mistake]]] = {
    "overrides something": overrides_something,
    "is called alike": is_called_alike,
    "is a path alike": is_a_path_alike,
    "yields stand alone": lambda subject: yields_stand_alone(subject.node),
    "no open block": lambda subject: no_open_block(subject.node),
    "paths are run": paths_are_run,
    "paths are not yielded": paths_are_not_yielded,
    "arguments fit": arguments_fit,
    "operations are yielded": operations_are_yielded,
    "operations are not called": operations_are_not_called,
    "answers are yielded": answers_are_yielded,
    "paths are delegated to": paths_are_delegated_to,
    "fields are there": fields_are_there,
    "named fields are there": named_fields_are_there,
    "names are there": names_are_there,
    "functions come to an end": functions_come_to_an_end,
    "loops come to an end": loops_come_to_an_end,
    "fields hold numbers": fields_hold_numbers,
    "references stay": references_stay,
    "new fields are fields": new_fields_are_fields,
    "checks get the kernel": checks_get_the_kernel,
    "checks say what is wrong": checks_say_what_is_wrong,
    "checks only look": checks_only_look,
    "paths keep nothing that changes": paths_keep_nothing_that_changes,
    "stdout is not written": stdout_is_not_written,
    "globals are not written": globals_are_not_written,
    "kernel is not written": kernel_is_not_written,
}
OF_PATHS = ("yields stand alone", "no open block", "operations are yielded")
"""Rules for functions that yield to the machine: a check may yield its texts."""


def mistakes(file: PatchFile) -> list[Mistake]:
    """The mistakes of a patch, in the order of their lines.

    Raises whatever the patch raises when a kernel is made of it.
    """
    found = [each for rule in CLASS_RULES.values() for each in rule(file)]
    try:
        specimen = Specimen(file.kernel)
    except Exception:
        if found:  # the mistakes of its classes may be why no kernel can be made
            return _in_order(found)
        raise
    for function in file.functions:
        subject = Subject(file, function, specimen, Scope(function, file.names, specimen))
        skipped = OF_PATHS if function.is_asked else ()
        rules = (rule for name, rule in RULES.items() if name not in skipped)
        found += (each for rule in rules for each in rule(subject))
    return _in_order(found)


def _in_order(found: list[Mistake]) -> list[Mistake]:
    unique = {(each.line, each.text): each for each in found}
    return sorted(unique.values(), key=lambda each: each.line)
