"""Comparing an event of the trace with the probe that the model has reached."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.drivers.traced.observed_state import is_placeholder, named_vsfile
from hgeisim.drivers.traced.possible_state import Hypothesis, LateRead
from hgeisim.drivers.traced.probed_call import Call, Probe
from hgeisim.errors import ModelError
from hgeisim.kernel.structs import ENOENT
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.interval import Event

_PAGE_SHIFT = 12


def contradictions(h: Hypothesis, call: Call, event: Event) -> Iterator[str]:
    """Yield the contradictions between an event and the probe that its call has reached.

    They do not include a VS-file that the event names; see `late_read`.
    """
    h.install()
    probe, meaning = call.probe, event.meaning
    if probe is None:
        raise ModelError("the call has not reached a probe")
    if call.cpu != event.record.cpu and probe.name != "lread":
        yield f"is on CPU {event.record.cpu}, the call began on CPU {call.cpu}"
    if probe.name == "lread" and probe.cpu != event.record.cpu:
        yield f"is on CPU {event.record.cpu}, the VS-file is of CPU {probe.cpu}"
    pointer = getattr(meaning, "vcpu", None)
    model = h.booted.k.vcpu(probe.vcpu) if probe.vcpu else None
    unknown = model is None or is_placeholder(h, model)
    if pointer is not None and not unknown and model is not h.booted.vcpus[pointer]:
        yield f"is about {h.booted.vcpus[pointer]}, the model is about {model}"
    yield from _values(h, probe, meaning)


def _values(h: Hypothesis, probe: Probe, meaning: kvm.Meaning) -> Iterator[str]:
    """Compare the values that only this kind of event has."""
    match meaning:
        case kvm.Alloc():
            yield from _differ("cpu", meaning.cpu, probe.cpu)
        case kvm.AllocReturn():
            yield from _differ("ret", meaning.result, probe.value)
            yield from _differ("cpu", meaning.cpu, probe.cpu)
        case kvm.Free() | kvm.FreeReturn() | kvm.Sweep():
            yield from _differ("cpu", getattr(meaning, "cpu", None), probe.cpu)
            yield from _differ("hgei", meaning.line, probe.line)
        case kvm.UpdateReturn():
            yield from _differ("ret", meaning.result, probe.value)
        case kvm.Map():
            yield from _page_differs(h, probe, meaning.hpa)
        case kvm.Wakeon():
            yield from _differ("en", int(meaning.enabled != 0), probe.value)


def late_read(h: Hypothesis, event: Event) -> LateRead | None:
    """The VS-file that an event names, if its vCPU does not have it in this state."""
    named = None if isinstance(event.meaning, kvm.Run) else named_vsfile(event.meaning)
    if named is None:
        return None
    h.install()
    read = LateRead(h.booted.vcpus[named[0]], *named[1:], event.record.line)
    return None if read.is_true else read


def _differ(name: str, traced: int | None, model: int) -> Iterator[str]:
    if traced is not None and traced != model:
        yield f"has {name}={traced}, the model {name}={model}"


def _page_differs(h: Hypothesis, probe: Probe, hpa: int) -> Iterator[str]:
    """Compare a page: a CPU's guest files follow each other, from where its first one shows."""
    page = (hpa >> _PAGE_SHIFT) - probe.line
    base = h.booted.pages.setdefault(probe.cpu, page)
    if page != base:
        model = base + probe.line << _PAGE_SHIFT
        yield f"has hpa={hpa:#x}, the model hpa={model:#x}, CPU {probe.cpu} line {probe.line}"
    elif any(other == page for cpu, other in h.booted.pages.items() if cpu != probe.cpu):
        yield f"has hpa={hpa:#x}, a page of another CPU"


def described(h: Hypothesis, call: Call) -> str:
    """The next step of the model in a call, described as an event."""
    probe = call.probe
    if call.done:
        result = "" if call.result is None else f" {call.result}"
        return f"{call.function} has returned{result}"
    if probe is None or call.matched:
        return f"{call.function} is under way"
    h.install()
    return " ".join([f"{probe.name}:", *_arguments(h, probe)])


def _arguments(h: Hypothesis, probe: Probe) -> Iterator[str]:
    if probe.cpu >= 0:
        yield f"cpu={probe.cpu}"
    if probe.line >= 0:
        yield f"hgei={probe.line}"
    if probe.name in ("alloc_ret", "upd_ret"):
        yield f"ret={probe.value}{' (ENOENT)' if probe.value == -ENOENT else ''}"
    if probe.name == "wakeon":
        yield f"en={probe.value}"
    if probe.vcpu:
        yield f"({h.booted.k.vcpu(probe.vcpu).name})"
