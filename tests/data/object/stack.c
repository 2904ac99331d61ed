/*
 * Words of the stack that are never written, and what is done with them: hgeisim's own code, for its
 * tests.
 */
typedef unsigned long u64;

static volatile u64 seen;

struct pair {
	u64 one, other;
};

struct bits {
	u64 low : 4, high : 60;
};

/* A branch, since it stores on one side only. */
static inline int chosen(u64 condition)
{
	if (!condition)
		return 2;
	seen = 1;
	return 1;
}

/* Branches on a word that is written only if `how` says so. */
int stack_branch(int how)
{
	volatile u64 word;

	if (how)
		word = how;
	return chosen(word);
}

/* Follows a pointer that nobody has set. */
u64 stack_follow(void)
{
	u64 *volatile pointer;

	return *pointer;
}

/* Computes with it first. */
int stack_compute(void)
{
	volatile u64 word;

	return chosen(word + 3 > 7);
}

/* Copies a struct of which half is set, and uses that half: no mistake. */
u64 stack_copy(u64 value)
{
	volatile struct pair from, to;

	from.one = value;
	to.one = from.one;
	to.other = from.other;
	return to.one ? to.one : 5;
}

/* Uses the other half of the copy. */
int stack_copy_used(u64 value)
{
	volatile struct pair from, to;

	from.one = value;
	to.other = from.other;
	return chosen(to.other);
}

/* Sets a bit field, by a word that was not written before, and uses it: no mistake. */
int stack_bits(int value)
{
	volatile struct bits bits;

	bits.low = value;
	return chosen(bits.low);
}

/* The frame of a call that is over lies where that of the next one begins. */
static __attribute__((noinline)) void filled(void)
{
	volatile u64 word[4];

	for (int i = 0; i < 4; i++)
		word[i] = 9;
}

static __attribute__((noinline)) int left_over(void)
{
	volatile u64 word[4];

	return chosen(word[1]);
}

int stack_left_over(void)
{
	filled();
	return left_over();
}
