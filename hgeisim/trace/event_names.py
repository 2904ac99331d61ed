"""Names of events and arguments: the meaning of each event, and the argument for each field.

The built-in table has the usual names of probes and tracepoints.  Other names need a TOML file but
no code, with a table for each meaning (by its built-in name) that has another name:

    [alloc]
    event = "aia_alloc"      # the name of the probe
    vcpu = "owner"           # its argument `owner` is the vCPU
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from hgeisim.errors import InputError, Problem
from hgeisim.trace import kernel_event as kernel
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.ftrace import Record, arguments_of
from hgeisim.trace.kvm_event import Meaning, reader_of

MEANINGS: dict[str, type[Meaning]] = {
    "alloc": kvm.Alloc,
    "alloc_ret": kvm.AllocReturn,
    "free": kvm.Free,
    "free_ret": kvm.FreeReturn,
    "sgei": kvm.Sgei,
    "upd": kvm.Update,
    "upd_ret": kvm.UpdateReturn,
    "rel": kvm.Release,
    "rel_ret": kvm.ReleaseReturn,
    "dis": kvm.Disable,
    "dis_ret": kvm.DisableReturn,
    "en": kvm.Enable,
    "en_ret": kvm.EnableReturn,
    "ioremap": kvm.Map,
    "iounmap": kvm.Unmap,
    "lread": kvm.Sweep,
    "inject": kvm.Inject,
    "run": kvm.Run,
    "wakeon": kvm.Wakeon,
    "kick": kvm.Kick,
    "vload": kvm.Load,
    "fload": kvm.FullLoad,
    "vput": kvm.Put,
    "imput": kvm.ImsicPut,
    "sched_switch": kernel.Switch,
    "sched_waking": kernel.Waking,
    "sched_wakeup": kernel.Wakeup,
    "sched_wakeup_new": kernel.Wakeup,
    "sched_migrate_task": kernel.MoveTask,
    "cpuhp_enter": kernel.HotplugStep,
    "cpuhp_multi_enter": kernel.HotplugStep,
    "cpuhp_exit": kernel.HotplugStepReturn,
    "ipi_send_cpu": kernel.IpiSend,
    "ipi_send_cpumask": kernel.IpiSendMany,
    "ipi_raise": kernel.IpiRaise,
    "ipi_entry": kernel.IpiEntry,
    "ipi_exit": kernel.IpiExit,
    "csd_queue_cpu": kernel.CallQueued,
    "csd_function_entry": kernel.CallEntry,
    "csd_function_exit": kernel.CallExit,
    "lock_acquire": kernel.LockAcquire,
    "lock_release": kernel.LockRelease,
    "lock_contended": kernel.LockContended,
    "tracing_mark_write": kernel.Mark,
}
"""The meaning of each event, by its built-in name."""

_CACHED = 1 << 16
"""Number of different texts whose meaning is kept: vCPUs do the same things again and again."""


@dataclass(frozen=True)
class Column:
    """A field of a meaning: its name, its argument, its reader, and whether it may be missing."""

    name: str
    argument: str
    read: Callable[[str], int | str]
    optional: bool


class Unreadable(ValueError):
    """The arguments of an event make no sense: value found, allowed values, remedy."""


class Events:
    """The table of events, by their names in a trace.

    `names` renames the event of a meaning (`{"alloc": "aia_alloc"}`), `arguments` the argument of a
    field (`{"alloc": {"vcpu": "owner"}}`).
    """

    def __init__(
        self,
        names: Mapping[str, str] | None = None,
        arguments: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        other_names, other_arguments = names or {}, arguments or {}
        self.meaning: dict[str, type[Meaning]] = {}
        self._columns: dict[str, tuple[Column, ...]] = {}
        for built_in, cls in MEANINGS.items():
            event = other_names.get(built_in, built_in)
            self.meaning[event] = cls
            self._columns[event] = columns_of(cls, other_arguments.get(built_in, {}))
        self._read_cached = lru_cache(_CACHED)(self._read)

    def decode(self, record: Record, file: str) -> Meaning | None:
        """Return the meaning of a record; None for an event that is not in the table.

        InputError: an argument is missing or has an impossible value.
        """
        if record.event not in self.meaning:
            return None
        try:
            return self._read_cached(record.event, record.text)
        except Unreadable as error:
            where = f"line {record.line}, event {record.event}"
            raise InputError([Problem(file, where, *error.args)]) from None

    def _read(self, event: str, text: str) -> Meaning:
        cls, columns = self.meaning[event], self._columns[event]
        given = _arguments(cls, text) if columns else {}
        values: dict[str, Any] = {}
        for column in columns:
            argument = given.get(column.argument)
            if argument is not None:
                try:
                    values[column.name] = column.read(argument)
                except ValueError as error:
                    value = ascii(f"{column.argument}={argument}")[1:-1]
                    raise Unreadable(value, str(error)) from None
            elif not column.optional:
                there = ", ".join(given) or "none"
                allowed = f"has no argument '{column.argument}'; it has: {there}"
                raise Unreadable("", ascii(allowed)[1:-1], "--events FILE.toml gives other names")
        return cls(**values)


def columns_of(cls: type[Meaning], arguments: Mapping[str, str]) -> tuple[Column, ...]:
    """Return the fields of a meaning; `arguments` has the arguments of the renamed ones."""
    hints = get_type_hints(cls, include_extras=True)
    found = []
    for each in fields(cls):  # type: ignore[arg-type]  # every meaning is a dataclass
        hint, built_in = hints[each.name], each.name
        if get_origin(hint) is Annotated:
            hint, built_in = get_args(hint)
        kinds = [kind for kind in get_args(hint) if kind is not NoneType] or [hint]
        argument, optional = arguments.get(each.name, built_in), each.default is not MISSING
        found.append(Column(each.name, argument, reader_of(kinds[0]), optional))
    return tuple(found)


def _arguments(cls: type[Meaning], text: str) -> dict[str, str]:
    """Read the arguments; those of a few tracepoints have no names, only places."""
    pattern = getattr(cls, "PATTERN", None)
    if pattern is None:
        return arguments_of(text)
    found = re.fullmatch(pattern, text)
    return found.groupdict() if found else {}
