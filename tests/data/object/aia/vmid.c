/*
 * The VMIDs of VMs, as hgeisim/kernel/vmid.py has them.
 */
#include "kvm.h"

u64 vmid_version = 1, vmid_next, vmid_bits;
struct lock vmid_lock;

static int is_old(struct kvm_vmid *vmid)
{
	return vmid_bits && READ(vmid->vmid_version) != READ(vmid_version);
}

void kvm_riscv_gstage_vmid_update(struct kvm_vcpu *vcpu)
{
	struct kvm_vmid *vmid = &vcpu->kvm->arch.vmid;
	struct kvm_vcpu *each;
	u64 index = 0;

	if (!is_old(vmid))
		return;
	_raw_spin_lock(&vmid_lock);
	if (!is_old(vmid)) {
		_raw_spin_unlock(&vmid_lock);
		return;
	}
	READ(vmid->vmid) = READ(vmid_next);
	READ(vmid_next) = (READ(vmid_next) + 1) & ((1ul << vmid_bits) - 1);
	READ(vmid->vmid_version) = READ(vmid_version);
	_raw_spin_unlock(&vmid_lock);
	for (each = xa_find(&vcpu->kvm->vcpu_array, &index, ALL, 8); each;
	     each = xa_find_after(&vcpu->kvm->vcpu_array, &index, ALL, 8))
		__atomic_fetch_or(&each->requests, 1ul << 10, __ATOMIC_RELAXED);
}
