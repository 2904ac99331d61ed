/*
 * What aia.c and aia_imsic.c share: hgeisim's own code, for its tests.  Structs and functions have
 * the names that hgeisim looks for in the objects of a kernel, and no more in them than it needs.
 */
typedef unsigned long u64;
typedef unsigned int u32;

#define NULL ((void *)0)
#define LINES 64
#define IRQ_S_GEXT 12
#define IRQ_VS_EXT 10
#define EMUL 0
#define HWACCEL 1
#define HGEIE 0x607
#define HSTATUS 0x600
#define VSISELECT 0x250
#define VSIREG 0x251

struct lock {
	u64 word;
};

struct thread_info {
	u64 flags;
	int preempt_count;
	int cpu;
};

struct imsic_mrif_eix {
	u64 eip[1], eie[1];
};

struct imsic_mrif {
	struct imsic_mrif_eix eix[1];
	u64 eithreshold, eidelivery;
};

struct imsic {
	u32 nr_msis, nr_eix, nr_hw_eix;
	int vsfile_cpu, vsfile_hgei;
	struct lock vsfile_lock, swfile_extirq_lock;
	u64 vsfile_va;
	struct imsic_mrif *swfile;
};

struct imsic_vsfile_read_data {
	int hgei;
	int clear;
	struct imsic_mrif mrif;
};

struct imsic_vsfile_rw_data {
	int hgei;
	u32 isel;
	int write;
	u64 val;
};

struct imsic_local_config {
	u64 msi_pa, msi_va;
};

struct imsic_global_config {
	u32 guest_index_bits, nr_guest_ids;
	struct imsic_local_config *local;
};

struct xarray {
	u64 head;
};

struct kvm {
	struct lock lock, slots_lock;
	struct xarray vcpu_array;
	int online_vcpus;
	struct {
		struct kvm_vmid {
			u64 vmid_version, vmid;
		} vmid;
		struct {
			u32 mode;
			char initialized;
			u32 nr_ids;
		} aia;
	} arch;
};

struct kvm_run {
	u32 exit_reason;
};

struct kvm_vcpu {
	struct kvm *kvm;
	int cpu, vcpu_id;
	u64 requests;
	struct lock mutex;
	struct kvm_run *run;
	struct {
		struct {
			u64 imsic_addr;
			struct imsic *imsic_state;
		} aia_context;
		struct {
			u64 vsie;
		} guest_csr;
		struct {
			u64 hstatus;
		} guest_context;
	} arch;
};

struct cpumask {
	u64 bits[1];
};

struct aia_hgei_control {
	struct lock lock;
	u64 free_bitmap;
	struct kvm_vcpu *owners[LINES];
};

extern u64 __per_cpu_offset[];
extern const struct cpumask cpu_bit_bitmap[];
extern const struct cpumask __cpu_possible_mask;
extern u64 _raw_spin_lock_irqsave(struct lock *lock);
extern void _raw_spin_unlock_irqrestore(struct lock *lock, u64 flags);
extern void _raw_spin_lock(struct lock *lock);
extern void _raw_spin_unlock(struct lock *lock);
extern u64 _raw_read_lock_irqsave(struct lock *lock);
extern void _raw_read_unlock_irqrestore(struct lock *lock, u64 flags);
extern u64 _raw_write_lock_irqsave(struct lock *lock);
extern void _raw_write_unlock_irqrestore(struct lock *lock, u64 flags);
extern void mutex_lock(struct lock *lock);
extern int mutex_lock_killable(struct lock *lock);
extern void mutex_unlock(struct lock *lock);
extern void __raw_spin_lock_init(struct lock *lock, const char *name, void *key, short type);
extern int __request_percpu_irq(u32 irq, void *handler, u64 flags, const char *name, void *id);
extern void free_percpu_irq(u32 irq, void *id);
extern void enable_percpu_irq(u32 irq, u32 type);
extern void disable_percpu_irq(u32 irq);
extern void preempt_schedule(void);
extern void on_each_cpu_cond_mask(void *cond, void (*function)(void *), void *info, int wait,
				  const struct cpumask *mask);
extern void *xa_find(struct xarray *array, u64 *index, u64 most, u32 mark);
extern void *xa_find_after(struct xarray *array, u64 *index, u64 most, u32 mark);
extern void *xa_load(struct xarray *array, u64 index);
extern void *memset(void *to, int byte, u64 length);
extern void kfree(const void *memory);
extern void free_pages(u64 address, u32 order);
extern int kvm_io_bus_unregister_dev(struct kvm *kvm, int bus, void *dev);
extern const struct imsic_global_config *imsic_get_global_config(void);
extern int kvm_vcpu_kick(struct kvm_vcpu *vcpu);
extern int kvm_riscv_vcpu_set_interrupt(struct kvm_vcpu *vcpu, u32 irq);
extern int kvm_riscv_vcpu_unset_interrupt(struct kvm_vcpu *vcpu, u32 irq);
extern int kvm_riscv_gstage_ioremap(struct kvm *kvm, u64 gpa, u64 hpa, u64 size, int writable,
				    int atomic);
extern void kvm_riscv_gstage_iounmap(struct kvm *kvm, u64 gpa, u64 size);
extern int kvm_riscv_aia_alloc_hgei(int cpu, struct kvm_vcpu *owner, u64 *va, u64 *pa);
extern void kvm_riscv_aia_free_hgei(int cpu, int hgei);
extern void kvm_riscv_vcpu_aia_imsic_release(struct kvm_vcpu *vcpu);

#define csr_read(n) ({ u64 v; asm volatile("csrr %0, %1" : "=r"(v) : "i"(n) : "memory"); v; })
#define csr_write(n, v) asm volatile("csrw %0, %1" : : "i"(n), "r"(v) : "memory")
#define csr_set(n, v) asm volatile("csrs %0, %1" : : "i"(n), "r"(v) : "memory")
#define csr_clear(n, v) asm volatile("csrc %0, %1" : : "i"(n), "r"(v) : "memory")
#define READ(x) (*(volatile __typeof__(x) *)&(x))
#define ALL (~0ul)

static inline struct thread_info *thread_info(void)
{
	register struct thread_info *tp asm("tp");

	return tp;
}

static inline int get_cpu(void)
{
	struct thread_info *me = thread_info();

	READ(me->preempt_count)++;
	return READ(me->cpu);
}

static inline void put_cpu(void)
{
	struct thread_info *me = thread_info();

	if (!--READ(me->preempt_count))
		preempt_schedule();
}
