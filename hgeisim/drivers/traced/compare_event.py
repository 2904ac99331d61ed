"""Whether an event of the trace says what the model says at its probe."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.drivers.traced.observed_state import is_unknown, vsfile_told
from hgeisim.drivers.traced.possible_state import Hypothesis, LateRead
from hgeisim.drivers.traced.probed_call import Context, Probe
from hgeisim.errors import ModelError
from hgeisim.kernel.structs import ENOENT
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.interval import Event

_PAGE_SHIFT = 12


def contradictions(h: Hypothesis, context: Context, event: Event) -> Iterator[str]:
    """What does not fit between an event and the probe at which its call stands; a VS-file that it
    names is another matter, see `late_read`."""
    h.install()
    probe, told = context.probe, event.meaning
    if probe is None:
        raise ModelError("the call stands at no probe")
    if context.cpu != event.record.cpu and probe.name != "lread":
        yield f"is on CPU {event.record.cpu}, the call began on CPU {context.cpu}"
    if probe.name == "lread" and probe.cpu != event.record.cpu:
        yield f"is on CPU {event.record.cpu}, the VS-file is of CPU {probe.cpu}"
    pointer = getattr(told, "vcpu", None)
    model = h.world.k.vcpu(probe.vcpu) if probe.vcpu else None
    unknown = model is None or is_unknown(h, model)
    if pointer is not None and not unknown and model is not h.world.vcpus[pointer]:
        yield f"is about {h.world.vcpus[pointer]}, the model is about {model}"
    yield from _values(h, probe, told)


def _values(h: Hypothesis, probe: Probe, told: kvm.Meaning) -> Iterator[str]:
    """The values that are special to an event."""
    match told:
        case kvm.Alloc():
            yield from _differ("cpu", told.cpu, probe.cpu)
        case kvm.AllocReturn():
            yield from _differ("ret", told.result, probe.value)
            yield from _differ("cpu", told.cpu, probe.cpu)
        case kvm.Free() | kvm.FreeReturn() | kvm.Sweep():
            yield from _differ("cpu", getattr(told, "cpu", None), probe.cpu)
            yield from _differ("hgei", told.line, probe.line)
        case kvm.UpdateReturn():
            yield from _differ("ret", told.result, probe.value)
        case kvm.Map():
            yield from _page_differs(h, probe, told.hpa)
        case kvm.Wakeon():
            yield from _differ("en", int(told.enabled != 0), probe.value)


def late_read(h: Hypothesis, event: Event) -> LateRead | None:
    """The VS-file that an event names, if its vCPU does not have it in this state."""
    named = None if isinstance(event.meaning, kvm.Run) else vsfile_told(event.meaning)
    if named is None:
        return None
    h.install()
    read = LateRead(h.world.vcpus[named[0]], *named[1:], event.record.line)
    return None if read.is_true else read


def _differ(name: str, told: int | None, model: int) -> Iterator[str]:
    if told is not None and told != model:
        yield f"has {name}={told}, the model {name}={model}"


def _page_differs(h: Hypothesis, probe: Probe, hpa: int) -> Iterator[str]:
    """The pages of a CPU's guest files follow each other; its first one tells where they begin."""
    page = (hpa >> _PAGE_SHIFT) - probe.line
    base = h.world.pages.setdefault(probe.cpu, page)
    if page != base:
        model = base + probe.line << _PAGE_SHIFT
        yield f"has hpa={hpa:#x}, the model hpa={model:#x}, CPU {probe.cpu} line {probe.line}"
    elif any(other == page for cpu, other in h.world.pages.items() if cpu != probe.cpu):
        yield f"has hpa={hpa:#x}, a page of another CPU"


def described(h: Hypothesis, context: Context) -> str:
    """What the model does next in a call, as an event."""
    probe = context.probe
    if context.done:
        result = "" if context.result is None else f" {context.result}"
        return f"{context.function} has returned{result}"
    if probe is None or context.told:
        return f"{context.function} is under way"
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
        yield f"({h.world.k.vcpu(probe.vcpu).name})"
