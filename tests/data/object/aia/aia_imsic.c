/*
 * The interrupt files of vCPUs, as hgeisim/kernel/aia_imsic.py has them.
 */
#include "kvm.h"

#define EIDELIVERY 0x70
#define EITHRESHOLD 0x72
#define EIP 0x80
#define EIE 0xc0
#define TOPEI 0x200
#define VGEIN (0x3ful << 12)

static u64 swapped(u32 isel, u64 value)
{
	csr_write(VSISELECT, (u64)isel);
	{
		u64 old;

		asm volatile("csrrw %0, %1, %2" : "=r"(old) : "i"(VSIREG), "r"(value) : "memory");
		return old;
	}
}

static void set(u32 isel, u64 value)
{
	csr_write(VSISELECT, (u64)isel);
	csr_set(VSIREG, value);
}

static void put(u32 isel, u64 value)
{
	csr_write(VSISELECT, (u64)isel);
	csr_write(VSIREG, value);
}

static u64 selected(int hgei)
{
	u64 before = csr_read(HSTATUS);

	csr_write(HSTATUS, (before & ~VGEIN) | (u64)hgei << 12);
	return before;
}

static void imsic_vsfile_local_read(void *info)
{
	struct imsic_vsfile_read_data *data = info;
	u64 select = csr_read(VSISELECT), before = selected(data->hgei);

	data->mrif.eidelivery = swapped(EIDELIVERY, 0);
	data->mrif.eithreshold = swapped(EITHRESHOLD, 0);
	data->mrif.eix[0].eip[0] = swapped(EIP, 0);
	data->mrif.eix[0].eie[0] = swapped(EIE, 0);
	csr_write(HSTATUS, before);
	csr_write(VSISELECT, select);
}

static void imsic_vsfile_read(int hgei, int cpu, struct imsic_mrif *mrif)
{
	struct imsic_vsfile_read_data data = { .hgei = hgei };

	on_each_cpu_cond_mask(NULL, imsic_vsfile_local_read, &data, 1, &cpu_bit_bitmap[1 + cpu]);
	*mrif = data.mrif;
}

static void imsic_vsfile_local_clear(int hgei)
{
	u64 select = csr_read(VSISELECT), before = selected(hgei);

	put(EIDELIVERY, 0);
	put(EITHRESHOLD, 0);
	put(EIP, 0);
	put(EIE, 0);
	csr_write(HSTATUS, before);
	csr_write(VSISELECT, select);
}

static void imsic_vsfile_local_update(int hgei, const struct imsic_mrif *mrif)
{
	u64 select = csr_read(VSISELECT), before = selected(hgei);

	set(EIP, mrif->eix[0].eip[0]);
	set(EIE, mrif->eix[0].eie[0]);
	put(EITHRESHOLD, mrif->eithreshold);
	put(EIDELIVERY, mrif->eidelivery);
	csr_write(HSTATUS, before);
	csr_write(VSISELECT, select);
}

static u32 imsic_mrif_topei(struct imsic_mrif *mrif)
{
	u64 there = READ(mrif->eix[0].eip[0]) & READ(mrif->eix[0].eie[0]);
	u32 limit = READ(mrif->eithreshold), first;

	if (!there)
		return 0;
	first = __builtin_ctzl(there);
	return limit && first >= limit ? 0 : first << 16 | first;
}

static void imsic_swfile_extirq_update(struct kvm_vcpu *vcpu)
{
	struct imsic *imsic = vcpu->arch.aia_context.imsic_state;
	u64 flags = _raw_spin_lock_irqsave(&imsic->swfile_extirq_lock);

	if (READ(imsic->swfile->eidelivery) && imsic_mrif_topei(imsic->swfile))
		kvm_riscv_vcpu_set_interrupt(vcpu, IRQ_VS_EXT);
	else
		kvm_riscv_vcpu_unset_interrupt(vcpu, IRQ_VS_EXT);
	_raw_spin_unlock_irqrestore(&imsic->swfile_extirq_lock, flags);
}

/* A word of 64 bits, of which the lower 32 change: what v6.12 does. */
static u64 exchanged(u64 *word, u64 value, u64 mask)
{
	u64 old, fresh;

	asm volatile("0: lr.w %0, (%2)\n"
		     "and %1, %0, %3\n"
		     "or %1, %1, %4\n"
		     "sc.w %1, %1, (%2)\n"
		     "bnez %1, 0b"
		     : "=&r"(old), "=&r"(fresh) : "r"(word), "r"(~mask), "r"(value & mask) : "memory");
	return old;
}

static void imsic_swfile_read(struct kvm_vcpu *vcpu, struct imsic_mrif *mrif)
{
	struct imsic *imsic = vcpu->arch.aia_context.imsic_state;

	*mrif = *imsic->swfile;
	memset(imsic->swfile, 0, sizeof(*imsic->swfile));
}

static void imsic_swfile_update(struct kvm_vcpu *vcpu, const struct imsic_mrif *mrif)
{
	struct imsic_mrif *to = vcpu->arch.aia_context.imsic_state->swfile;

	exchanged(&to->eidelivery, mrif->eidelivery, ALL);
	exchanged(&to->eithreshold, mrif->eithreshold, ALL);
	__atomic_fetch_or(&to->eix[0].eip[0], mrif->eix[0].eip[0], __ATOMIC_RELAXED);
	__atomic_fetch_or(&to->eix[0].eie[0], mrif->eix[0].eie[0], __ATOMIC_RELAXED);
	imsic_swfile_extirq_update(vcpu);
}

/* Takes the VS-file of a vCPU out of its fields; the CPU that it was on is the result. */
static int detached(struct imsic *imsic, int *hgei)
{
	u64 flags = _raw_write_lock_irqsave(&imsic->vsfile_lock);
	int cpu = imsic->vsfile_cpu;

	*hgei = imsic->vsfile_hgei;
	imsic->vsfile_cpu = imsic->vsfile_hgei = -1;
	_raw_write_unlock_irqrestore(&imsic->vsfile_lock, flags);
	return cpu;
}

void kvm_riscv_vcpu_aia_imsic_release(struct kvm_vcpu *vcpu)
{
	struct imsic *imsic = vcpu->arch.aia_context.imsic_state;
	struct imsic_mrif mrif;
	int hgei, cpu = detached(imsic, &hgei);

	if (cpu < 0)
		return;
	kvm_riscv_gstage_iounmap(vcpu->kvm, vcpu->arch.aia_context.imsic_addr, 4096);
	imsic_vsfile_read(hgei, cpu, &mrif);
	imsic_swfile_update(vcpu, &mrif);
	kvm_riscv_aia_free_hgei(cpu, hgei);
}

int kvm_riscv_vcpu_aia_imsic_update(struct kvm_vcpu *vcpu)
{
	struct imsic *imsic = vcpu->arch.aia_context.imsic_state;
	int old_cpu, old_hgei, hgei, cpu = READ(vcpu->cpu);
	u64 flags, va = 0, pa = 0;
	struct imsic_mrif mrif;

	if (vcpu->kvm->arch.aia.mode == EMUL)
		return 1;
	flags = _raw_read_lock_irqsave(&imsic->vsfile_lock);
	old_cpu = imsic->vsfile_cpu, old_hgei = imsic->vsfile_hgei;
	_raw_read_unlock_irqrestore(&imsic->vsfile_lock, flags);
	if (old_cpu == cpu)
		return 1;
	hgei = kvm_riscv_aia_alloc_hgei(cpu, vcpu, &va, &pa);
	if (hgei <= 0) {
		if (vcpu->kvm->arch.aia.mode == HWACCEL) {
			vcpu->run->exit_reason = 9;
			return 0;
		}
		if (old_cpu >= 0)
			kvm_riscv_vcpu_aia_imsic_release(vcpu);
		vcpu->arch.guest_context.hstatus &= ~VGEIN;
		return 1;
	}
	imsic_vsfile_local_clear(hgei);
	kvm_riscv_gstage_ioremap(vcpu->kvm, vcpu->arch.aia_context.imsic_addr, pa, 4096, 1, 1);
	flags = _raw_write_lock_irqsave(&imsic->vsfile_lock);
	imsic->vsfile_cpu = cpu;
	imsic->vsfile_hgei = hgei;
	imsic->vsfile_va = va;
	_raw_write_unlock_irqrestore(&imsic->vsfile_lock, flags);
	if (old_cpu >= 0) {
		imsic_vsfile_read(old_hgei, old_cpu, &mrif);
		kvm_riscv_aia_free_hgei(old_cpu, old_hgei);
	} else {
		imsic_swfile_read(vcpu, &mrif);
		kvm_riscv_vcpu_unset_interrupt(vcpu, IRQ_VS_EXT);
	}
	imsic_vsfile_local_update(hgei, &mrif);
	vcpu->arch.guest_context.hstatus =
		(vcpu->arch.guest_context.hstatus & ~VGEIN) | (u64)hgei << 12;
	return 1;
}

int kvm_riscv_vcpu_aia_imsic_inject(struct kvm_vcpu *vcpu, u32 index, u32 offset, u32 iid)
{
	struct imsic *imsic = vcpu->arch.aia_context.imsic_state;
	u64 flags = _raw_read_lock_irqsave(&imsic->vsfile_lock);

	if (imsic->vsfile_cpu >= 0) {
		*(volatile u32 *)imsic->vsfile_va = iid;
		kvm_vcpu_kick(vcpu);
	} else {
		__atomic_fetch_or(&imsic->swfile->eix[0].eip[0], 1ul << iid, __ATOMIC_RELAXED);
		imsic_swfile_extirq_update(vcpu);
	}
	_raw_read_unlock_irqrestore(&imsic->vsfile_lock, flags);
	return 0;
}

int kvm_riscv_vcpu_aia_imsic_rmw(struct kvm_vcpu *vcpu, u64 isel, u64 *val, u64 value, u64 mask)
{
	struct imsic *imsic = vcpu->arch.aia_context.imsic_state;
	struct imsic_mrif *file = imsic->swfile;
	u64 old = 0;

	if (isel == TOPEI) {
		u64 top = imsic_mrif_topei(file);

		if (top)
			__atomic_fetch_and(&file->eix[0].eip[0], ~(1ul << (top >> 16)),
					   __ATOMIC_RELAXED);
		old = top;
	} else {
		old = exchanged(isel == EIE ? &file->eix[0].eie[0] : &file->eidelivery, value, mask);
	}
	if (val)
		*val = old;
	imsic_swfile_extirq_update(vcpu);
	return 1;
}

void kvm_riscv_vcpu_aia_imsic_reset(struct kvm_vcpu *vcpu)
{
	struct imsic *imsic = vcpu->arch.aia_context.imsic_state;

	kvm_riscv_vcpu_aia_imsic_release(vcpu);
	memset(imsic->swfile, 0, sizeof(*imsic->swfile));
}

void kvm_riscv_vcpu_aia_imsic_cleanup(struct kvm_vcpu *vcpu)
{
	struct imsic *imsic = vcpu->arch.aia_context.imsic_state;
	int hgei, cpu = detached(imsic, &hgei);

	memset(imsic->swfile, 0, sizeof(*imsic->swfile));
	if (cpu >= 0)
		kvm_riscv_aia_free_hgei(cpu, hgei);
	mutex_lock(&vcpu->kvm->slots_lock);
	kvm_io_bus_unregister_dev(vcpu->kvm, 0, imsic);
	mutex_unlock(&vcpu->kvm->slots_lock);
	vcpu->arch.aia_context.imsic_state = NULL;
	kfree(imsic);
}

static void imsic_vsfile_local_rw(void *info)
{
	struct imsic_vsfile_rw_data *data = info;
	u64 select = csr_read(VSISELECT), before = selected(data->hgei);

	csr_write(VSISELECT, (u64)data->isel);
	if (data->write)
		csr_write(VSIREG, data->val);
	else
		data->val = csr_read(VSIREG);
	csr_write(HSTATUS, before);
	csr_write(VSISELECT, select);
}

static u64 rw_swfile(struct kvm_vcpu *vcpu, u32 isel, int write, u64 value)
{
	struct imsic_mrif *file = vcpu->arch.aia_context.imsic_state->swfile;
	u64 *word = isel == EIE ? &file->eix[0].eie[0] : &file->eidelivery;
	u64 old = exchanged(word, value, write ? ALL : 0);

	if (write)
		imsic_swfile_extirq_update(vcpu);
	return write ? value : old;
}

int kvm_riscv_aia_imsic_rw_attr(struct kvm *kvm, u64 type, int write, u64 *value)
{
	struct kvm_vcpu *vcpu = xa_load(&kvm->vcpu_array, type >> 12);
	struct imsic_vsfile_rw_data data = { .isel = type & 0xfff, .write = write, .val = *value };
	struct imsic *imsic;
	u64 flags;
	int cpu;

	if (!vcpu || mutex_lock_killable(&vcpu->mutex))
		return -1;
	imsic = vcpu->arch.aia_context.imsic_state;
	flags = _raw_read_lock_irqsave(&imsic->vsfile_lock);
	cpu = imsic->vsfile_cpu;
	data.hgei = imsic->vsfile_hgei;
	if (cpu < 0)
		*value = rw_swfile(vcpu, data.isel, write, *value);
	_raw_read_unlock_irqrestore(&imsic->vsfile_lock, flags);
	if (cpu >= 0) {
		on_each_cpu_cond_mask(NULL, imsic_vsfile_local_rw, &data, 1,
				      &cpu_bit_bitmap[1 + cpu]);
		*value = data.val;
	}
	mutex_unlock(&vcpu->mutex);
	return 0;
}
