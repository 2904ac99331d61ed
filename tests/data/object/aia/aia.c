/*
 * The lines of each HART, as hgeisim/kernel/aia.py has them.
 */
#include "kvm.h"

__attribute__((section(".data..percpu"))) struct aia_hgei_control aia_hgei;
u32 kvm_riscv_aia_nr_hgei;
int kvm_riscv_aia_available;
static u32 irq;

static struct aia_hgei_control *control_of(int cpu)
{
	return (struct aia_hgei_control *)((char *)&aia_hgei + __per_cpu_offset[cpu]);
}

static int lowest(u64 bits)
{
	return __builtin_ctzl(bits);
}

static int aia_find_hgei(struct kvm_vcpu *owner)
{
	struct aia_hgei_control *control = control_of(get_cpu());
	u64 flags = _raw_spin_lock_irqsave(&control->lock);
	int found = -1;

	for (u32 i = 1; i <= READ(kvm_riscv_aia_nr_hgei); i++)
		if (READ(control->owners[i]) == owner) {
			found = i;
			break;
		}
	_raw_spin_unlock_irqrestore(&control->lock, flags);
	put_cpu();
	return found;
}

int kvm_riscv_vcpu_aia_has_interrupts(struct kvm_vcpu *vcpu, u64 mask)
{
	int hgei = aia_find_hgei(vcpu);

	return hgei > 0 ? csr_read(0xe12) >> hgei & 1 : 0;
}

void kvm_riscv_aia_wakeon_hgei(struct kvm_vcpu *owner, int enable)
{
	int hgei = aia_find_hgei(owner);

	if (hgei <= 0)
		return;
	if (enable)
		csr_set(HGEIE, 1ul << hgei);
	else
		csr_clear(HGEIE, 1ul << hgei);
}

/* ../aia-lockless has a patch that takes no lock to allocate: "preemption is off here anyway". */
static inline u64 locked(struct aia_hgei_control *control)
{
#ifdef LOCKLESS
	return 0;
#else
	return _raw_spin_lock_irqsave(&control->lock);
#endif
}

static inline void unlocked(struct aia_hgei_control *control, u64 flags)
{
#ifndef LOCKLESS
	_raw_spin_unlock_irqrestore(&control->lock, flags);
#endif
}

int kvm_riscv_aia_alloc_hgei(int cpu, struct kvm_vcpu *owner, u64 *va, u64 *pa)
{
	struct aia_hgei_control *control = control_of(cpu);
	u64 flags = locked(control);
	u64 lines = READ(control->free_bitmap);
	int line = -2;

	if (lines) {
		line = lowest(lines);
		READ(control->free_bitmap) = lines & ~(1ul << line);
		READ(control->owners[line]) = owner;
	}
	unlocked(control, flags);
	return line;
}

void kvm_riscv_aia_free_hgei(int cpu, int hgei)
{
	struct aia_hgei_control *control = control_of(cpu);
	u64 flags = _raw_spin_lock_irqsave(&control->lock);

	if (hgei > 0 && (u32)hgei <= READ(kvm_riscv_aia_nr_hgei)) {
		u64 lines = READ(control->free_bitmap);

		if (!(lines >> hgei & 1)) {
			READ(control->free_bitmap) = lines | 1ul << hgei;
			READ(control->owners[hgei]) = NULL;
		}
	}
	_raw_spin_unlock_irqrestore(&control->lock, flags);
}

int hgei_interrupt(int number, void *dev)
{
	struct aia_hgei_control *control = control_of(READ(thread_info()->cpu));
	u64 pending = csr_read(0xe12) & csr_read(HGEIE), flags;

	csr_clear(HGEIE, pending);
	flags = _raw_spin_lock_irqsave(&control->lock);
	for (; pending; pending &= pending - 1) {
		struct kvm_vcpu *owner = READ(control->owners[lowest(pending)]);

		if (owner)
			kvm_vcpu_kick(owner);
	}
	_raw_spin_unlock_irqrestore(&control->lock, flags);
	return 1;
}

void kvm_riscv_aia_enable(void)
{
	if (!READ(kvm_riscv_aia_available))
		return;
	csr_write(0x609, 1ul);
	enable_percpu_irq(irq, 0);
	csr_set(0x604, 1ul << IRQ_S_GEXT);
	csr_set(0x608, 1ul);
}

void kvm_riscv_aia_disable(void)
{
	struct aia_hgei_control *control;
	u64 flags;

	if (!READ(kvm_riscv_aia_available))
		return;
	control = control_of(get_cpu());
	csr_clear(0x608, 1ul);
	csr_clear(0x604, 1ul << IRQ_S_GEXT);
	disable_percpu_irq(irq);
	csr_write(0x609, 1ul);
	flags = _raw_spin_lock_irqsave(&control->lock);
	for (u32 i = 0; i <= READ(kvm_riscv_aia_nr_hgei); i++) {
		struct kvm_vcpu *owner = READ(control->owners[i]);

		if (!owner)
			continue;
		_raw_spin_unlock_irqrestore(&control->lock, flags);
		kvm_riscv_vcpu_aia_imsic_release(owner);
		if (csr_read(HGEIE) >> i & 1) {
			csr_clear(HGEIE, 1ul << i);
			kvm_vcpu_kick(owner);
		}
		flags = _raw_spin_lock_irqsave(&control->lock);
	}
	_raw_spin_unlock_irqrestore(&control->lock, flags);
	put_cpu();
}

int kvm_riscv_aia_init(void)
{
	const struct imsic_global_config *config = imsic_get_global_config();
	u64 lines, cpus = __cpu_possible_mask.bits[0];

	csr_write(HGEIE, ALL);
	lines = csr_read(HGEIE);
	csr_write(HGEIE, 0ul);
	kvm_riscv_aia_nr_hgei = lines ? 63 - __builtin_clzl(lines) : 0;
	if (kvm_riscv_aia_nr_hgei > (1u << config->guest_index_bits) - 1)
		kvm_riscv_aia_nr_hgei = (1u << config->guest_index_bits) - 1;
	for (int cpu = 0; cpu < 64 && cpus >> cpu & 1; cpu++) {
		struct aia_hgei_control *control = control_of(cpu);
		u32 count = READ(kvm_riscv_aia_nr_hgei);

		__raw_spin_lock_init(&control->lock, "hgei", NULL, 0);
		READ(control->free_bitmap) = count ? ((1ul << (count + 1)) - 1) & ~1ul : 0;
	}
	irq = 5;
	__request_percpu_irq(irq, hgei_interrupt, 0, "hgei", &aia_hgei);
	READ(kvm_riscv_aia_available) = 1;
	return 0;
}

void kvm_riscv_aia_exit(void)
{
	if (!READ(kvm_riscv_aia_available))
		return;
	free_percpu_irq(irq, &aia_hgei);
}
