/* The inner loop of a search over learned steps: nothing but integers.
 *
 * A state has some bits for the code of each of its places, packed into words.  What a context does
 * in a state is looked up in a decision tree, whose leaves are answers.  Python fills both, and does
 * all the rest: `search_run` returns to it with what it wants to know (enum wanted) and is called
 * again.  States, questions and findings come in the order of the loop in Python, which is the
 * reference (strategies/plain.py).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;

/* What a search returns with:  all is done; as much as was asked for; as many states were reached as
 * may be; what a context does in a state; whether the findings of an answer, or of a new view of the
 * checks, turn it back; a state without successor; there is no memory left. */
enum wanted { FINISHED, PAUSED, BOUNDED, LEARN, STEP, VIEW, END, NO_MEMORY };

/* Where the code of each place is: in which word, from which bit on, and how many bits. */
typedef struct {
  u32 words, *word;
  u8 *shift, *bits;
} Layout;

/* A branch asks for one place; child[code] is a branch (> 0), an answer (< 0), or unknown (0). */
typedef struct {
  u64 mask;
  u32 word, size, place;
  u8 shift;
  int32_t *child;
} Branch;

/* What a step writes into a word. */
typedef struct {
  u64 keep, set;
  u32 word;
} Write;

/* One step of a context, or that it cannot step; `place` and `code` are what it writes. */
typedef struct {
  u16 *place;
  u8 *code, steps, findings, watched, crashes;
  u32 count, writes;
  Write *write;
} Answer;

typedef struct {
  u32 places, slots, version;
  Layout layout;
  u8 *watched;
  int32_t *root;
  Branch *branch;
  Answer *answer;
  u32 branches, branches_max, answers, answers_max;
} Tables;

/* What Python reads: about which state, context and answer the search wants to know, the number by
 * which it is known how that was reached (that of a state, or of a node), and counts. */
typedef struct {
  u64 number, state, slot, answer, states, expanded, transitions, ends;
} Told;

/* A list that grows. */
typedef struct {
  u32 *item, count, max;
} List;

typedef struct {
  Told told;
  Tables *tables;
  Layout layout; /* that of the states here; the tables may have another one by now */
  u32 version, states_max, table_size, views, views_max, view_table_size, answers;
  u64 *state, *origin, *table, *view, *watched;
  u32 *view_table;
  u8 *view_back, *answer_told; /* 0: Python does not know it yet, 1: it does, 2: turn back */
  /* The state that is being expanded: what its steps lead to, and how far that has come. */
  u64 *to, *hash;
  u32 *slot, *which, steps, step, known, last_view;
  u8 looked, onward, keeps_dead_ends;
  List dead_ends, returns;
  /* A search by switches: how each node was reached, which contexts stand last at each state, the
   * first state and node of the level, and where the context is that goes on. */
  u64 *node_origin, *lasts, node, begin;
  u32 nodes, nodes_max, lasts_max, level_end, at;
  u8 goes_on, moved, rests;
  /* A walk: by whom its steps were made, and the contexts in the order of their priorities. */
  List taken, made;
  u32 *order;
  u8 walks;
} Search;

/* Random words of 64 bits, and how many of them were used. */
typedef struct {
  const u64 *word;
  u64 count, used;
} Words;

/* Makes room for `need` items; 0 when there is no memory. */
static int grow(void *array, u32 *max, size_t size, u32 need) {
  if (need <= *max) return 1;
  u32 more = *max + *max / 4 + 1024;
  void *grown = realloc(*(void **)array, size * (need > more ? need : more));
  if (!grown) return 0;
  *(void **)array = grown;
  *max = need > more ? need : more;
  return 1;
}

/* Layouts */

static void layout_free(Layout *l) {
  free(l->word), free(l->shift), free(l->bits);
  memset(l, 0, sizeof *l);
}

static int layout_make(Layout *l, u32 places, const u8 *bits) {
  u32 at = 0;
  l->word = calloc(places + 1, sizeof *l->word);
  l->shift = calloc(places + 1, 1);
  l->bits = calloc(places + 1, 1);
  if (!l->word || !l->shift || !l->bits) return layout_free(l), 0;
  for (u32 p = 0; p < places; p++) {
    if (at % 64 + bits[p] > 64) at += 64 - at % 64;
    l->word[p] = at / 64, l->shift[p] = at % 64, l->bits[p] = bits[p];
    at += bits[p];
  }
  l->words = at / 64 + 1;
  return 1;
}

static inline u64 mask_of(u8 bits) { return (1ull << bits) - 1; }

static void unpack(const Layout *l, u32 places, const u64 *state, u8 *codes) {
  for (u32 p = 0; p < places; p++)
    codes[p] = state[l->word[p]] >> l->shift[p] & mask_of(l->bits[p]);
}

static void pack(const Layout *l, u32 places, const u8 *codes, u64 *state) {
  memset(state, 0, 8 * l->words);
  for (u32 p = 0; p < places; p++) state[l->word[p]] |= (u64)codes[p] << l->shift[p];
}

/* Tables */

void tables_free(Tables *t) {
  if (!t) return;
  for (u32 i = 0; i < t->branches; i++) free(t->branch[i].child);
  for (u32 i = 0; i < t->answers; i++)
    free(t->answer[i].place), free(t->answer[i].code), free(t->answer[i].write);
  free(t->branch), free(t->answer), free(t->root), free(t->watched);
  layout_free(&t->layout);
  free(t);
}

static void locate(const Tables *t, Branch *b) {
  b->word = t->layout.word[b->place], b->shift = t->layout.shift[b->place];
  b->mask = mask_of(t->layout.bits[b->place]);
}

static u32 new_branch(Tables *t, u32 place) {
  if (!grow(&t->branch, &t->branches_max, sizeof(Branch), t->branches + 1)) return 0;
  Branch *b = &t->branch[t->branches];
  memset(b, 0, sizeof *b);
  b->place = place;
  locate(t, b);
  return t->branches++;
}

/* `location` is the place of the local state of each context, `bits` how many bits each place has to
 * begin with, `watched` whether the checks look at it. */
Tables *tables_new(u32 places, u32 slots, const u16 *location, const u8 *bits, const u8 *watched) {
  Tables *t = calloc(1, sizeof *t);
  if (!t) return 0;
  t->places = places, t->slots = slots;
  t->branches = t->answers = 1; /* 0 is nothing */
  t->watched = malloc(places + 1), t->root = calloc(slots + 1, sizeof *t->root);
  if (!t->watched || !t->root || !layout_make(&t->layout, places, bits) ||
      !grow(&t->answer, &t->answers_max, sizeof(Answer), 1) ||
      !grow(&t->branch, &t->branches_max, sizeof(Branch), 1)) {
    t->branches = t->answers = 0;
    return tables_free(t), (Tables *)0;
  }
  memset(t->answer, 0, sizeof(Answer)), memset(t->branch, 0, sizeof(Branch));
  memcpy(t->watched, watched, places);
  for (u32 i = 0; i < slots; i++)
    if (!(t->root[i] = new_branch(t, location[i]))) return tables_free(t), (Tables *)0;
  return t;
}

/* Writes of an answer, one for each word. */
static void pack_answer(const Tables *t, Answer *a) {
  const Layout *l = &t->layout;
  a->writes = 0;
  for (u32 i = 0; i < a->count; i++) {
    u32 p = a->place[i], j = 0;
    while (j < a->writes && a->write[j].word != l->word[p]) j++;
    if (j == a->writes) a->write[a->writes++] = (Write){~0ull, 0, l->word[p]};
    a->write[j].keep &= ~(mask_of(l->bits[p]) << l->shift[p]);
    a->write[j].set |= (u64)a->code[i] << l->shift[p];
  }
}

/* Gives a place as many bits as a code needs, and one to spare; states are packed again later. */
static int widen(Tables *t, u32 place, u8 code) {
  Layout wide = {0}, old = t->layout;
  u8 bits = 8 - (__builtin_clz((u32)code | 1) - 24), had = old.bits[place];
  old.bits[place] = bits < 8 && had ? bits + 1 : bits;
  if (!layout_make(&wide, t->places, old.bits)) return old.bits[place] = had, 0;
  layout_free(&old);
  t->layout = wide, t->version++;
  for (u32 i = 1; i < t->branches; i++) locate(t, &t->branch[i]);
  for (u32 i = 1; i < t->answers; i++) pack_answer(t, &t->answer[i]);
  return 1;
}

/* Adds an answer; returns its number, 0 when there is no memory. */
u32 tables_answer(Tables *t, u32 count, const u16 *place, const u8 *code, u8 steps, u8 findings,
                  u8 crashes) {
  for (u32 i = 0; i < count; i++)
    if (code[i] > mask_of(t->layout.bits[place[i]]) && !widen(t, place[i], code[i])) return 0;
  if (!grow(&t->answer, &t->answers_max, sizeof(Answer), t->answers + 1)) return 0;
  Answer *a = &t->answer[t->answers];
  memset(a, 0, sizeof *a);
  a->place = malloc(count * sizeof *place + 1), a->code = malloc(count + 1);
  a->write = malloc(count * sizeof(Write) + 1);
  t->answers++;
  if (!a->place || !a->code || !a->write) return 0;
  memcpy(a->place, place, count * sizeof *place), memcpy(a->code, code, count);
  a->count = count, a->steps = steps, a->findings = findings, a->crashes = crashes;
  for (u32 i = 0; i < count; i++) a->watched |= t->watched[place[i]];
  pack_answer(t, a);
  return t->answers - 1;
}

static int32_t *child(Tables *t, u32 branch, u32 code) {
  Branch *b = &t->branch[branch];
  if (code >= b->size) {
    int32_t *grown = realloc(b->child, (code + 4) * sizeof *grown);
    if (!grown) return 0;
    memset(grown + b->size, 0, (code + 4 - b->size) * sizeof *grown);
    b->child = grown, b->size = code + 4;
  }
  return &b->child[code];
}

/* Plants an answer of a context behind the codes of `count` places, of which the first is that of
 * its local state; 0 when there is no memory. */
int tables_plant(Tables *t, u32 slot, u32 count, const u16 *place, const u8 *code, u32 answer) {
  u32 branch = t->root[slot];
  int32_t *c = child(t, branch, code[0]);
  for (u32 i = 1; c && i < count; i++) {
    if (*c <= 0 || t->branch[*c].place != place[i]) {
      int32_t fresh = new_branch(t, place[i]);
      if (!fresh) return 0;
      *c = fresh;
    }
    branch = *c, c = child(t, branch, code[i]);
  }
  if (c) *c = -(int32_t)answer;
  return c != 0;
}

/* The answer of a context in a state, 0 if nobody knows it. */
static inline u32 ask(const Tables *t, u32 slot, const u64 *state) {
  int32_t c = t->root[slot];
  while (c > 0) {
    const Branch *b = &t->branch[c];
    u64 code = state[b->word] >> b->shift & b->mask;
    c = code < b->size ? b->child[code] : 0;
  }
  return -c;
}

/* States */

static inline u64 hash_of(const u64 *state, u32 words) {
  u64 h = 0;
  for (u32 i = 0; i < words; i++) {
    u64 x = (h ^ state[i]) * 0x9E3779B97F4A7C15ull;
    h += x ^ x >> 32;
  }
  h *= 0xD6E8FEB86659FD93ull;
  return h ^ h >> 32;
}

static inline int same(const u64 *a, const u64 *b, u32 words) {
  u64 differ = 0;
  for (u32 i = 0; i < words; i++) differ |= a[i] ^ b[i];
  return !differ;
}

/* An entry of the table is the upper half of a hash, and the number of the state plus one. */
static u64 entry_of(u64 hash, u32 number) { return hash >> 32 << 32 | (number + 1); }

static int rehash(Search *s, u32 size) {
  u32 words = s->layout.words;
  free(s->table);
  s->table = calloc(size, sizeof *s->table), s->table_size = s->table ? size : 0;
  if (!s->table) return 0;
  for (u32 i = 0; i < s->told.states; i++) {
    u64 hash = hash_of(s->state + (size_t)i * words, words), at = hash & (size - 1);
    while (s->table[at]) at = (at + 1) & (size - 1);
    s->table[at] = entry_of(hash, i);
  }
  return 1;
}

/* The number of a state plus one, 0 if it is new; `at` is where it stands, or may. */
static inline u32 find(const Search *s, const u64 *state, u64 hash, u64 *at) {
  u32 words = s->layout.words, last = s->table_size - 1;
  u64 entry;
  for (*at = hash & last; (entry = s->table[*at]); *at = (*at + 1) & last) {
    u32 number = (u32)entry - 1;
    if (!((entry ^ hash) >> 32) && same(s->state + (size_t)number * words, state, words))
      return number + 1;
  }
  return 0;
}

static int add(Search *s, const u64 *state, u64 hash, u64 at, u64 origin) {
  u32 words = s->layout.words, n = s->told.states;
  if (n == 1u << 30) return 0; /* numbers have 32 bits, and the table is larger than that */
  if (n == s->states_max) {
    u32 max = s->states_max;
    if (!grow(&s->state, &max, 8 * words, n + 1)) return 0;
    u64 *origins = realloc(s->origin, 8ull * max);
    if (!origins) return 0;
    s->origin = origins, s->states_max = max;
  }
  memcpy(s->state + (size_t)n * words, state, 8 * words);
  s->origin[n] = origin, s->table[at] = entry_of(hash, n);
  s->told.states = n + 1;
  return n + 1 <= s->table_size / 4 * 3 || rehash(s, s->table_size * 2);
}

/* Views: what the checks see of a state, and whether the search turns back there */

static int rehash_views(Search *s, u32 size) {
  u32 words = s->layout.words;
  free(s->view_table);
  s->view_table = calloc(size, sizeof *s->view_table);
  s->view_table_size = s->view_table ? size : 0;
  if (!s->view_table) return 0;
  for (u32 i = 0; i < s->views; i++) {
    u32 at = hash_of(s->view + (size_t)i * words, words) & (size - 1);
    while (s->view_table[at]) at = (at + 1) & (size - 1);
    s->view_table[at] = i + 1;
  }
  return 1;
}

/* The number of what the checks see of a state plus one, 0 without memory; `is_new` says whether
 * they see it for the first time. */
static u32 view_of(Search *s, const u64 *state, int *is_new) {
  u32 words = s->layout.words, max = s->views_max;
  if (!grow(&s->view, &max, 8 * words, s->views + 1)) return 0;
  if (max > s->views_max) {
    u8 *back = realloc(s->view_back, max);
    if (!back) return 0;
    s->view_back = back, s->views_max = max;
  }
  if (s->views >= s->view_table_size / 2 && !rehash_views(s, s->view_table_size * 2)) return 0;
  u64 *key = s->view + (size_t)s->views * words;
  for (u32 i = 0; i < words; i++) key[i] = state[i] & s->watched[i];
  u32 at = hash_of(key, words) & (s->view_table_size - 1), number;
  for (; (number = s->view_table[at]); at = (at + 1) & (s->view_table_size - 1))
    if (same(s->view + (size_t)(number - 1) * words, key, words)) return *is_new = 0, number;
  s->view_back[s->views] = 1;
  *is_new = 1;
  return s->view_table[at] = ++s->views;
}

/* The search */

void search_free(Search *s) {
  if (!s) return;
  free(s->state), free(s->origin), free(s->table), free(s->view), free(s->view_table);
  free(s->view_back), free(s->answer_told), free(s->watched);
  free(s->to), free(s->hash), free(s->slot), free(s->which);
  free(s->dead_ends.item), free(s->returns.item), free(s->taken.item);
  free(s->made.item), free(s->order), free(s->node_origin), free(s->lasts);
  layout_free(&s->layout);
  free(s);
}

/* Packs `count` states as the tables have them now. */
static int repack(const Search *s, const Layout *l, u64 **states, u32 count, u8 *codes) {
  u32 places = s->tables->places;
  u64 *packed = malloc(8ull * l->words * count + 8);
  if (!packed) return 0;
  for (u32 i = 0; i < count; i++) {
    unpack(&s->layout, places, *states + (size_t)i * s->layout.words, codes);
    pack(l, places, codes, packed + (size_t)i * l->words);
  }
  free(*states), *states = packed;
  return 1;
}

/* Follows the tables where these have other bits by now; 0 when there is no memory. */
static int follow(Search *s) {
  const Tables *t = s->tables;
  Layout fresh = {0};
  u8 *codes = malloc(t->places + 1);
  u64 *watched = calloc(t->layout.words, 8);
  u64 *to = malloc(8ull * t->layout.words * t->slots + 8);
  if (!codes || !watched || !to || !layout_make(&fresh, t->places, t->layout.bits) ||
      !repack(s, &fresh, &s->state, s->told.states, codes) ||
      !repack(s, &fresh, &s->view, s->views, codes))
    return free(codes), free(watched), free(to), layout_free(&fresh), 0;
  for (u32 p = 0; p < t->places; p++)
    if (t->watched[p]) watched[fresh.word[p]] |= mask_of(fresh.bits[p]) << fresh.shift[p];
  free(codes), free(s->watched), free(s->to), layout_free(&s->layout);
  s->watched = watched, s->to = to, s->layout = fresh, s->version = t->version;
  s->states_max = s->told.states, s->views_max = s->views, s->looked = 0;
  return rehash(s, s->table_size) && rehash_views(s, s->view_table_size);
}

/* A search that has reached the start, whose codes are all 0. */
Search *search_new(Tables *t, u8 keeps_dead_ends) {
  Search *s = calloc(1, sizeof *s);
  if (!s) return 0;
  s->tables = t, s->version = t->version - 1, s->keeps_dead_ends = keeps_dead_ends;
  s->table_size = s->view_table_size = 4096;
  s->hash = malloc(8 * t->slots + 8), s->slot = malloc(4 * t->slots + 4);
  s->which = malloc(4 * t->slots + 4), s->order = malloc(4 * t->slots + 4);
  u64 *start = calloc(t->layout.words, 8), at;
  if (s->hash && s->slot && s->which && s->order && start && follow(s)) {
    u64 hash = hash_of(start, s->layout.words);
    find(s, start, hash, &at);
    u64 *lasts = s->lasts = calloc(1, 8), *origin = s->node_origin = calloc(1, 8);
    s->lasts_max = s->nodes_max = s->nodes = s->level_end = s->begin = 1;
    if (lasts && origin && add(s, start, hash, at, 0)) return free(start), s;
  }
  return free(start), search_free(s), (Search *)0;
}

/* Makes a step from one state to another, and returns the hash of that. */
static inline u64 apply(const Answer *a, const u64 *from, u64 *to, u32 words) {
  memcpy(to, from, 8 * words);
  for (u32 i = 0; i < a->writes; i++)
    to[a->write[i].word] = (to[a->write[i].word] & a->write[i].keep) | a->write[i].set;
  return hash_of(to, words);
}

/* Nobody has been told yet of the findings of the answers that are new. */
static int follow_answers(Search *s) {
  u32 answers = s->tables->answers;
  if (answers <= s->answers) return 1;
  u8 *more = realloc(s->answer_told, answers);
  if (!more) return 0;
  memset(more + s->answers, 0, answers - s->answers);
  s->answer_told = more, s->answers = answers;
  return 1;
}

/* Looks up what each context does in the state that is expanded next: LEARN the first that nobody
 * knows. */
static int look(Search *s) {
  const Tables *t = s->tables;
  u32 words = s->layout.words, made = 0;
  const u64 *here = s->state + (size_t)s->told.expanded * words;
  for (u32 slot = 0; slot < t->slots; slot++) {
    u32 which = ask(t, slot, here);
    if (!which) return s->told.slot = slot, LEARN;
    const Answer *a = &t->answer[which];
    if (!a->steps) continue;
    u64 *to = s->to + (size_t)made * words;
    s->hash[made] = apply(a, here, to, words);
    __builtin_prefetch(&s->table[s->hash[made] & (s->table_size - 1)]);
    s->slot[made] = slot, s->which[made++] = which;
  }
  s->steps = made, s->looked = 1;
  return FINISHED;
}

/* Takes the next of the steps that were looked up. */
static int take(Search *s) {
  const Answer *a = &s->tables->answer[s->which[s->step]];
  u64 *to = s->to + (size_t)s->step * s->layout.words, at;
  u8 *told = &s->answer_told[s->which[s->step]];
  s->told.slot = s->slot[s->step], s->told.answer = s->which[s->step];
  if (a->findings && !*told) return *told = 1, STEP;
  if (a->findings && *told == 2) return FINISHED;
  u32 number = find(s, to, s->hash[s->step], &at);
  if (number) {
    s->known++, s->onward |= number - 1 > s->told.expanded;
    return FINISHED;
  }
  if (a->watched) {
    int is_new;
    u32 view = view_of(s, to, &is_new);
    if (!view) return NO_MEMORY;
    s->last_view = view - 1;
    if (is_new) return VIEW;
    if (s->view_back[view - 1] == 2) return FINISHED;
  }
  u64 origin = s->told.expanded * s->tables->slots + s->slot[s->step];
  return add(s, to, s->hash[s->step], at, origin) ? FINISHED : NO_MEMORY;
}

static int keep(List *list, u32 number) {
  if (!grow(&list->item, &list->max, sizeof *list->item, list->count + 1)) return 0;
  list->item[list->count++] = number;
  return 1;
}

/* Takes all steps of a state, and counts them. */
static int expand(Search *s) {
  int wanted;
  if (!s->looked && (wanted = look(s))) return wanted;
  for (; s->step < s->steps; s->step++)
    if ((wanted = take(s))) return wanted;
  u32 number = s->told.expanded, is_end = !s->steps;
  if (s->known == s->steps && !is_end)
    if ((!s->onward && !keep(&s->returns, number)) ||
        (s->keeps_dead_ends && !keep(&s->dead_ends, number)))
      return NO_MEMORY;
  s->told.transitions += s->steps, s->told.ends += is_end, s->told.expanded++;
  s->looked = s->onward = s->known = s->step = 0;
  return is_end ? END : FINISHED;
}

/* Goes on until something is wanted: up to the state number `before`, or until there are
 * `states_max` of them. */
int search_run(Search *s, u64 before, u64 states_max) {
  if ((s->version != s->tables->version && !follow(s)) || !follow_answers(s)) return NO_MEMORY;
  while (s->told.expanded < s->told.states) {
    if (!s->looked && s->told.expanded && s->told.states >= states_max) return BOUNDED;
    if (!s->looked && s->told.expanded >= before) return PAUSED;
    s->told.number = s->told.state = s->told.expanded;
    int wanted = expand(s);
    if (wanted) return wanted;
  }
  return FINISHED;
}

/* Do not go where the findings of the last STEP or VIEW show. */
void search_turn_back(Search *s, int wanted) {
  if (wanted == STEP) s->answer_told[s->told.answer] = 2;
  if (wanted == VIEW) s->view_back[s->last_view] = 2;
}

/* The search by switches: from a state where a context stood last, going on with it costs nothing,
 * and any other one a switch.  States of a level are those from `expanded` to `level_end`; the next
 * level is what they lead to. */

/* Adds a node, which is reached by `slot` from the present one. */
static int add_node(Search *s, u32 slot) {
  if (!grow(&s->node_origin, &s->nodes_max, 8, s->nodes + 1)) return 0;
  s->node_origin[s->nodes] = s->node * s->tables->slots + slot;
  s->node = s->nodes++, s->moved = 1, s->told.transitions++;
  return 1;
}

/* Where the context cannot go on: END if no other can. */
static int rest(Search *s) {
  const Tables *t = s->tables;
  const u64 *here = s->state + (size_t)s->at * s->layout.words;
  for (u32 slot = 0; s->moved && slot < t->slots; slot++) {
    u32 which = ask(t, slot, here);
    if (!which) return s->told.slot = slot, s->told.state = s->at, LEARN;
    if (t->answer[which].steps) s->moved = 0;
  }
  s->rests = s->goes_on = 0;
  return s->moved ? END : FINISHED;
}

/* Lets a context go on until it cannot, or until another way led there. */
static int go_on(Search *s, u32 slot) {
  const Tables *t = s->tables;
  u32 words = s->layout.words;
  u64 bit = 1ull << slot, at;
  while (s->goes_on && !s->rests) {
    u32 which = ask(t, slot, s->state + (size_t)s->at * words);
    s->told.number = s->node, s->told.state = s->at, s->told.slot = slot, s->told.answer = which;
    if (!which) return LEARN;
    const Answer *a = &t->answer[which];
    if (!a->steps) {
      s->rests = 1;
      break;
    }
    if (a->findings && !s->answer_told[which]) return s->answer_told[which] = 1, STEP;
    u64 hash = apply(a, s->state + (size_t)s->at * words, s->to, words);
    u32 known = find(s, s->to, hash, &at);
    if (known && (s->origin[known - 1] < s->begin || s->lasts[known - 1] & bit)) {
      s->goes_on = 0;
      break;
    }
    if (!add_node(s, slot)) return NO_MEMORY;
    if (known) {
      s->lasts[known - 1] |= bit, s->at = known - 1;
      continue;
    }
    s->at = s->told.states;
    if (!add(s, s->to, hash, at, s->node) || !grow(&s->lasts, &s->lasts_max, 8, s->at + 1))
      return NO_MEMORY;
    s->lasts[s->at] = bit;
    if (a->watched) {
      int is_new;
      if (!view_of(s, s->to, &is_new)) return NO_MEMORY;
      s->told.number = s->node, s->told.state = s->at;
      if (is_new) return VIEW;
    }
  }
  return s->rests ? rest(s) : FINISHED;
}

/* Makes levels until something is wanted: up to the state number `before`, or until there are
 * `states_max` states.  FINISHED where a level ends. */
int search_level(Search *s, u64 before, u64 states_max) {
  if ((s->version != s->tables->version && !follow(s)) || !follow_answers(s)) return NO_MEMORY;
  for (; s->told.expanded < s->level_end; s->told.expanded++, s->step = 0) {
    u32 here = s->told.expanded;
    if (!s->step && !s->goes_on && here >= before) return PAUSED;
    for (; s->step < s->tables->slots; s->step++) {
      if (!s->goes_on && s->lasts[here] >> s->step & 1) continue;
      if (!s->goes_on) s->goes_on = 1, s->moved = 0, s->at = here, s->node = s->origin[here];
      int wanted = go_on(s, s->step);
      if (wanted == END) s->step++, s->told.number = s->node, s->told.state = s->at;
      if (wanted) return wanted;
    }
    if (s->told.states >= states_max) return BOUNDED;
  }
  s->level_end = s->told.states, s->begin = s->nodes;
  return FINISHED;
}

/* Random walks */

/* Draws a number below n, each equally likely, as `Stream.below` does; 0 when the words run out. */
static int draw(Words *w, u64 n, u32 *drawn) {
  u64 least = -n % n;
  while (w->used < w->count) {
    unsigned __int128 product = (unsigned __int128)w->word[w->used++] * n;
    if ((u64)product >= least) return *drawn = product >> 64, 1;
  }
  return 0;
}

/* Begins a walk, with an order drawn for the contexts where they have priorities. */
static int begin_walk(Search *s, Words *words, u32 one_in) {
  for (u32 slot = 0; slot < s->tables->slots; slot++) s->order[slot] = slot;
  for (u32 last = s->tables->slots; one_in && last-- > 1;) {
    u32 other, moved = s->order[last];
    if (!draw(words, last + 1, &other)) return 0;
    s->order[last] = s->order[other], s->order[other] = moved;
  }
  s->walks = 1, s->taken.count = s->made.count = 0, s->at = 0, s->rests = 0;
  return 1;
}

/* Chooses a context that can step, any, or the first in the order; that is put last in one of
 * `one_in` cases.  END where nobody can step, PAUSED where it needs more words. */
static int choose(Search *s, Words *words, u32 one_in, u32 *chosen) {
  const Tables *t = s->tables;
  const u64 *here = s->state + (size_t)s->at * s->layout.words;
  u32 able = 0, which, drawn;
  for (u32 place = 0; place < t->slots && !(one_in && able); place++) {
    u32 slot = s->order[place];
    if (!(which = ask(t, slot, here))) return s->told.slot = slot, LEARN;
    if (t->answer[which].steps) s->slot[able] = place, s->which[able++] = which;
  }
  if (!able) return END;
  if (!draw(words, one_in ? one_in : able, &drawn)) return PAUSED;
  u32 n = one_in ? 0 : drawn, place = s->slot[n];
  s->told.answer = s->which[n], *chosen = s->order[place];
  if (one_in && !drawn) {
    memmove(s->order + place, s->order + place + 1, (t->slots - place - 1) * sizeof *s->order);
    s->order[t->slots - 1] = *chosen;
  }
  return FINISHED;
}

/* Goes on with a walk: END where nobody can step, FINISHED after `longest` steps or where a patch
 * fails; a new one begins after either.  PAUSED where it needs more words. */
int search_walk(Search *s, Words *words, u32 longest, u32 one_in) {
  const Tables *t = s->tables;
  if ((s->version != t->version && !follow(s)) || !follow_answers(s)) return NO_MEMORY;
  u64 used = words->used, at;
  if (!s->walks && !begin_walk(s, words, one_in)) return words->used = used, PAUSED;
  while (s->taken.count < longest && !s->rests) {
    u32 slot, size = s->layout.words;
    used = words->used, s->told.state = s->at;
    int wanted = choose(s, words, one_in, &slot);
    if (wanted == PAUSED) words->used = used;
    if (wanted == END) s->walks = 0, s->told.ends++;
    if (wanted) return wanted;
    u32 which = s->told.answer;
    const Answer *a = &t->answer[which];
    u64 hash = apply(a, s->state + (size_t)s->at * size, s->to, size);
    u32 number = find(s, s->to, hash, &at);
    if (!number && !add(s, s->to, hash, at, 0)) return NO_MEMORY;
    s->told.slot = slot, s->at = number ? number - 1 : s->told.states - 1;
    if (!keep(&s->taken, slot) || !keep(&s->made, which)) return NO_MEMORY;
    s->told.transitions++, s->rests = a->crashes, s->told.state = s->at;
    int is_new = 0;
    if (a->watched && !view_of(s, s->to, &is_new)) return NO_MEMORY;
    int has_news = a->findings && !s->answer_told[which];
    s->answer_told[which] |= has_news;
    if (has_news || is_new) return VIEW;
  }
  return s->walks = 0, FINISHED;
}

/* How a node was reached: the number of the one before times the contexts, plus the context. */
u64 search_node(const Search *s, u32 node) { return s->node_origin[node]; }

/* The codes of a state; of that which the step leads to that is looked at. */
void search_state(const Search *s, u32 number, u8 *codes) {
  unpack(&s->layout, s->tables->places, s->state + (size_t)number * s->layout.words, codes);
}

void search_next(const Search *s, u8 *codes) {
  unpack(&s->layout, s->tables->places, s->to + (size_t)s->step * s->layout.words, codes);
}

/* Whether a state was reached; -1 without memory. */
int search_knows(Search *s, const u8 *codes) {
  u64 at;
  if (s->version != s->tables->version && !follow(s)) return -1;
  pack(&s->layout, s->tables->places, codes, s->to);
  s->looked = 0; /* what the next state leads to has to be looked up again */
  return find(s, s->to, hash_of(s->to, s->layout.words), &at) != 0;
}

/* Which kinds of steps can be made side by side: `kind` has that of each of the `answers`, 0 for those
 * that do not matter, and first[a * kinds + b] becomes the number plus one of the first state in which
 * a context can make a step of kind a, and a later one a step of kind b; or either of them after the
 * other, which is `late`.  Two that are on one HART cannot: `cpu` is the place of what says where a
 * context is, and `hart` has a HART for each of its 256 codes, NOWHERE for an interrupt. */
enum { NOWHERE = 255 };

typedef struct {
  u32 answers, kinds, *first;
  const u16 *kind, *cpu;
  const u8 *late, *hart;
} Pairs;

/* The kind of what a context does in a state, 0 if that does not matter; where the context is. */
static u32 kind_in(const Search *s, const Pairs *p, const u64 *state, u32 slot, u32 *which, u8 *at) {
  const Layout *l = &s->layout;
  u32 place = p->cpu[slot];
  *which = ask(s->tables, slot, state);
  u8 code = state[l->word[place]] >> l->shift[place] & mask_of(l->bits[place]);
  *at = p->hart[slot * 256 + code];
  return *which < p->answers ? p->kind[*which] : 0;
}

static void meet(const Pairs *p, u32 one, u32 other, u8 on, u8 at, u32 number) {
  u32 *pair = &p->first[one * p->kinds + other];
  if (!*pair && (on == NOWHERE || at == NOWHERE || on != at)) *pair = number + 1;
}

/* A late step was made in a state: what can be done after it is done beside it. */
static void pairs_after(Search *s, const Pairs *p, u32 number, u32 slot, u32 which, u8 on) {
  const u64 *here = s->state + (size_t)number * s->layout.words;
  apply(&s->tables->answer[which], here, s->to, s->layout.words);
  for (u32 other = 0; other < s->tables->slots; other++) {
    u32 answer, one = p->kind[which], two;
    u8 at;
    if (other == slot || !(two = kind_in(s, p, s->to, other, &answer, &at))) continue;
    meet(p, slot < other ? one : two, slot < other ? two : one, on, at, number);
  }
}

int search_pairs(Search *s, u32 answers, const u16 *kind, const u8 *late, u32 kinds, const u16 *cpu,
                 const u8 *hart, u32 *first) {
  const Pairs p = {answers, kinds, first, kind, cpu, late, hart};
  if (s->version != s->tables->version && !follow(s)) return NO_MEMORY;
  for (u32 number = 0; number < s->told.states; number++) {
    u32 made = 0;
    for (u32 slot = 0; slot < s->tables->slots; slot++) {
      const u64 *here = s->state + (size_t)number * s->layout.words;
      u32 which, own;
      u8 at;
      if (!(own = kind_in(s, &p, here, slot, &which, &at))) continue;
      for (u32 other = 0; other < made; other++)
        meet(&p, s->which[other], own, s->slot[other], at, number);
      s->which[made] = own, s->slot[made++] = at;
      if (late[which]) pairs_after(s, &p, number, slot, which, at);
    }
  }
  s->looked = 0;
  return FINISHED;
}

/* How a state was reached: the number of the one before times the contexts, plus the context. */
u64 search_origin(const Search *s, u32 number) { return s->origin[number]; }

/* A list: 0 and 1, states from which every step led to a known one, or to an earlier one; 2 and 3,
 * the contexts that made the steps of the walk, and the answers that these were. */
u32 search_list(const Search *s, int which, const u32 **items) {
  const List *lists[] = {&s->dead_ends, &s->returns, &s->taken, &s->made}, *list = lists[which];
  return *items = list->item, list->count;
}

/* The memory that a search takes, in bytes. */
u64 search_bytes(const Search *s) {
  u64 words = s->layout.words;
  return 8 * words * s->states_max + 8ull * s->states_max + 8ull * s->table_size +
         (8 * words + 1) * s->views_max + 4ull * s->view_table_size +
         4ull * (s->dead_ends.max + s->returns.max);
}

const char *search_source(void) { return SOURCE_DIGEST; }
