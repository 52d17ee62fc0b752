// SPDX-License-Identifier: GPL-2.0
/*
 * A region for each CPU
 *
 * Users of one CPU take turns with its region: they turn interrupts off while they use it. So an
 * NMI alone can come in between, and it gets no region.
 *
 * Context: as each function says.
 */
#include <linux/kspan.h>
#include <linux/percpu.h>
#include <linux/preempt.h>

#include "kits/region.h"
#include "objects/handle.h"

/**
 * struct kspan_cpu_region - a region for each CPU
 * @regions:	regions of all possible CPUs; they have no handles of their own
 * @handle:	entry in the table of what modules have made
 */
struct kspan_cpu_region {
	struct kspan_region * __percpu *regions;
	struct kspan_handle handle;
};

static void destroy_cpu_regions(struct kspan_cpu_region *cr)
{
	struct kspan_region *r;
	int cpu;

	if (cr->regions)
		for_each_possible_cpu(cpu) {
			r = *per_cpu_ptr(cr->regions, cpu);
			if (r)
				kspan_region_free(kspan_region_body(r));
		}
	free_percpu(cr->regions);
	kspan_free(cr);
}

/**
 * __kspan_cpu_region_create() - kspan_cpu_region_create() for a module
 * @h:		heap for the chunks; NULL for the default heap
 * @chunk:	bytes of a chunk; 0 for 32 KiB
 * @gfp:	GFP_KERNEL, maybe with modifiers
 * @owner:	module that the regions are for, THIS_MODULE there
 *
 * Context: task; sleeps.
 * Return: the regions or NULL.
 */
struct kspan_cpu_region *__kspan_cpu_region_create(struct kspan_heap *h, size_t chunk, gfp_t gfp,
						   struct module *owner)
{
	struct kspan_cpu_region *cr = kspan_malloc(sizeof(*cr), gfp | __GFP_ZERO);
	struct kspan_region_body *r;
	int cpu;

	if (!cr)
		return NULL;
	cr->regions = alloc_percpu_gfp(struct kspan_region *, gfp);
	if (!cr->regions)
		goto fail;
	for_each_possible_cpu(cpu) {
		r = kspan_region_create_empty(h, chunk, gfp);
		if (!r)
			goto fail;
		*per_cpu_ptr(cr->regions, cpu) = &r->room;
	}
	kspan_handle_add(&cr->handle, KSPAN_HANDLE_CPU_REGION, NULL, owner, _RET_IP_);
	return cr;
fail:
	destroy_cpu_regions(cr);
	return NULL;
}
EXPORT_SYMBOL_GPL(__kspan_cpu_region_create);

/**
 * kspan_cpu_region_destroy() - free the regions of all CPUs with all objects
 * @cr: regions that nobody uses any more, or NULL
 *
 * Regions that are destroyed twice are reported, and nothing else is done.
 *
 * Context: task.
 */
void kspan_cpu_region_destroy(struct kspan_cpu_region *cr)
{
	if (cr && kspan_handle_take(&cr->handle, KSPAN_HANDLE_CPU_REGION, cr))
		destroy_cpu_regions(cr);
}
EXPORT_SYMBOL_GPL(kspan_cpu_region_destroy);

/**
 * kspan_cpu_region_exit() - free the per-CPU memory of regions that nobody destroyed
 *
 * All other memory of them is in pages of kspan, which are freed when kspan is unloaded.
 *
 * Context: task.
 */
void kspan_cpu_region_exit(void)
{
	struct kspan_handle *handle;

	while ((handle = kspan_handle_take_any(KSPAN_HANDLE_CPU_REGION)))
		free_percpu(container_of(handle, struct kspan_cpu_region, handle)->regions);
}

/**
 * kspan_cpu_region_get() - use the region of this CPU
 * @cr:		regions from kspan_cpu_region_create()
 * @flags:	set to what kspan_cpu_region_put() needs
 *
 * Interrupts are off until kspan_cpu_region_put(), so allocations in between must not sleep. Only
 * an NMI can interrupt the user of the region. It would find the region in the middle of a change,
 * so it gets none.
 *
 * Context: any.
 * Return: the region, which may be released and reset like any other; NULL in an NMI, which must
 * not call kspan_cpu_region_put() then.
 */
struct kspan_region *kspan_cpu_region_get(struct kspan_cpu_region *cr, unsigned long *flags)
{
	if (in_nmi())
		return NULL;
	local_irq_save(*flags);
	return *this_cpu_ptr(cr->regions);
}
EXPORT_SYMBOL_GPL(kspan_cpu_region_get);

/**
 * kspan_cpu_region_put() - stop using the region of this CPU
 * @cr:		regions from kspan_cpu_region_create()
 * @flags:	from kspan_cpu_region_get()
 *
 * Context: that of kspan_cpu_region_get(), on the same CPU.
 */
void kspan_cpu_region_put(struct kspan_cpu_region *cr, unsigned long flags)
{
	local_irq_restore(flags);
}
EXPORT_SYMBOL_GPL(kspan_cpu_region_put);
