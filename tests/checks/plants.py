"""The table of planted faults: on which base, in which scenario, and the ids that each gives."""

from __future__ import annotations

from typing import NamedTuple

from hgeisim.scenario.load import scenario_from
from hgeisim.scenario.schema import Scenario
from tests.checks import planted, planted_answers

VM = {"vm": "vm"}
"""All vCPUs are of one VM."""
IN_DISABLE = "preemption off in kvm_riscv_aia_disable"
IN_UPDATE = "preemption off in kvm_riscv_vcpu_aia_imsic_update"
IN_REQUESTS = "preemption off in kvm_riscv_check_vcpu_requests"
IN_HARDIRQ = "hardirq in kvm_riscv_aia_disable"
LOCKS = ("imsic->vsfile_lock", "kvm->mmu_lock", "vcpu->hfence_lock")
OFF, ON = "IN-HARDIRQ-W", "HARDIRQ-ON-W"


class Plant(NamedTuple):
    """A fault on a base, the ids that it gives, and a scenario in which the base shows none of
    them: what each vCPU and each task does, by `name@HART`.

    `instead`: the base does show them, and with the fault does not do any more what leads there.
    """

    fault: type
    base: str
    does: dict[str, str]
    ids: tuple[str, ...]
    harts: int = 2
    files: int = 1
    preemption: str = "full"
    vcpus: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    instead: bool = False

    @property
    def variant(self) -> str:
        """The base with the fault."""
        return f"{self.base}+planted"

    @property
    def realtime(self) -> bool:
        """Whether it is a kernel with PREEMPT_RT."""
        return self.preemption == "rt"

    def scenario(self, variant: str) -> Scenario:
        """The scenario on a variant."""
        vcpus, tasks = list[dict[str, object]](), list[dict[str, object]]()
        for key, does in self.does.items():
            name, _, cpu = key.partition("@")
            actions = {"does": does.split(", ")}
            if name:
                vcpus.append({"name": name, "hart": int(cpu), **self.vcpus})
            if name and does:
                tasks.append({"name": f"vcpu/{name}", "vcpu": name, **actions})
            elif does:
                tasks.append({"name": f"task/{cpu}", "hart": int(cpu), **actions})
        return scenario_from(
            {
                "machine": {"harts": [{"count": self.harts, "guest_files": self.files}]},
                "kernel": {"variant": variant, "preemption": self.preemption},
                "run": {"until": "1ms"},
                "vcpu": vcpus,
                "task": tasks,
            }
        )


MOVES = {"v1@0": "migrate 1, run"}
MOVES_WHILE_OFFLINE = {**MOVES, "@2": "offline 2"}
"""The HART that goes offline has nothing to do with the vCPU."""
TAKEN_AWAY = {"v1@0": "", "@0": "offline 0"}
SLEEPS = {"v1@0": "block", "@1": "msi v1"}
SLEEPS_AGAIN = {"v1@0": "block, run, block", "@1": "msi v1"}
PLANTS = {
    "v6.12 handler deafens": Plant(planted.HandlerDeafens, "v6.12", SLEEPS_AGAIN, ("deaf:vcpu",)),
    "v6.16 handler deafens": Plant(planted.HandlerDeafens, "v6.16", SLEEPS_AGAIN, ("deaf:vcpu",)),
    "v6.12 nobody arms": Plant(
        planted.NobodyArms, "v6.12", {"v1@0": "block"}, ("deaf:vcpu",), harts=1
    ),
    "v6.16 nobody arms": Plant(
        planted.NobodyArms, "v6.16", {"v1@0": "block"}, ("deaf:vcpu",), harts=1
    ),
    "pends unmasked": Plant(
        planted.PendsUnmasked,
        "v7.0",
        {"v1@0": "block", "@1": "sbi_ipi v1"},
        ("level:software", "lost-wakeup:software"),
    ),
    "handler reads": Plant(
        planted.HandlerReads,
        "v6.12",
        SLEEPS,
        ("sleep-in-atomic:imsic->vsfile_lock",),
        preemption="rt",
    ),
    "handler unmaps": Plant(
        planted.HandlerUnmaps,
        "v6.12",
        SLEEPS,
        ("sleep-in-atomic:kvm->mmu_lock", "sleep-in-atomic:vcpu->hfence_lock"),
        preemption="rt",
    ),
    "disable takes all": Plant(
        planted.DisableTakesAll,
        "v7.0",
        {"v1@0": "", "@1": "offline 1"},
        tuple(f"wait-context:{lock} {IN_DISABLE}" for lock in LOCKS),
        preemption="rt",
    ),
    "update takes all": Plant(
        planted.UpdateTakesAll,
        "v7.0",
        {"v1@0": "run"},
        tuple(f"wait-context:{lock} {IN_UPDATE}" for lock in LOCKS),
        preemption="rt",
        vcpus={"mode": "emul"},
    ),
    "requests take all": Plant(
        planted.RequestsTakeAll,
        "v7.0",
        MOVES,
        tuple(f"wait-context:{lock} {IN_REQUESTS}" for lock in LOCKS),
        preemption="rt",
    ),
    "put elsewhere": Plant(
        planted.PutElsewhere,
        "v7.0",
        {"v1@0": "block, run", "v2@0": "block", "@1": "irqfd v2"},
        (
            "circular:imsic->vsfile_lock -SN-> rq->__lock -EN->",
            "wait-context:imsic->vsfile_lock rq->__lock",
        ),
        preemption="none",
        instead=True,
    ),
    "put elsewhere on PREEMPT_RT": Plant(
        planted.PutElsewhere,
        "v7.0",
        {"v1@0": "block, run", "@1": "irqfd v1"},
        (
            f"irq-dependency:hgctrl->lock {OFF} imsic->vsfile_lock {ON}",
            f"irq-dependency:p->pi_lock {OFF} imsic->vsfile_lock {ON}",
            f"irq-inversion:rq->__lock {OFF} imsic->vsfile_lock {ON}",
        ),
        preemption="rt",
        instead=True,
    ),
    "clears another": Plant(
        planted.ClearsAnother, "v7.0", MOVES, ("foreign-vsfile:hgei",), files=2
    ),
    "attr reads another": Plant(
        planted_answers.AttrReadsAnother,
        "v7.0",
        {"v1@0": "", "@1": "rw_attr v1"},
        ("foreign-vsfile:hgei",),
        files=2,
    ),
    "attr reads nothing": Plant(
        planted_answers.AttrReadsNothing,
        "v7.0",
        {"v1@0": "", "@1": "rw_attr v1"},
        ("misread:attribute",),
    ),
    "attr reads nothing while a HART is offline": Plant(
        planted_answers.AttrReadsNothing,
        "v7.3",
        {"v1@0": "", "@1": "rw_attr v1", "@2": "offline 2"},
        ("misread:attribute",),
        harts=3,
    ),
    "trap reads nothing": Plant(
        planted_answers.TrapReadsNothing, "v7.0", {"v1@0": "", "v2@0": "mask"}, ("misread:trap",)
    ),
    "reset keeps": Plant(
        planted.ResetKeeps,
        "v7.0",
        {"v1@0": "run", "@1": "reset v1", "@2": "offline 2"},
        ("reset-kept:vcpu",),
        harts=3,
    ),
    "page table freed first": Plant(
        planted.FreedFirst, "v7.0", {"v1@0": "exit_mm"}, ("use-after-free:pgd",)
    ),
    "sync forgets": Plant(
        planted_answers.SyncForgets,
        "v7.0",
        {"v1@0": "run, run", "@1": "sbi_ipi v1"},
        ("stray:software",),
    ),
    "not cleared": Plant(
        planted.NotCleared,
        "v7.0",
        {
            "v1@0": "",
            "v2@1": "migrate 0, run",
            "@1": "msi v1, destroy v1, irqfd v2",
            "@2": "offline 2",
        },
        ("stray:vcpu",),
        harts=3,
    ),
    "release reads another": Plant(
        planted.ReleaseReadsAnother, "v7.0", TAKEN_AWAY, ("foreign-vsfile:hgei",), files=2
    ),
    "disable frees twice": Plant(
        planted.DisableFreesTwice, "v7.0", TAKEN_AWAY, ("double-free:hgei",)
    ),
    "level stays": Plant(
        planted.LevelStays,
        "v7.0",
        {"v1@0": "migrate 1, run, migrate 2, run", "v2@1": "", "@0": "irqfd v1"},
        ("level:vsfile",),
        harts=3,
    ),
    "release forgets": Plant(planted.ReleaseForgets, "v7.0", TAKEN_AWAY, ("set-up-lost:vcpu",)),
    "disable frees SGEI": Plant(
        planted.DisableFreesSgei, "v6.12", {"@1": "offline 1"}, ("irq-freed-enabled:sgei",)
    ),
    "frees twice": Plant(planted.FreesTwice, "v7.0", MOVES, ("double-free:hgei",)),
    "frees twice while a HART is offline": Plant(
        planted.FreesTwiceLater, "v7.0", MOVES_WHILE_OFFLINE, ("double-free:hgei",), harts=3
    ),
    "update arms": Plant(planted.UpdateArms, "v7.0", MOVES, ("armed:free-line",)),
    "enable arms": Plant(
        planted.EnableArms, "v7.0", {"@1": "offline 1, online 1"}, ("armed:free-line",)
    ),
    "disable arms": Plant(planted.DisableArms, "v6.12", {"@1": "offline 1"}, ("register:hgeie",)),
    "disable arms, later": Plant(
        planted.DisableArms, "v7.0", {"@1": "offline 1"}, ("register:hgeie",)
    ),
    "cleanup keeps": Plant(
        planted.CleanupKeeps, "v7.0", {"v1@0": "", "@1": "destroy v1"}, ("dead-owner:taken-line",)
    ),
    "cleanup keeps while a HART is offline": Plant(
        planted.CleanupKeeps,
        "v7.0",
        {"v1@0": "", "@1": "offline 1, destroy v1"},
        ("dead-owner:taken-line",),
    ),
    "rw_attr disables": Plant(
        planted.AttrDisables,
        "v7.0",
        {"v1@1": "", "v2@0": "", "@0": "rw_attr v2", "@2": "destroy v1"},
        ("use-after-free:kvm_riscv_aia_disable",),
        harts=3,
    ),
    "disable takes another": Plant(
        planted.DisableTakesAnother,
        "v7.0",
        {"v1@0": "", "v2@1": "", "@1": "offline 1"},
        ("foreign-release:vsfile",),
    ),
    "update forgets": Plant(planted.UpdateForgets, "v7.0", MOVES, ("set-up-lost:vcpu",)),
    "update forgets while a HART is offline": Plant(
        planted.UpdateForgets, "v7.0", MOVES_WHILE_OFFLINE, ("set-up-lost:vcpu",), harts=3
    ),
    "update forgets what was sent": Plant(
        planted.UpdateForgetsSent,
        "v7.0",
        {**MOVES_WHILE_OFFLINE, "@1": "msi v1"},
        ("sent-lost:vcpu",),
        harts=3,
    ),
    "injects beside": Plant(
        planted.InjectsBeside,
        "v7.0",
        {"v1@0": "", "@1": "irqfd v1", "@2": "offline 2"},
        ("lost-interrupt:swfile",),
        harts=3,
    ),
    "injects behind": Plant(
        planted.InjectsBehind,
        "v7.0",
        {"v1@0": "", "@1": "irqfd v1", "@2": "offline 2"},
        ("lost-interrupt:vsfile",),
        harts=3,
        files=2,
    ),
    "handler forgets": Plant(planted.HandlerForgets, "v7.0", SLEEPS, ("lost-wakeup:vcpu",)),
    "nobody arms while a HART is offline": Plant(
        planted.NobodyArms,
        "v7.0",
        {"v1@0": "block", "@1": "irqfd v1", "@2": "offline 2"},
        ("lost-wakeup:vcpu",),
        harts=3,
    ),
    "offline by IPI": Plant(
        planted.OfflineByIpi,
        "v7.0",
        {"v1@1": "run", "v2@2": "run", "@0": "offline 0"},
        (
            "circular:@ipi -EN-> kvm->mmu_lock -EN->",
            f"ipi-irqs-off:kvm_make_vcpus_request_mask {IN_HARDIRQ}",
            f"irq-dependency:kvm->mmu_lock {OFF} kvm->mmu_lock {ON}",
            f"irq-inversion:@ipi {OFF} kvm->mmu_lock {ON}",
            f"irq-inversion:kvm->mmu_lock {OFF} vcpu->hfence_lock {ON}",
            f"irq-usage:kvm->mmu_lock {OFF} {ON}",
            f"irq-usage:vcpu->hfence_lock {OFF} {ON}",
            *(f"wait-context:{lock} {IN_HARDIRQ}" for lock in LOCKS),
        ),
        harts=3,
        preemption="none",
        vcpus=VM,
    ),
    "offline with interrupts off": Plant(
        planted_answers.DisableDeaf,
        "v7.0",
        {"v1@0": "", "v2@1": "run, run, run, run, run, run", "@0": "offline 0"},
        ("ipi-irqs-off:kvm_make_vcpus_request_mask hardirqs off in kvm_riscv_aia_disable",),
        vcpus=VM,
    ),
    "offline by IPI on PREEMPT_RT": Plant(
        planted.OfflineByIpi,
        "v7.0",
        {"v1@1": "run", "v2@2": "run", "@0": "offline 0"},
        (
            f"irq-dependency:kvm->mmu_lock {OFF} imsic->vsfile_lock {ON}",
            f"irq-inversion:@ipi {OFF} imsic->vsfile_lock {ON}",
            f"irq-usage:imsic->vsfile_lock {OFF} {ON}",
        ),
        harts=3,
        preemption="rt",
        vcpus=VM,
    ),
    "maps nested": Plant(planted.MapsNested, "v7.0", MOVES, ("deadlock:kvm->mmu_lock",)),
    "fences nested": Plant(
        planted.FencesNested, "v7.0", {"v1@0": "migrate 1, run"}, ("deadlock:vcpu->hfence_lock",)
    ),
    "both nested": Plant(
        planted.BothNested,
        "v7.0",
        {"v1@0": "migrate 2, run", "v2@0": "migrate 1, run"},
        ("deadlock:kvm->mmu_lock+vcpu->hfence_lock",),
        harts=3,
        files=2,
        vcpus=VM,
    ),
    "clears nested": Plant(
        planted.ClearsNested, "v7.0", MOVES, ("deadlock:imsic->vsfile_lock",), preemption="rt"
    ),
    "clears masked": Plant(
        planted.ClearsMasked,
        "v7.0",
        {"v1@0": "migrate 1, run", "v2@2": "run"},
        ("ipi-wait-atomic:ack_kick",),
        harts=3,
        vcpus=VM,
    ),
}
NOT_TOLD_APART = {
    **dict.fromkeys(
        ("data-race:nr_hgei in kvm_riscv_aia_enable and kvm_riscv_aia_free_hgei",),
        "the id has both functions: another pair is another id",
    ),
    "deadlock:ipi": "a shipped kernel shows it at a shutdown alone, with a handler on each HART; a "
    "fault that waits for an IPI with interrupts off is `ipi-wait-atomic` before",
    "foreign-vmid:vcpu": "AIA has no part in VMIDs, so no cause names them; a patch is compared "
    "with its base by the fewest switches",
    "limit:depth aia_create": "the id has the function that holds them",
    "foreign-registers:vcpu": "AIA has no part in a load or a put, so no cause names them; a patch "
    "is compared with its base by the fewest switches",
    "stale-armed:hgei": "only `trace check` reports it, and a trace does not say why a bit is set",
    **dict.fromkeys(
        (
            f"{kind}:imsic->vsfile_lock -SN-> {chain}"
            for kind in ("circular", "circular-guarded", "circular-instances", "circular-one-task")
            for chain in ("rq->__lock -EN->", "p->pi_lock -EN-> rq->__lock -EN->")
            if f"{kind} {chain}" != "circular rq->__lock -EN->"
        ),
        "the load decides how likely the cycle is and whether pi_lock shows in it",
    ),
    **dict.fromkeys(
        (
            f"irq-dependency:kvm->mmu_lock {OFF} vcpu->hfence_lock {ON}",
            f"irq-inversion:hgctrl->lock {OFF} imsic->vsfile_lock {ON}",
            f"irq-inversion:p->pi_lock {OFF} imsic->vsfile_lock {ON}",
            f"irq-dependency:rq->__lock {OFF} imsic->vsfile_lock {ON}",
        ),
        "the load decides whether a lock or its use is seen first: else it is the other kind",
    ),
}
"""Ids whose causes cannot be told apart, or differ from that of another id by the load alone."""
