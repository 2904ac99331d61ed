"""A series that breaks something and mends it in the end; each patch is a revision as well."""

from hgeisim.patch import STEP, Aia, Imsic


class Forgets(Imsic):
    """HGEIE is never set: a wake-up is lost."""

    def kvm_riscv_vcpu_aia_put(k, current, vcpu):
        yield STEP


class Tidies(Aia):
    """A step more before a line is freed: nothing comes of it."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        yield STEP
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)


class Remembers(Imsic):
    """HGEIE is set again."""

    def kvm_riscv_vcpu_aia_put(k, current, vcpu):
        yield from k.kvm_riscv_vcpu_aia_imsic_put(current, vcpu)
