// SPDX-License-Identifier: GPL-2.0
/*
 * Pools: figures, and the table in debugfs
 *
 * Context: task.
 */
#include <linux/mutex.h>
#include <linux/seq_file.h>

#include "base/kunit_export.h"
#include "base/table.h"
#include "kits/pool.h"
#include "types.h"

static u64 pool_events(struct kspan_pool *pool, enum kspan_pool_event event)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		sum += kspan_glance(per_cpu_ptr(pool->cpu, cpu)->events[event]);
	return sum;
}

/**
 * kspan_pool_stats_read() - read the figures of a pool
 * @pool:	pool that is not destroyed meanwhile
 * @stats:	set to the figures: exact while nobody uses the pool, close otherwise
 *
 * Context: any.
 */
void kspan_pool_stats_read(struct kspan_pool *pool, struct kspan_pool_stats *stats)
{
	unsigned int cpu;

	kspan_pool_count_objects(pool, &stats->primary, &stats->victim);
	stats->hits = pool_events(pool, KSPAN_POOL_HIT);
	stats->puts = pool_events(pool, KSPAN_POOL_PUT);
	for_each_possible_cpu(cpu) {
		struct kspan_pool_cpu *pc = per_cpu_ptr(pool->cpu, cpu);

		stats->hits += kspan_glance(pc->hits);
		stats->puts += kspan_glance(pc->puts);
	}
	stats->gets = stats->hits + pool_events(pool, KSPAN_POOL_MISS);
	stats->news = pool_events(pool, KSPAN_POOL_MISS) - pool_events(pool, KSPAN_POOL_FAIL);
	stats->drops = pool_events(pool, KSPAN_POOL_DROP);
	stats->generations = kspan_glance(pool->generations);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_stats_read);

static void show_pool(struct kspan_table *t, struct kspan_pool *pool)
{
	struct kspan_pool_stats stats;

	kspan_pool_stats_read(pool, &stats);
	kspan_table_row(t);
	kspan_table_name(t, pool->ops.name);
	kspan_table_word(t, 0, pool->module);
	kspan_table_number(t, 0, stats.primary);
	kspan_table_number(t, 0, stats.victim);
	kspan_table_number(t, 0, stats.gets);
	kspan_table_number(t, 0, stats.hits);
	kspan_table_number(t, 0, stats.news);
	kspan_table_number(t, 0, stats.puts);
	kspan_table_number(t, 0, stats.drops);
	kspan_table_number(t, 0, stats.generations);
	kspan_table_end_row(t);
}

/**
 * kspan_pools_show() - print a row per pool
 * @m:		file that it is printed to
 * @json:	print JSON
 *
 * Context: task; sleeps.
 */
void kspan_pools_show(struct seq_file *m, bool json)
{
	struct kspan_table table;
	struct kspan_pool *pool;

	kspan_table_begin(&table, m, json, "# kspan pools v1: name module primary victim gets hits news puts drops generations\n");
	mutex_lock(&kspan_pools_mutex);
	list_for_each_entry(pool, &kspan_pools, list)
		show_pool(&table, pool);
	mutex_unlock(&kspan_pools_mutex);
	kspan_table_end(&table);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pools_show);
