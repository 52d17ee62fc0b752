// SPDX-License-Identifier: GPL-2.0
/*
 * Workers, and their contexts.
 *
 *	task		a thread on each CPU, and one for housekeeping
 *	softirq		a timer on each CPU
 *	hardirq		an hrtimer on each CPU
 *	NMI		an NMI handler; the threads send the NMIs
 *
 * The threads are smpboot threads: they are parked while their CPU is offline, and its timers are
 * stopped with them. Interrupts leave time for tasks on a slow machine, too: they pause for REST
 * times as long as they took.
 */
#define pr_fmt(fmt) "kspan-stress: " fmt

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>
#include <linux/smpboot.h>
#include <linux/timer.h>

#ifdef CONFIG_X86_LOCAL_APIC
#include <asm/apic.h>
#include <asm/nmi.h>
#endif

#include "stress.h"

#define THREAD_OPERATIONS	16
#define TIMER_OPERATIONS	16
#define HRTIMER_OPERATIONS	4
#define NMI_OPERATIONS		2

#define REST			4
#define MAX_TOOK		(20 * NSEC_PER_MSEC)

/**
 * struct stress_cpu - the workers of a CPU
 * @workers:	one for each context
 * @timer:	runs the worker of softirqs
 * @hrtimer:	runs the worker of hardirqs
 * @nmi_pending:	an NMI was sent and has not been handled yet
 * @nmi_next:	no NMI is sent before this time
 */
struct stress_cpu {
	struct stress_worker workers[STRESS_NR_CONTEXTS];
	struct timer_list timer;
	struct hrtimer hrtimer;
	atomic_t nmi_pending;
	u64 nmi_next;
};

static struct stress_cpu __percpu *cpus;
static struct stress_worker *housekeeper;
static struct task_struct *housekeeper_task;

/*
 * Nanoseconds to pause after work that began at @start. Time that the host took counts as work, up
 * to a limit.
 */
static u64 rest_after(u64 start)
{
	u64 took = local_clock() - start;

	return REST * min_t(u64, took, MAX_TOOK);
}

static void operate(struct stress_worker *worker, unsigned int n)
{
	while (n--)
		stress_operate(worker);
}

static void timer_handler(struct timer_list *timer)
{
	struct stress_cpu *c = container_of(timer, struct stress_cpu, timer);
	u64 start = local_clock();

	if (!stress_time_left())
		return;
	operate(&c->workers[STRESS_SOFTIRQ], TIMER_OPERATIONS);
	mod_timer(timer, jiffies + 1 + nsecs_to_jiffies(rest_after(start)));
}

static enum hrtimer_restart hrtimer_handler(struct hrtimer *timer)
{
	struct stress_cpu *c = container_of(timer, struct stress_cpu, hrtimer);
	struct stress_worker *worker = &c->workers[STRESS_HARDIRQ];
	u64 start = local_clock(), pause;

	if (!stress_time_left())
		return HRTIMER_NORESTART;
	operate(worker, HRTIMER_OPERATIONS);
	/* The pause has a random length, so that interrupts meet all that threads do. */
	pause = NSEC_PER_MSEC / 10 + stress_below(worker, NSEC_PER_MSEC) + rest_after(start);
	hrtimer_forward_now(timer, ns_to_ktime(pause));
	return HRTIMER_RESTART;
}

/*
 * On PREEMPT_RT only hard timers are hardirqs. Elsewhere all are. There lockdep would forbid hard
 * ones to take the locks of the page allocator.
 */
#define HARDIRQ_MODE	(IS_ENABLED(CONFIG_PREEMPT_RT) ? HRTIMER_MODE_REL_PINNED_HARD :	\
							 HRTIMER_MODE_REL_PINNED)

static void prepare_hrtimer(struct hrtimer *timer)
{
#ifdef KSPAN_HAS_HRTIMER_SETUP
	hrtimer_setup(timer, hrtimer_handler, CLOCK_MONOTONIC, HARDIRQ_MODE);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HARDIRQ_MODE);
	timer->function = hrtimer_handler;
#endif
}

#ifdef CONFIG_X86_LOCAL_APIC
static bool nmis;

/*
 * At most one NMI of this module is on its way to a CPU. So none is lost by being merged with
 * another, and the mark tells it from NMIs of others.
 */
static int nmi_handler(unsigned int type, struct pt_regs *regs)
{
	struct stress_cpu *c = this_cpu_ptr(cpus);
	u64 start;

	if (!atomic_xchg(&c->nmi_pending, 0))
		return NMI_DONE;
	start = local_clock();
	operate(&c->workers[STRESS_NMI], NMI_OPERATIONS);
	WRITE_ONCE(c->nmi_next, local_clock() + rest_after(start));
	return NMI_HANDLED;
}

/* Send an NMI to any CPU, perhaps to this one. */
static void send_nmi(struct stress_worker *worker)
{
	unsigned int cpu = stress_below(worker, nr_cpu_ids);
	struct stress_cpu *c;

	if (!nmis)
		return;
	/* No CPU goes offline while preemption is off. */
	preempt_disable();
	if (cpu_online(cpu)) {
		c = per_cpu_ptr(cpus, cpu);
		if (local_clock() >= READ_ONCE(c->nmi_next) &&
		    !atomic_xchg(&c->nmi_pending, 1))
			apic->send_IPI(cpu, NMI_VECTOR);
	}
	preempt_enable();
}

/**
 * stress_has_nmis() - whether there are workers in NMIs
 */
bool stress_has_nmis(void)
{
	return nmis;
}

static void start_nmis(void)
{
	nmis = boot_cpu_has(X86_FEATURE_APIC) && apic->send_IPI &&
	       !register_nmi_handler(NMI_LOCAL, nmi_handler, 0, "kspan_stress");
	if (!nmis)
		pr_info("NMIs are left out: there is no local APIC to send them by\n");
}

/* No thread sends NMIs any more. Wait for those that were sent, as the handler must get them. */
static void stop_nmis(void)
{
	unsigned int cpu, tries = 1000;

	if (!nmis)
		return;
	for_each_possible_cpu(cpu)
		while (cpu_online(cpu) && atomic_read(&per_cpu_ptr(cpus, cpu)->nmi_pending) &&
		       tries--)
			usleep_range(1000, 2000);
	unregister_nmi_handler(NMI_LOCAL, "kspan_stress");
}
#else
bool stress_has_nmis(void)
{
	return false;
}

static void send_nmi(struct stress_worker *worker)
{
}

static void start_nmis(void)
{
	pr_info("NMIs are left out: how to send them is known of x86's local APIC only\n");
}

static void stop_nmis(void)
{
}
#endif

static int thread_should_run(unsigned int cpu)
{
	return stress_time_left();
}

static void thread(unsigned int cpu)
{
	struct stress_worker *worker = &per_cpu_ptr(cpus, cpu)->workers[STRESS_TASK];
	unsigned int i;

	for (i = 0; i < THREAD_OPERATIONS; i++) {
		stress_operate(worker);
		cond_resched();
	}
	send_nmi(worker);
}

/* Start the timers of a CPU, from a thread on it. */
static void start_timers(unsigned int cpu)
{
	struct stress_cpu *c = per_cpu_ptr(cpus, cpu);

	/* Let other tasks run, such as those that take CPUs offline. */
	set_user_nice(current, 10);
	/* An NMI that was sent to the CPU while it was dead is lost. */
	atomic_set(&c->nmi_pending, 0);
	if (!stress_time_left())
		return;
	c->timer.expires = jiffies + 1;
	add_timer_on(&c->timer, cpu);
	hrtimer_start(&c->hrtimer, ns_to_ktime(NSEC_PER_MSEC), HARDIRQ_MODE);
}

static void stop_timers(unsigned int cpu)
{
	struct stress_cpu *c = per_cpu_ptr(cpus, cpu);

	timer_delete_sync(&c->timer);
	hrtimer_cancel(&c->hrtimer);
}

static void cleanup(unsigned int cpu, bool online)
{
	stop_timers(cpu);
}

static DEFINE_PER_CPU(struct task_struct *, thread_task);

static struct smp_hotplug_thread threads = {
	.store			= &thread_task,
	.thread_should_run	= thread_should_run,
	.thread_fn		= thread,
	.setup			= start_timers,
	.unpark			= start_timers,
	.park			= stop_timers,
	.cleanup		= cleanup,
	.thread_comm		= "kspan_stress/%u",
};

static int housekeeper_thread(void *unused)
{
	while (!kthread_should_stop()) {
		if (stress_time_left())
			stress_housekeep(housekeeper);
		schedule_timeout_interruptible(HZ / 20 + stress_below(housekeeper, HZ / 5));
	}
	return 0;
}

/* @id makes random numbers and tags that others do not have. */
static void worker_init(struct stress_worker *worker, enum stress_context context,
			unsigned int id)
{
	static const struct {
		unsigned int max_shift;
		unsigned int max_bulk;
	} limits[STRESS_NR_CONTEXTS] = {
		[STRESS_TASK]		= { 31, STRESS_BULK },
		[STRESS_SOFTIRQ]	= { 14, 32 },
		[STRESS_HARDIRQ]	= { 12, 16 },
		[STRESS_NMI]		= { 11, 8 },
	};

	prandom_seed_state(&worker->rnd, stress_seed + id);
	worker->tag = id << 20;
	worker->context = context;
	worker->max_shift = min(limits[context].max_shift, stress_max_shift);
	worker->max_bulk = limits[context].max_bulk;
}

static void prepare_cpu(unsigned int cpu)
{
	struct stress_cpu *c = per_cpu_ptr(cpus, cpu);
	enum stress_context context;

	for (context = 0; context < STRESS_NR_CONTEXTS; context++)
		worker_init(&c->workers[context], context, 1 + cpu * STRESS_NR_CONTEXTS + context);
	timer_setup(&c->timer, timer_handler, TIMER_PINNED);
	prepare_hrtimer(&c->hrtimer);
}

static void free_workers(void)
{
	free_percpu(cpus);
	kfree(housekeeper);
}

/**
 * stress_workers_start() - start all workers
 *
 * Return: 0 or an error.
 */
int stress_workers_start(void)
{
	unsigned int cpu;
	int err = -ENOMEM;

	cpus = alloc_percpu(struct stress_cpu);
	housekeeper = kzalloc(sizeof(*housekeeper), GFP_KERNEL);
	if (!cpus || !housekeeper)
		goto fail;
	worker_init(housekeeper, STRESS_TASK, 0);
	for_each_possible_cpu(cpu)
		prepare_cpu(cpu);
	housekeeper_task = kthread_run(housekeeper_thread, NULL, "kspan_stress");
	if (IS_ERR(housekeeper_task)) {
		err = PTR_ERR(housekeeper_task);
		goto fail;
	}
	start_nmis();
	err = smpboot_register_percpu_thread(&threads);
	if (!err)
		return 0;
	stop_nmis();
	kthread_stop(housekeeper_task);
fail:
	free_workers();
	return err;
}

/**
 * stress_workers_stop() - stop all workers, and wait for what is under way
 *
 * Return: a worker for the work that is left.
 */
struct stress_worker *stress_workers_stop(void)
{
	smpboot_unregister_percpu_thread(&threads);
	stop_nmis();
	kthread_stop(housekeeper_task);
	return housekeeper;
}

/**
 * stress_visit_workers() - visit all workers, which have been stopped
 * @fn:	called for each
 */
void stress_visit_workers(stress_worker_fn fn)
{
	enum stress_context context;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		for (context = 0; context < STRESS_NR_CONTEXTS; context++)
			fn(&per_cpu_ptr(cpus, cpu)->workers[context]);
	fn(housekeeper);
}

/**
 * stress_workers_exit() - free the workers
 */
void stress_workers_exit(void)
{
	free_workers();
}

static void add(const struct stress_worker *worker, struct stress_counts *sum)
{
	sum->operations += READ_ONCE(worker->counts.operations);
	sum->allocs += READ_ONCE(worker->counts.allocs);
	sum->frees += READ_ONCE(worker->counts.frees);
	sum->failed += READ_ONCE(worker->counts.failed);
}

/**
 * stress_sum() - add up the counters of a context over all CPUs
 * @context:	any
 * @sum:	the counters are added to it
 */
void stress_sum(enum stress_context context, struct stress_counts *sum)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		add(&per_cpu_ptr(cpus, cpu)->workers[context], sum);
	if (context == STRESS_TASK)
		add(housekeeper, sum);
}
