// SPDX-License-Identifier: GPL-2.0
/*
 * Operations of the workers: every call of the API, wherever it is allowed.
 *
 * A worker draws an operation by weight from those of its context. It checks that a new object is
 * what the API promises, gives it a pattern, and puts it into a table.
 */
#define pr_fmt(fmt) "kspan-stress: " fmt

#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "../../kunit/kspan_kunit.h"
#include "api/private.h"
#include "observe/stats.h"
#include "stress.h"

#define IN_TASK		BIT(STRESS_TASK)
#define IN_NMI		BIT(STRESS_NMI)
#define NOT_IN_NMI	(IN_TASK | BIT(STRESS_SOFTIRQ) | BIT(STRESS_HARDIRQ))
#define ANYWHERE	(NOT_IN_NMI | IN_NMI)

#define LABEL_BYTES	sizeof(struct stress_label)
#define SOURCE_BYTES	4096
#define TEXT_BYTES	200
/* Most bytes of all objects of a bulk allocation. */
#define BULK_BYTES	(256 << 10)

/*
 * The size for kspan_prefill(). No other operation takes objects of its class by
 * kspan_malloc_nolock(). So the reserve must have what was promised.
 */
#define PREFILL_SIZE	112
#define PREFILL_OBJECTS	32

/**
 * struct request - an allocation
 * @size:	bytes
 * @gfp:		flags that the context allows
 * @align:	alignment that is promised
 * @usable:	kspan_size() that is promised, 0 for at least @size
 * @zeroed:	zeroed memory is promised
 * @must:	the request may not fail
 */
struct request {
	size_t size;
	gfp_t gfp;
	size_t align;
	size_t usable;
	bool zeroed;
	bool must;
};

/**
 * struct choice - an operation or a call that may be drawn
 * @alloc:	a way to allocate; it changes the request if it asks for other things
 * @run:		an operation
 * @weight:	how often, in proportion to the others
 * @contexts:	where it is allowed
 */
struct choice {
	union {
		void *(*alloc)(struct stress_worker *worker, struct request *request);
		void (*run)(struct stress_worker *worker);
	};
	unsigned int weight;
	unsigned int contexts;
};

/* kspan_memdup() and similar calls copy this. It has no byte 0. */
static u8 source[SOURCE_BYTES + 1];

static DEFINE_MUTEX(prefill_mutex);
/* Number of calls of kspan_malloc_nolock(PREFILL_SIZE) that must succeed. */
static atomic_t guaranteed;

/*
 * Besides the default heap: a heap without a limit, one that is often at its limit, and a typed
 * cache.
 */
static struct kspan_heap *heap, *limited_heap;
static struct kspan_cache *cache;

/* This is also the size of a class, so that all objects have the same usable size. */
#define CACHE_SIZE	144

static gfp_t random_gfp(struct stress_worker *worker, bool *must)
{
	*must = false;
	if (worker->context != STRESS_TASK)
		return GFP_ATOMIC | __GFP_NOWARN;
	switch (stress_below(worker, 64)) {
	case 0 ... 3:
		return GFP_NOWAIT | __GFP_NOWARN;
	case 4 ... 7:
		return GFP_ATOMIC | __GFP_NOWARN;
	case 8 ... 15:
		return GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN;
	case 16:
		*must = true;
		return GFP_KERNEL | __GFP_NOFAIL | __GFP_NOWARN;
	default:
		return GFP_KERNEL | __GFP_NOWARN;
	}
}

static size_t exact_class_size(struct stress_worker *worker)
{
	unsigned int class = 1 + stress_below(worker, KSPAN_NR_CLASSES - 1);

	return kspan_size_classes[class].size;
}

/* About a multiple of kspan's page. */
static size_t large_size(struct stress_worker *worker)
{
	return (5 + stress_below(worker, 8)) * KSPAN_PAGE_SIZE - 1 + stress_below(worker, 3);
}

static size_t random_size(struct stress_worker *worker)
{
	unsigned int how = stress_below(worker, 256), shift;

	/* Objects of class sizes and large ones take long to check. */
	if (how < 16 && worker->context <= STRESS_SOFTIRQ)
		return exact_class_size(worker);
	if (how == 16)
		return large_size(worker);
	if (how == 17 && worker->context == STRESS_TASK)
		return 1 + stress_below(worker, 1 << 20);
	shift = stress_below(worker, worker->max_shift);
	return BIT(shift) + stress_below(worker, BIT(shift));
}

static void request_size(struct request *request, size_t size)
{
	request->size = size;
	request->align = stress_align(size);
	request->usable = kspan_size_roundup(size);
}

static void random_request(struct stress_worker *worker, struct request *request)
{
	request_size(request, random_size(worker));
	request->gfp = random_gfp(worker, &request->must);
	request->zeroed = false;
}

static void *by_malloc(struct stress_worker *worker, struct request *request)
{
	return kspan_malloc(request->size, request->gfp);
}

static void *by_zalloc(struct stress_worker *worker, struct request *request)
{
	request->zeroed = true;
	return kspan_zalloc(request->size, request->gfp);
}

static void *by_constant(struct stress_worker *worker, struct request *request)
{
	switch (stress_below(worker, 4)) {
	case 0:
		request_size(request, 8);
		return kspan_malloc(8, request->gfp);
	case 1:
		request_size(request, 64);
		return kspan_malloc(64, request->gfp);
	case 2:
		request_size(request, 1000);
		return kspan_malloc(1000, request->gfp);
	default:
		request_size(request, 200);
		request->zeroed = true;
		return kspan_zalloc(200, request->gfp);
	}
}

/* With __GFP_THISNODE the object must be of that node. The node may not exist. */
static void *by_malloc_node(struct stress_worker *worker, struct request *request)
{
	int node = (int)stress_below(worker, nr_node_ids + 1) - 1;
	void *p;

	if (node == NUMA_NO_NODE || request->must || stress_below(worker, 4))
		return kspan_malloc_node(request->size, request->gfp, node);
	p = kspan_malloc_node(request->size, request->gfp | __GFP_THISNODE, node);
	if (p)
		stress_same("node", p, request->size, node, page_to_nid(virt_to_page(p)));
	return p;
}

/* Split the size into elements of up to 64 bytes. Returns the size of an element. */
static size_t split(struct stress_worker *worker, struct request *request)
{
	size_t element = 1 + stress_below(worker, min_t(size_t, request->size, 64));

	request_size(request, request->size / element * element);
	return element;
}

static void *by_malloc_array(struct stress_worker *worker, struct request *request)
{
	size_t element = split(worker, request);

	return kspan_malloc_array(request->size / element, element, request->gfp);
}

static void *by_calloc(struct stress_worker *worker, struct request *request)
{
	size_t element = split(worker, request);

	request->zeroed = true;
	return kspan_calloc(request->size / element, element, request->gfp);
}

static void *by_malloc_aligned(struct stress_worker *worker, struct request *request)
{
	size_t align = BIT(3 + stress_below(worker, 11));

	request->align = max(align, stress_align(ALIGN(request->size, align)));
	request->usable = kspan_size_roundup(ALIGN(request->size, align));
	return kspan_malloc_aligned(request->size, align, request->gfp);
}

static void *by_tiny_alloc(struct stress_worker *worker, struct request *request)
{
	size_t size = 1 + stress_below(worker, 17);

	request_size(request, size);
	if (size < 16) {
		request->align = min(size & -size, 8UL);
		request->usable = 0;
	}
	request->zeroed = !stress_below(worker, 4);
	if (request->zeroed)
		request->gfp |= __GFP_ZERO;
	return kspan_tiny_alloc(size, request->gfp);
}

static void *by_nolock(struct stress_worker *worker, struct request *request)
{
	if (kspan_size_roundup(request->size) == PREFILL_SIZE)
		request_size(request, PREFILL_SIZE + 1);
	request->must = false;
	return kspan_malloc_nolock(request->size);
}

static void *by_heap(struct stress_worker *worker, struct request *request)
{
	return kspan_heap_malloc(heap, request->size, request->gfp);
}

static void *by_limited_heap(struct stress_worker *worker, struct request *request)
{
	request->zeroed = true;
	return kspan_heap_zalloc(limited_heap, request->size, request->gfp);
}

static void *by_cache(struct stress_worker *worker, struct request *request)
{
	request_size(request, CACHE_SIZE);
	request->align = 8;
	return kspan_cache_alloc(cache, request->gfp);
}

static void expect_copy(const void *p, const void *from, size_t size)
{
	if (p && memcmp(p, from, size))
		stress_broken("copy", p, size, *(u8 *)from, *(u8 *)p);
}

static void *by_memdup(struct stress_worker *worker, struct request *request)
{
	void *p;

	if (request->size > SOURCE_BYTES)
		request_size(request, SOURCE_BYTES);
	p = kspan_memdup(source, request->size, request->gfp);
	expect_copy(p, source, request->size);
	return p;
}

static const char *random_text(struct stress_worker *worker)
{
	return (char *)source + SOURCE_BYTES - stress_below(worker, TEXT_BYTES);
}

static void *by_strdup(struct stress_worker *worker, struct request *request)
{
	const char *text = random_text(worker);
	char *p;

	request_size(request, strlen(text) + 1);
	p = kspan_strdup(text, request->gfp);
	expect_copy(p, text, request->size);
	return p;
}

static void *by_strndup(struct stress_worker *worker, struct request *request)
{
	const char *text = random_text(worker);
	size_t max = stress_below(worker, TEXT_BYTES);
	char *p;

	request_size(request, strnlen(text, max) + 1);
	p = kspan_strndup(text, max, request->gfp);
	expect_copy(p, text, request->size - 1);
	if (p)
		stress_same("end", p, request->size, 0, p[request->size - 1]);
	return p;
}

static void *by_asprintf(struct stress_worker *worker, struct request *request)
{
	const char *text = random_text(worker);
	char *p;

	request_size(request, snprintf(worker->text, sizeof(worker->text), "%u %s %zx",
				       worker->tag, text, request->size) + 1);
	p = kspan_asprintf(request->gfp, "%s", worker->text);
	expect_copy(p, worker->text, request->size);
	return p;
}

static const struct choice allocators[] = {
	{ .alloc = by_malloc, .weight = 12, .contexts = ANYWHERE },
	{ .alloc = by_constant, .weight = 6, .contexts = ANYWHERE },
	{ .alloc = by_tiny_alloc, .weight = 6, .contexts = ANYWHERE },
	{ .alloc = by_nolock, .weight = 4, .contexts = ANYWHERE },
	{ .alloc = by_nolock, .weight = 12, .contexts = IN_NMI },
	{ .alloc = by_heap, .weight = 8, .contexts = ANYWHERE },
	{ .alloc = by_limited_heap, .weight = 2, .contexts = NOT_IN_NMI },
	{ .alloc = by_cache, .weight = 4, .contexts = ANYWHERE },
	{ .alloc = by_zalloc, .weight = 4, .contexts = NOT_IN_NMI },
	{ .alloc = by_malloc_node, .weight = 3, .contexts = NOT_IN_NMI },
	{ .alloc = by_malloc_array, .weight = 1, .contexts = NOT_IN_NMI },
	{ .alloc = by_calloc, .weight = 1, .contexts = NOT_IN_NMI },
	{ .alloc = by_malloc_aligned, .weight = 2, .contexts = NOT_IN_NMI },
	{ .alloc = by_memdup, .weight = 1, .contexts = NOT_IN_NMI },
	{ .alloc = by_strdup, .weight = 1, .contexts = NOT_IN_NMI },
	{ .alloc = by_strndup, .weight = 1, .contexts = NOT_IN_NMI },
	{ .alloc = by_asprintf, .weight = 1, .contexts = NOT_IN_NMI },
};

/* Draw one of the choices for the worker's context. */
static const struct choice *draw(struct stress_worker *worker, const struct choice *choices,
				 unsigned int n)
{
	unsigned int all = 0, at, i;

	for (i = 0; i < n; i++)
		if (choices[i].contexts & BIT(worker->context))
			all += choices[i].weight;
	at = stress_below(worker, all);
	for (i = 0; ; i++) {
		if (!(choices[i].contexts & BIT(worker->context)))
			continue;
		if (at < choices[i].weight)
			return &choices[i];
		at -= choices[i].weight;
	}
}

/* Check all that is promised of a new object. */
static void check_new(const void *p, const struct request *request)
{
	size_t usable = kspan_size(p), size = request->size;
	const void *bad;

	stress_same("alignment of a new one", p, size, 0,
		    (unsigned long)p & (request->align - 1));
	/* The object may have pages of its own, if there was no span. */
	if (request->usable && usable % PAGE_SIZE)
		stress_same("kspan_size() of a new one", p, size, request->usable, usable);
	else
		stress_same("kspan_size() of a new one", p, size, max(size, usable), usable);
	if (!request->zeroed)
		return;
	/* Another object may lie behind a tiny one. */
	bad = memchr_inv(p, 0, request->usable ? usable : size);
	if (bad)
		stress_broken("zeroed byte", bad, size, 0, *(u8 *)bad);
}

/* Count the result of a call. Returns whether it is an object. */
static bool got(struct stress_worker *worker, const void *p, const struct request *request)
{
	if (p) {
		worker->counts.allocs++;
		check_new(p, request);
		return true;
	}
	worker->counts.failed++;
	if (request->must)
		stress_broken("NULL where it must not be", NULL, request->size, 1, 0);
	return false;
}

static void *allocate(struct stress_worker *worker, struct request *request)
{
	void *p;

	random_request(worker, request);
	p = draw(worker, allocators, ARRAY_SIZE(allocators))->alloc(worker, request);
	return got(worker, p, request) ? p : NULL;
}

static void do_alloc(struct stress_worker *worker)
{
	struct request request;
	void *p = allocate(worker, &request);

	if (p)
		stress_put(worker, p, request.size, request.align);
}

static void do_free(struct stress_worker *worker)
{
	size_t size;
	void *p = stress_take(worker, &size);

	stress_dispose(worker, p, size);
}

/* Allocate and free the newest object of a magazine. */
static void do_alloc_and_free(struct stress_worker *worker)
{
	struct request request;
	void *p = allocate(worker, &request);

	stress_dispose(worker, p, 0);
}

static void do_alloc_bulk(struct stress_worker *worker)
{
	unsigned int n = 1 + stress_below(worker, worker->max_bulk), i;
	struct request request;

	random_request(worker, &request);
	if (request.size > BULK_BYTES / n)
		request_size(&request, BULK_BYTES / n);
	if (!stress_below(worker, 4)) {
		request.zeroed = true;
		request.gfp |= __GFP_ZERO;
	}
	i = kspan_alloc_bulk(request.size, request.gfp, n, worker->objects);
	if (!i) {
		got(worker, NULL, &request);
		return;
	}
	stress_same("number", NULL, request.size, n, i);
	for (i = 0; i < n; i++) {
		got(worker, worker->objects[i], &request);
		stress_put(worker, worker->objects[i], request.size, request.align);
	}
}

static void do_free_bulk(struct stress_worker *worker)
{
	unsigned int n = 1 + stress_below(worker, worker->max_bulk), i, taken = 0;
	size_t size;

	for (i = 0; i < n; i++) {
		void *p = stress_take(worker, &size);

		if (p)
			worker->objects[taken++] = p;
	}
	worker->counts.frees += taken;
	kspan_free_bulk(taken, worker->objects);
}

/* Check an object after kspan_realloc(). */
static void check_resized(const void *p, const struct request *request,
			  const struct stress_label *old, size_t old_usable)
{
	size_t usable = kspan_size(p), kept = min_t(size_t, old->size, request->size);
	const void *bad;

	stress_same("kspan_size() of a resized one", p, request->size,
		    max(request->size, usable), usable);
	stress_same("alignment of a resized one", p, request->size, 0,
		    (unsigned long)p & (request->align - 1));
	if (kept >= LABEL_BYTES &&
	    stress_same("label of a resized one", p, request->size, 0,
			memcmp(p, old, sizeof(*old))))
		stress_check_pattern(p, LABEL_BYTES, kept);
	/* The usable size of a tiny object depends on its neighbours. */
	kept = min(old_usable, request->size);
	if (!request->zeroed || old->size < LABEL_BYTES || kept >= usable)
		return;
	bad = memchr_inv(p + kept, 0, usable - kept);
	if (bad)
		stress_broken("zeroed byte of a resized one", bad, request->size, 0, *(u8 *)bad);
}

static void *resize(struct stress_worker *worker, void *p, struct request *request)
{
	size_t element;

	if (stress_below(worker, 4))
		return kspan_realloc(p, request->size, request->gfp);
	element = split(worker, request);
	return kspan_realloc_array(p, request->size / element, element, request->gfp);
}

static void do_realloc(struct stress_worker *worker)
{
	struct stress_label old = { .align = 1 };
	struct request request;
	size_t size, usable;
	void *p, *new;

	p = stress_take(worker, &size);
	if (!p)
		return;
	random_request(worker, &request);
	request.zeroed = !stress_below(worker, 4);
	if (request.zeroed)
		request.gfp |= __GFP_ZERO;
	/* Often ask for a little more or less, which kspan may do in place. */
	if (size && stress_below(worker, 2))
		request_size(&request, size / 2 + 1 + stress_below(worker, size));
	if (size >= LABEL_BYTES)
		old = *(struct stress_label *)p;
	old.size = size;
	usable = kspan_size(p);
	new = resize(worker, p, &request);
	if (!new) {
		worker->counts.failed++;
		if (request.must)
			stress_broken("NULL where it must not be", p, request.size, 1, 0);
		if (size >= LABEL_BYTES && stress_check_label(p))
			stress_check_pattern(p, LABEL_BYTES, size);
		stress_dispose(worker, p, size);
		return;
	}
	if (new == p)
		request.align = old.align;
	check_resized(new, &request, &old, usable);
	stress_put(worker, new, request.size, request.align);
}

/* Move an object to another slot. */
static void do_check(struct stress_worker *worker)
{
	size_t size, align = 1;
	void *p = stress_take(worker, &size);

	if (!p)
		return;
	if (size >= LABEL_BYTES)
		align = ((struct stress_label *)p)->align;
	if (size)
		stress_put(worker, p, size, align);
	else
		stress_dispose(worker, p, size);
}

static void do_owns(struct stress_worker *worker)
{
	size_t size;
	void *p = stress_take(worker, &size);

	if (p)
		stress_same("kspan_owns()", p, size, true, kspan_owns(p));
	stress_same("kspan_owns() of another", &size, size, false, kspan_owns(&size));
	stress_dispose(worker, p, size);
}

static void do_rcu_replace(struct stress_worker *worker)
{
	struct stress_rcu_object *object;
	struct request request;

	random_request(worker, &request);
	request_size(&request, sizeof(*object) + stress_below(worker, 1000));
	object = kspan_malloc(request.size, request.gfp);
	if (!got(worker, object, &request))
		return;
	stress_stamp(worker, object, request.size, request.align, sizeof(*object));
	stress_replace_rcu(worker, object);
}

/*
 * A worker may have counted an object as guaranteed, and not taken it yet. So have a spare object
 * for each worker.
 */
static void do_prefill(struct stress_worker *worker)
{
	unsigned int spare = STRESS_NR_CONTEXTS * num_possible_cpus();
	bool must;

	if (atomic_read(&guaranteed) > 0 || !mutex_trylock(&prefill_mutex))
		return;
	if (kspan_prefill(PREFILL_SIZE, PREFILL_OBJECTS + spare, random_gfp(worker, &must)))
		worker->counts.failed++;
	else
		atomic_set(&guaranteed, PREFILL_OBJECTS);
	mutex_unlock(&prefill_mutex);
}

static void do_guaranteed(struct stress_worker *worker)
{
	struct request request = { .must = true };
	void *p;

	if (atomic_dec_if_positive(&guaranteed) < 0)
		return;
	request_size(&request, PREFILL_SIZE);
	p = kspan_malloc_nolock(PREFILL_SIZE);
	if (got(worker, p, &request))
		stress_put(worker, p, request.size, request.align);
}

static void do_nothing(struct stress_worker *worker)
{
	size_t none = 0;
	void *p;

	/* Hide the value from the compiler. */
	OPTIMIZER_HIDE_VAR(none);
	p = kspan_malloc(none, GFP_ATOMIC);
	stress_same("address", p, 0, (unsigned long)ZERO_SIZE_PTR, (unsigned long)p);
	stress_same("kspan_size()", p, 0, 0, kspan_size(p));
	kspan_free(p);
	kspan_free(NULL);
}

/* Create a heap, use it, and destroy it with objects in it. */
static void do_heap(struct stress_worker *worker)
{
	struct kspan_heap *own = kspan_heap_create("stress own", SZ_2M, 0);
	unsigned int n = 1 + stress_below(worker, 64);
	struct request request;
	void *p;

	if (!own) {
		worker->counts.failed++;
		return;
	}
	while (n--) {
		random_request(worker, &request);
		request.gfp &= ~__GFP_NOFAIL;
		p = kspan_heap_malloc(own, request.size, request.gfp);
		if (p && stress_below(worker, 2))
			kspan_free(p);
	}
	/* The destruction would report these objects. */
	kspan_heap_reset(own);
	kspan_heap_destroy(own);
}

static const struct choice operations[] = {
	{ .run = do_alloc, .weight = 40, .contexts = ANYWHERE },
	{ .run = do_free, .weight = 28, .contexts = ANYWHERE },
	{ .run = do_alloc_and_free, .weight = 8, .contexts = ANYWHERE },
	{ .run = do_free_bulk, .weight = 1, .contexts = ANYWHERE },
	{ .run = do_check, .weight = 4, .contexts = ANYWHERE },
	{ .run = stress_read_rcu, .weight = 8, .contexts = ANYWHERE },
	{ .run = do_guaranteed, .weight = 2, .contexts = ANYWHERE },
	{ .run = do_nothing, .weight = 1, .contexts = ANYWHERE },
	{ .run = do_alloc_bulk, .weight = 1, .contexts = NOT_IN_NMI },
	{ .run = do_realloc, .weight = 8, .contexts = NOT_IN_NMI },
	{ .run = do_owns, .weight = 1, .contexts = NOT_IN_NMI },
	{ .run = do_rcu_replace, .weight = 4, .contexts = NOT_IN_NMI },
	{ .run = do_prefill, .weight = 1, .contexts = IN_TASK },
};

/**
 * stress_operate() - do one operation
 * @worker:	runs in its context
 */
void stress_operate(struct stress_worker *worker)
{
	draw(worker, operations, ARRAY_SIZE(operations))->run(worker);
	worker->counts.operations++;
}

/**
 * stress_housekeep() - do an operation on a whole heap
 * @worker:	a task that is bound to no CPU
 */
void stress_housekeep(struct stress_worker *worker)
{
	struct kspan_stats stats;

	switch (stress_below(worker, 12)) {
	case 0 ... 1:
		kspan_stats_read(&stats);
		break;
	case 2 ... 3:
		kspan_barrier();
		break;
	case 4:
		kspan_heap_drain(&kspan_default_heap);
		break;
	case 5:
		kspan_page_heap_release_all();
		break;
	case 6:
		kspan_heap_trim(stress_below(worker, 2) ? heap : limited_heap);
		break;
	case 7:
		kspan_cache_trim(cache);
		break;
	case 8 ... 9:
		do_heap(worker);
		break;
	default:
		/* Have few objects at times, so that arenas are released. */
		stress_set_window(1 + (stress_live - 1) / (1 + stress_below(worker, 8)));
	}
	worker->counts.operations++;
}

/**
 * stress_operations_init() - create the heaps, and fill the source of copies
 *
 * Return: 0 or -ENOMEM.
 */
int stress_operations_init(void)
{
	unsigned int i;

	heap = kspan_heap_create("stress", 0, 0);
	limited_heap = kspan_heap_create("stress limited", SZ_256K, 0);
	cache = kspan_cache_create("stress", CACHE_SIZE, 0, KSPAN_TYPESAFE_BY_RCU, NULL);
	if (!heap || !limited_heap || !cache) {
		kspan_heap_destroy(heap);
		kspan_heap_destroy(limited_heap);
		kspan_cache_destroy(cache);
		return -ENOMEM;
	}

	get_random_bytes(source, SOURCE_BYTES);
	for (i = 0; i < SOURCE_BYTES; i++)
		source[i] |= 1;
	return 0;
}

static void check_heap(struct kspan_heap *checked, struct kspan_finding *finding)
{
	unsigned long live;

	if (finding->what)
		return;
	kspan_find_inconsistency(checked, finding);
	live = kspan_private_live(checked);
	if (!finding->what && live)
		*finding = (struct kspan_finding) { .what = "objects left in a heap", .got = live };
}

/**
 * stress_operations_exit() - drain the reserve, and destroy the heaps
 * @finding:	set to an error in the heaps, which have no objects any more
 */
void stress_operations_exit(struct kspan_finding *finding)
{
	memset(finding, 0, sizeof(*finding));
	kspan_prefill(PREFILL_SIZE, 0, GFP_KERNEL);
	kspan_barrier();
	check_heap(heap, finding);
	check_heap(limited_heap, finding);
	check_heap((struct kspan_heap *)cache, finding);
	kspan_heap_destroy(heap);
	kspan_heap_destroy(limited_heap);
	if (kspan_cache_destroy(cache) && !finding->what)
		finding->what = "cache that is not destroyed";
}
