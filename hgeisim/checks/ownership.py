"""The ownership of lines: the invariants around free_bitmap, owners[] and the VS-files.

A line is given back once, and only by its owner; no VS-file stays on a HART that is offline.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.checks.check import CallCheck, OfCpus, OfVcpus, OperationCheck, StateCheck, vcpus
from hgeisim.checks.finding import Finding, Moment
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import HgeiControl, Vcpu
from hgeisim.machine.hart import bit
from hgeisim.machine.shared import address_of, addresses
from hgeisim.machine.task import Runner


def vsfiles(k: Module) -> Iterator[int]:
    """Yield the addresses of all VS-files."""
    for vcpu in vcpus(k):
        yield from addresses(vcpu, "vsfile_cpu", "vsfile_hgei")
        if k.stores_apart:
            yield from addresses(vcpu.vsfile_lock, "writer")


def is_whole(k: Module, vcpu: Vcpu) -> bool:
    """Whether the VS-file of a vCPU is not being changed: where its two fields are stored one after
    the other, that is while nobody holds vsfile_lock for writing."""
    lock: Any = vcpu.vsfile_lock  # None once its VM is forgotten
    return not (k.stores_apart and lock and lock.writer)


def name_of(k: Module, owner: int) -> str:
    """The owner of a line as text."""
    return k.vcpu(owner).name if owner else "nobody"


class LinesCounted(OfCpus):
    """A HART that has lines hands some out, unless the common count says that no HART does.

    Source: kvm_riscv_aia_init (aia.c), which counts them; the series count them for each CPU.
    """

    def wrong(self, k: Module, hgctrl: HgeiControl) -> Iterator[Finding]:
        """Report a HART that is enabled and taken for one without lines."""
        lines = lines_of(k, hgctrl.cpu) if k.per_cpu[hgctrl.cpu].virtualization_enabled else 0
        if lines and k.globals.kvm_riscv_aia_nr_hgei and not k.nr_hgei(hgctrl):
            text = f"HART {hgctrl.cpu} has {lines} lines, and is taken for one without"
            yield Finding("line-refused", "hart", text)


class OneOwner(StateCheck[Module]):
    """No two vCPUs have the same VS-file.

    Source: owners[] of struct aia_hgei_control (aia.c), one vCPU for each line.
    """

    def watches(self, k: Module) -> Iterator[int]:
        """The VS-files of all vCPUs."""
        yield from vsfiles(k)

    def wrong(self, k: Module, subject: Module) -> Iterator[Finding]:
        """Report each line that two vCPUs have."""
        holder: dict[tuple[int, int], Vcpu] = {}
        for vcpu in vcpus(k):
            if not is_whole(k, vcpu):
                continue
            line = vcpu.vsfile_cpu, vcpu.vsfile_hgei
            if line[0] >= 0 and line in holder:
                yield Finding(
                    "double-owner",
                    "hgei",
                    f"HART {line[0]} line {line[1]} is the VS-file of {holder[line].name} "
                    f"and of {vcpu.name}",
                )
            holder[line] = vcpu


class BitmapAgrees(OfCpus):
    """free_bitmap and owners[] agree, and every owner is alive.

    Asked while the CPU is enabled and no context is inside the lock.
    Source: kvm_riscv_aia_alloc_hgei and kvm_riscv_aia_free_hgei (aia.c) change both together.
    """

    def watches(self, k: Module) -> Iterator[int]:
        """The HGEI control blocks, their locks, and whether vCPUs were freed."""
        for hgctrl in k.hgei:
            yield from addresses(hgctrl, "free_bitmap", "nr_hgei", "owners")
            yield from addresses(hgctrl.lock, "inside")
            yield from addresses(k.per_cpu[hgctrl.cpu], "virtualization_enabled")
        yield from addresses(k.globals)
        for vcpu in vcpus(k):
            yield from addresses(vcpu, "freed")

    def valid(self, k: Module, hgctrl: HgeiControl) -> bool:
        """The CPU is enabled, and no context is inside its lock."""
        return bool(k.per_cpu[hgctrl.cpu].virtualization_enabled and not hgctrl.lock.inside)

    def suspects(self, k: Module, hgctrl: HgeiControl) -> bool:
        """Whether the number of taken lines differs from that of owned ones."""
        owners, provisioned = hgctrl.owners, (2 << k.nr_hgei(hgctrl)) - 2
        taken = (provisioned & ~hgctrl.free_bitmap).bit_count()
        return bool(hgctrl.free_bitmap & 1) or taken != len(owners) - owners.count(0)

    def wrong(self, k: Module, hgctrl: HgeiControl) -> Iterator[Finding]:
        """Report disagreements of one CPU, in one finding when none of its lines is free or
        owned."""
        free_bitmap, last = hgctrl.free_bitmap, k.nr_hgei(hgctrl)
        if last and (free_bitmap & 1 or hgctrl.owners[0]):
            text = f"HART {hgctrl.cpu} has lines 1..{last}, and 0 is free or has an owner"
            yield Finding("bitmap-owner", "no-such-line", text)
        lines = range(1, min(last + 1, len(hgctrl.owners)))
        if len(lines) > 1 and not any(free_bitmap >> n & 1 or hgctrl.owners[n] for n in lines):
            text = f"HART {hgctrl.cpu} has none of {len(lines)} lines free, and nobody owns one"
            yield Finding("bitmap-owner", "all-lines", text)
            return
        for line in lines:
            owner, free = hgctrl.owners[line], free_bitmap >> line & 1
            place, state = f"HART {hgctrl.cpu} line {line}", "free" if free else "taken"
            if free != (owner == 0):
                text = f"{place} is {state} in free_bitmap, its owner is {name_of(k, owner)}"
                yield Finding("bitmap-owner", f"{state}-line", text)
            if owner and k.vcpu(owner).freed:
                text = f"{place} is owned by {name_of(k, owner)}, which was freed"
                yield Finding("dead-owner", f"{state}-line", text)


def lines_of(k: Module, cpu: int) -> int:
    """The lines of a HART that have a guest file behind them."""
    return k.topology.harts[cpu].whole_lines


def beyond(k: Module, cpu: int, hgei: int, what: str) -> Iterator[Finding]:
    """Report `what` happened with a line that a HART lacks, or that has no page in its region."""
    lines, files = k.hart[cpu].geilen, k.topology.harts[cpu].guest_files
    text = f"{what} {hgei} of HART {cpu}, which has"
    if hgei > lines:
        yield Finding("no-such-line", "hgei", f"{text} {lines}")
    elif hgei > files:
        yield Finding("no-such-file", "hgei", f"{text} guest files for {files}")


class LineExists(OfVcpus):
    """Every VS-file in use is one that the HART has.

    Source: privileged architecture, GEILEN; AIA specification, guest interrupt files of a region.
    """

    def watches(self, k: Module) -> Iterator[int]:
        """The VS-files of all vCPUs."""
        yield from vsfiles(k)

    def valid(self, k: Module, vcpu: Vcpu) -> bool:
        """Its VS-file is not being changed."""
        return is_whole(k, vcpu)

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a vCPU on a line that does not exist."""
        if vcpu.vsfile_cpu >= 0:
            what = f"{vcpu.name} was given line"
            yield from beyond(k, vcpu.vsfile_cpu, vcpu.vsfile_hgei, what)


class VsFileOwned(OfVcpus):
    """A vCPU owns the line of its VS-file, at every step.

    Source: imsic_update (aia_imsic.c), which frees the old line after it has left the file.
    """

    def watches(self, k: Module) -> Iterator[int]:
        """VS-files and owners."""
        yield from vsfiles(k)
        for hgctrl in k.hgei:
            yield from addresses(hgctrl, "owners")

    def valid(self, k: Module, vcpu: Vcpu) -> bool:
        """Its VS-file is not being changed."""
        return is_whole(k, vcpu)

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a vCPU whose line is somebody else's, or nobody's."""
        cpu, hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        if cpu >= 0 and k.hgei[cpu].owners[hgei] != vcpu.id:
            text = f"{vcpu.name} has HART {cpu} line {hgei}, which belongs to "
            yield Finding("not-owner", "hgei", text + name_of(k, k.hgei[cpu].owners[hgei]))


class NoLeak(OfCpus):
    """At the end, every taken line has an owner that names it.

    Source: imsic_update and imsic_release (aia_imsic.c), which free the line of a file they leave.
    """

    def watches(self, k: Module) -> Iterator[int]:
        """Owners and VS-files."""
        yield from VsFileOwned().watches(k)

    def wrong(self, k: Module, hgctrl: HgeiControl) -> Iterator[Finding]:
        """Report the lines of one CPU that can never be given back."""
        for line in range(1, len(hgctrl.owners)):
            owner, place = hgctrl.owners[line], (hgctrl.cpu, line)
            if owner and (k.vcpu(owner).vsfile_cpu, k.vcpu(owner).vsfile_hgei) != place:
                text = f"HART {hgctrl.cpu} line {line} stays with {name_of(k, owner)}, "
                yield Finding("leak", "hgei", text + "which does not use it")


DISABLE = "kvm_riscv_aia_disable"


class GivenBackOnce(CallCheck):
    """free_hgei is called for lines that are taken.

    Source: kvm_riscv_aia_free_hgei (aia.c), which sets the bit of a line that it finds clear.
    """

    about = "kvm_riscv_aia_free_hgei"

    def wrong(self, k: Module, cpu: int, hgei: int) -> Iterator[Finding]:
        """Report a line that is free before it is given back."""
        if 0 < hgei <= k.nr_hgei(k.hgei[cpu]) and k.hgei[cpu].free_bitmap & bit(hgei):
            text = f"HART {cpu} line {hgei} is given back, and is free already"
            yield Finding("double-free", "hgei", text)


class OnlyItsOwn(OperationCheck):
    """A CPU that goes away takes only VS-files that are on it.  Needs tracked memory.

    Source: kvm_riscv_aia_disable (aia.c), which releases the files of its own lines.
    """

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at the VS-files that the step took away."""
        if moment.entry != DISABLE or k.memory is None:
            return
        for vcpu in vcpus(k):
            address = address_of(vcpu, "vsfile_cpu")
            if address in moment.writes:
                yield from self.taken(moment.who, vcpu, k.memory.reads.get(address, -1))

    @staticmethod
    def taken(who: Runner, vcpu: Vcpu, old_cpu: int) -> Iterator[Finding]:
        """Report a VS-file that `who`, in aia_disable, took from another CPU."""
        if old_cpu >= 0 and old_cpu != who.cpu and vcpu.vsfile_cpu < 0:
            text = f"{who.name}, in aia_disable of CPU {who.cpu}, takes the VS-file of {vcpu.name}"
            yield Finding("foreign-release", "vsfile", f"{text}, which is on CPU {old_cpu}")


class NoneOffline(OfVcpus):
    """No vCPU has its VS-file on a HART that is offline.

    Source: kvm_riscv_aia_disable (aia.c), called before a CPU goes offline, releases all its lines.
    """

    def watches(self, k: Module) -> Iterator[int]:
        """Which HARTs are online, and the VS-files."""
        for hart in k.hart:
            yield from addresses(hart, "online")
        for vcpu in vcpus(k):
            yield from addresses(vcpu, "vsfile_cpu", "vsfile_hgei", "freed")

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a vCPU whose file has gone with its HART."""
        cpu = vcpu.vsfile_cpu
        if cpu >= 0 and not k.hart[cpu].online and not vcpu.freed:
            text = f"{vcpu.name} has line {vcpu.vsfile_hgei} of HART {cpu}, which is offline"
            yield Finding("now-on-offline", "vsfile", text)
