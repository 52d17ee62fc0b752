// SPDX-License-Identifier: GPL-2.0
/*
 * CPU 1 goes offline and comes back while words are counted: nothing is lost of
 * what its cache held, and nothing of it is kept when it is gone.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "kspan_tables.h"
#include "kspan_test.h"

#define CPU_ONLINE "/sys/devices/system/cpu/cpu1/online"

/*
 * From 6.12 on the scheduler's fair server counts as a task of its CPU while it
 * is queued, and sched_cpu_dying() looks before it stops the server: where a CPU
 * is slow enough for the server's timer to fire on the way down, it warns of a
 * "Dying CPU not properly vacated" with no task left but its own. Whoever judges
 * the kernel's log is told so.
 */
static int cpu1_offline(void)
{
	file_put("/dev/kmsg", "kspan-expect: sched_cpu_dying\n");
	return file_put(CPU_ONLINE, "0");
}

static int cpu1_online(void)
{
	return file_put(CPU_ONLINE, "1");
}

static void __attribute__((constructor)) need_cpu1(void)
{
	if (!access(CPU_ONLINE, W_OK))
		return;
	ksft_print_header();
	ksft_exit_skip("CPU 1 is not hotpluggable\n");
}

FIXTURE(cpu_hotplug) {
	struct words_load load;
	struct stats stats;
	struct classes classes;
};

FIXTURE_SETUP(cpu_hotplug)
{
	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(0, load_create(&self->load, 1000));
}

FIXTURE_TEARDOWN(cpu_hotplug)
{
	cpu1_online();
	words_reset();
	load_destroy(&self->load);
}

static bool still_runs(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return !waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid;
}

#define WRITERS	4
#define CYCLES	6

/* Writers on all CPUs, CPU 1 off and on at least CYCLES times, until they are done. */
TEST_F_TIMEOUT(cpu_hotplug, writers_lose_nothing, KSPAN_TIMEOUT)
{
	uint64_t seed = test_seed();
	unsigned int cycles = 0;
	pid_t pids[WRITERS];

	while (cycles < CYCLES) {
		ASSERT_EQ(0, load_fork(&self->load, WRITERS, seed++, often(20000), pids));
		do {
			ASSERT_EQ(0, cpu1_offline());
			ASSERT_EQ(0, cpu1_online());
			cycles++;
		} while (still_runs(pids[0]));
		ASSERT_EQ(0, load_wait(pids, WRITERS));
	}
	ksft_print_msg("CPU 1 went and came %u times\n", cycles);
	EXPECT_TRUE(load_matches(&self->load));
}

/* Resets, too: objects of a CPU are freed by another, with the first one gone. */
TEST_F_TIMEOUT(cpu_hotplug, objects_outlive_their_cpu, KSPAN_TIMEOUT)
{
	unsigned long long before;
	int i;

	ASSERT_EQ(0, stats_read(&self->stats));
	before = stats_value(&self->stats, "HeapObjects");
	for (i = 0; i < CYCLES; i++) {
		ASSERT_EQ(0, run_on_cpu(1));
		ASSERT_EQ(0, load_write(&self->load, i, often(2000)));
		ASSERT_EQ(0, run_on_cpu(0));
		ASSERT_EQ(0, cpu1_offline());
		ASSERT_EQ(0, words_reset());

		ASSERT_EQ(0, stats_read(&self->stats));
		EXPECT_EQ(before, stats_value(&self->stats, "HeapObjects"));
		ASSERT_EQ(0, cpu1_online());
	}
}

static unsigned long long all_cached(struct classes *classes)
{
	unsigned long long cached = 0;
	unsigned int i;

	for (i = 0; i < NR_CLASSES; i++)
		cached += classes->lines[i].cached;
	return cached;
}

/* What CPU 1's cache holds goes back when it goes. */
TEST_F(cpu_hotplug, cache_is_drained)
{
	unsigned long long online;

	ASSERT_EQ(0, run_on_cpu(1));
	ASSERT_EQ(0, load_write(&self->load, 1, 5000));
	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(0, classes_read(&self->classes));
	online = all_cached(&self->classes);
	ASSERT_LT(0, online);

	ASSERT_EQ(0, run_on_cpu(0));
	ASSERT_EQ(0, cpu1_offline());
	ASSERT_EQ(0, classes_read(&self->classes));
	EXPECT_GT(online, all_cached(&self->classes));
}

TEST_HARNESS_MAIN
