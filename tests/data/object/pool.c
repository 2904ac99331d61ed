/*
 * A pool of lines on each CPU, in the manner of a kernel file: hgeisim's own code, for its tests.
 *
 * It takes and drops spinlocks, has per-CPU data, loops, atomics of 64 bits and a loop of lr and sc,
 * reads and writes CSRs, and sends an IPI whose argument lies on its stack.  README.md beside this
 * file says how it is built.
 */
typedef unsigned long u64;
typedef unsigned int u32;

#define LINES 4
#define NULL ((void *)0)

typedef struct {
	u32 ticket;
} raw_spinlock_t;

struct thread_info {
	u64 flags;
	int preempt_count;
	int cpu;
};

struct user {
	int id;
	int cpu;
	int line;
	u64 counts[2];
	struct user *next;
};

struct line_control {
	raw_spinlock_t lock;
	u64 free_bitmap;
	struct user *owners[LINES];
};

struct read_data {
	int line;
	u64 pending;
	u64 words[3];
};

struct cpumask {
	u64 bits[1];
};

extern u64 __per_cpu_offset[];
extern const struct cpumask cpu_bit_bitmap[];
extern u64 _raw_spin_lock_irqsave(raw_spinlock_t *lock);
extern void _raw_spin_unlock_irqrestore(raw_spinlock_t *lock, u64 flags);
extern void on_each_cpu_cond_mask(void *cond, void (*function)(void *), void *info, int wait,
				  const struct cpumask *mask);
extern void *memset(void *to, int byte, u64 length);
extern void *memcpy(void *to, const void *from, u64 length);

__attribute__((section(".data..percpu"))) struct line_control pool = { .free_bitmap = 0xe };
u64 handed_out = 1;
static u64 total;
static const int weights[4] = { 3, 5, 7, 11 };

#define barrier() asm volatile("" : : : "memory")

static inline struct thread_info *thread_info(void)
{
	register struct thread_info *tp asm("tp");

	return tp;
}

static struct line_control *pool_of(int cpu)
{
	return (struct line_control *)((char *)&pool + __per_cpu_offset[cpu]);
}

int pool_alloc(int cpu, struct user *owner)
{
	struct line_control *control = pool_of(cpu);
	u64 flags = _raw_spin_lock_irqsave(&control->lock);
	int line = -2;

	if (control->free_bitmap) {
		line = __builtin_ctzl(control->free_bitmap);
		control->free_bitmap &= ~(1UL << line);
		control->owners[line] = owner;
		owner->cpu = cpu;
		owner->line = line;
	}
	_raw_spin_unlock_irqrestore(&control->lock, flags);
	if (line > 0)
		__atomic_fetch_add(&handed_out, 1, __ATOMIC_SEQ_CST);
	return line;
}

int pool_find(struct user *owner)
{
	struct line_control *control;
	u64 flags;
	int i, line = -1;

	thread_info()->preempt_count++;
	barrier();
	control = pool_of(thread_info()->cpu);
	flags = _raw_spin_lock_irqsave(&control->lock);
	for (i = 1; i < LINES; i++) {
		if (control->owners[i] == owner) {
			line = i;
			break;
		}
	}
	_raw_spin_unlock_irqrestore(&control->lock, flags);
	barrier();
	thread_info()->preempt_count--;
	return line;
}

static void pool_read_local(void *info)
{
	struct read_data *data = info;
	u64 pending;

	asm volatile("csrr %0, 0xe12" : "=r"(pending));
	data->pending = pending & (1UL << data->line);
	data->words[2] = total;
}

u64 pool_read(int cpu, int line)
{
	struct read_data data;

	memset(&data, 0, sizeof(data));
	data.line = line;
	on_each_cpu_cond_mask(NULL, pool_read_local, &data, 1, &cpu_bit_bitmap[cpu + 1]);
	return data.pending | data.words[2];
}

u64 pool_swap(u64 *word, u64 new, u64 mask)
{
	u64 old, temporary;

	asm volatile("0:	lr.d.aq	%0, %2\n"
		     "	and	%1, %0, %4\n"
		     "	or	%1, %1, %3\n"
		     "	sc.d.rl	%1, %1, %2\n"
		     "	bnez	%1, 0b\n"
		     : "=&r"(old), "=&r"(temporary), "+A"(*word)
		     : "r"(new & mask), "r"(~mask)
		     : "memory");
	return old;
}

u64 pool_add(struct user *user, const u64 *counts)
{
	u64 copy[2];

	memcpy(copy, counts, sizeof(copy));
	user->counts[0] += copy[0];
	user->counts[1] += copy[1];
	__atomic_fetch_or(&total, copy[0], __ATOMIC_RELAXED);
	return user->counts[0] * copy[1];
}

/* Arithmetic alone: what the tests compare with C's own rules. */
u64 pool_mix(u64 a, u64 b, int how)
{
	switch (how) {
	case 0: return a / (b | 1) + a % (b | 1);
	case 1: return (u64)((long)a / (long)(b | 2)) ^ (u64)((long)a >> (b & 63));
	case 2: return (u32)a * (u32)b + (u64)(int)(a - b);
	case 3: return (u64)(((__int128)(long)a * (long)b) >> 64);
	case 4: return (u64)(((unsigned __int128)a * b) >> 64);
	case 5: return (a << (b & 63)) | (a >> (-b & 63));
	case 6: return __builtin_popcountl(a) + __builtin_clzl(b | 1) + __builtin_ctzl(a | 8);
	case 7: return (long)a < (long)b ? a & ~b : a | ~b;
	case 8: return (u64)(short)a + (u64)(signed char)b + (unsigned short)b;
	case 9: return ((u32)a << (b & 31)) + (u32)((int)a >> (b & 31)) + weights[a & 3];
	case 10: return (u32)a / ((u32)b | 1) + (u64)((int)a % ((int)b | 1));
	case 11: return (a ^ ~b) + __builtin_bswap64(a);
	case 12: return ((long)a > (long)b ? a : b) - (a < b ? a : b);
	}
	return ~0UL;
}

u64 pool_follow(struct user *user)
{
	u64 sum = 0;

	while (user) {
		sum += user->id;
		user = user->next;
	}
	return sum;
}
