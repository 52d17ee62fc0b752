// SPDX-License-Identifier: GPL-2.0
/*
 * Ways into a context.
 *
 *	softirq	a tasklet that an interrupt schedules. It runs when the interrupt returns, or in
 *		a thread on PREEMPT_RT.
 *	hardirq	an irq_work; a hard one on PREEMPT_RT, where others run in a thread
 *	NMI	one that the CPU sends itself by its local APIC
 *	trap	a hardware breakpoint, which x86 handles like an NMI
 *
 * Elsewhere irq_works are not hard, because lockdep forbids hard ones to take the locks of the
 * page allocator and SLUB.
 */
#include <linux/hw_breakpoint.h>
#include <linux/kspan.h>
#include <linux/perf_event.h>
#ifdef CONFIG_X86_LOCAL_APIC
#include <asm/apic.h>
#include <asm/nmi.h>
#endif

#include "context.h"

static void do_job(struct context_job *job)
{
	job->busy = context_cache_is_busy();
	job->nmi = in_nmi();
	job->fn(job->data);
	WRITE_ONCE(job->ran, true);
}

static bool start_in_task(struct context_job *job)
{
	do_job(job);
	return true;
}

static bool start_with_preemption_off(struct context_job *job)
{
	preempt_disable();
	do_job(job);
	preempt_enable();
	return true;
}

static bool start_with_softirqs_off(struct context_job *job)
{
	local_bh_disable();
	do_job(job);
	local_bh_enable();
	return true;
}

static bool start_with_irqs_off(struct context_job *job)
{
	unsigned long flags;

	local_irq_save(flags);
	do_job(job);
	local_irq_restore(flags);
	return true;
}

static bool start_under_raw_lock(struct context_job *job)
{
	static DEFINE_RAW_SPINLOCK(lock);
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	do_job(job);
	raw_spin_unlock_irqrestore(&lock, flags);
	return true;
}

static void tasklet_handler(struct tasklet_struct *tasklet)
{
	struct context_job *job = from_tasklet(job, tasklet, tasklet);

	do_job(job);
	complete(&job->done);
}

static void schedule_tasklet(struct irq_work *work)
{
	tasklet_schedule(&container_of(work, struct context_job, work)->tasklet);
}

static void irq_work_handler(struct irq_work *work)
{
	do_job(container_of(work, struct context_job, work));
}

static void init_work(struct irq_work *work, void (*handler)(struct irq_work *work))
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		*work = IRQ_WORK_INIT_HARD(handler);
	else
		init_irq_work(work, handler);
}

static bool start_in_softirq(struct context_job *job)
{
	init_work(&job->work, schedule_tasklet);
	tasklet_setup(&job->tasklet, tasklet_handler);
	init_completion(&job->done);
	return irq_work_queue(&job->work);
}

static void finish_softirq(struct context_job *job)
{
	irq_work_sync(&job->work);
	wait_for_completion(&job->done);
	tasklet_kill(&job->tasklet);
}

static bool start_in_hardirq(struct context_job *job)
{
	init_work(&job->work, irq_work_handler);
	return irq_work_queue(&job->work);
}

static void finish_hardirq(struct context_job *job)
{
	irq_work_sync(&job->work);
}

static struct context_job *current_job;

#ifdef CONFIG_X86_LOCAL_APIC
typedef void (*nmi_fn)(void);

/* The NMI that was sent last. The next one is sent after this one was handled. */
static struct {
	unsigned int cpu;
	nmi_fn handler;
} sent;

static int nmi_handler(unsigned int type, struct pt_regs *regs)
{
	nmi_fn handler = READ_ONCE(sent.handler);

	if (!handler || READ_ONCE(sent.cpu) != raw_smp_processor_id())
		return NMI_DONE;
	handler();
	/*
	 * Pairs with smp_load_acquire() in context_send_nmi(): the sender sees what the handler
	 * did.
	 */
	smp_store_release(&sent.handler, NULL);
	return NMI_HANDLED;
}

/**
 * context_has_nmi() - whether context_send_nmi() can be used
 *
 * Return: true if the registers of the local APIC are in memory.
 */
bool context_has_nmi(void)
{
	return boot_cpu_has(X86_FEATURE_APIC) && !x2apic_enabled();
}

/**
 * context_send_nmi() - have a CPU enter an NMI, and wait until it has left
 * @cpu:		sends the NMI to this CPU, which may be the sender
 * @handler:	is called in the NMI
 */
void context_send_nmi(unsigned int cpu, void (*handler)(void))
{
	unsigned long flags;

	WRITE_ONCE(sent.cpu, cpu);
	/*
	 * nmi_handler() reads @handler by READ_ONCE(), and @cpu after it. A CPU that sees the
	 * handler must see its CPU.
	 */
	smp_store_release(&sent.handler, handler);
	local_irq_save(flags);
	while (native_apic_mem_read(APIC_ICR) & APIC_ICR_BUSY)
		cpu_relax();
	native_apic_mem_write(APIC_ICR2, cpu_physical_id(cpu) << 24);
	native_apic_mem_write(APIC_ICR, APIC_DM_NMI);
	local_irq_restore(flags);
	/* Pairs with smp_store_release() in nmi_handler(). */
	while (smp_load_acquire(&sent.handler))
		cpu_relax();
}

static int open_nmi(void)
{
	return register_nmi_handler(NMI_LOCAL, nmi_handler, 0, "kspan_kunit");
}

static void close_nmi(void)
{
	unregister_nmi_handler(NMI_LOCAL, "kspan_kunit");
}
#else
bool context_has_nmi(void)
{
	return false;
}

void context_send_nmi(unsigned int cpu, void (*handler)(void))
{
}

static int open_nmi(void)
{
	return 0;
}

static void close_nmi(void)
{
}
#endif

static void do_current_job(void)
{
	do_job(current_job);
}

static bool start_in_nmi(struct context_job *job)
{
	if (!context_has_nmi())
		return false;
	current_job = job;
	preempt_disable();
	context_send_nmi(smp_processor_id(), do_current_job);
	preempt_enable();
	return true;
}

#if defined(CONFIG_HAVE_HW_BREAKPOINT) && defined(CONFIG_X86)
static struct perf_event * __percpu *trap;

/* The function can't be traced, so the first instruction of its code is its own. */
static noinline notrace void trap_here(void)
{
	barrier();
}

static void trap_handler(struct perf_event *event, struct perf_sample_data *data,
			 struct pt_regs *regs)
{
	do_current_job();
}

static bool start_in_trap(struct context_job *job)
{
	current_job = job;
	trap_here();
	return true;
}

static int open_trap(void)
{
	struct perf_event_attr attr;

	hw_breakpoint_init(&attr);
	attr.bp_addr = (unsigned long)trap_here;
	attr.bp_len = sizeof(long);
	attr.bp_type = HW_BREAKPOINT_X;
	trap = register_wide_hw_breakpoint(&attr, trap_handler, NULL);
	return PTR_ERR_OR_ZERO((void __force *)trap);
}

static void close_trap(void)
{
	unregister_wide_hw_breakpoint(trap);
}
#else
static bool start_in_trap(struct context_job *job)
{
	return false;
}

static int open_trap(void)
{
	return 0;
}

static void close_trap(void)
{
}
#endif

/**
 * context_open() - prepare NMIs and traps
 *
 * Return: 0 or a negative errno.
 */
int context_open(void)
{
	int err = open_nmi();

	if (err)
		return err;
	err = open_trap();
	if (err)
		close_nmi();
	return err;
}

/**
 * context_close() - undo context_open()
 */
void context_close(void)
{
	close_trap();
	close_nmi();
}

/**
 * context_run() - do a job in a context
 * @context:	one of context.h
 * @job:		its fields are set to the results
 *
 * Context: task.
 * Return: false when the machine has no way into the context.
 */
bool context_run(const struct context *context, struct context_job *job)
{
	job->ran = false;
	if (!context->start(job))
		return false;
	if (context->finish)
		context->finish(job);
	return true;
}

/**
 * context_run_over_busy_cache() - do a job while the interrupted code uses the CPU's cache
 * @context:	a context that interrupts others
 * @job:		its fields are set to the results
 *
 * Return: false when the machine has no way into the context.
 */
bool context_run_over_busy_cache(const struct context *context, struct context_job *job)
{
	struct kspan_cpu_cache *cache;
	bool started;

	job->ran = false;
	if (!kspan_cpu_cache_enter(&kspan_default_heap, &cache))
		return false;
	started = context->start(job);
	kspan_cpu_cache_leave(cache);
	if (started && context->finish)
		context->finish(job);
	return started;
}

struct slot_to_free {
	unsigned long addr;
	unsigned int class;
};

static void free_to_central(void *data)
{
	struct slot_to_free *slot = data;

	kspan_central_free(slot->addr, slot->class);
}

/**
 * context_free_in_nmi() - have an NMI free a slot of a span
 * @slot:	not one that a CPU's cache holds
 * @class:	its size class
 *
 * The slot goes to its central, as a free does that can't use the CPU's cache. Between
 * context_open() and context_close().
 *
 * Return: false when there is no memory, or the machine has no NMI; nothing was freed then.
 */
bool context_free_in_nmi(const void *slot, unsigned int class)
{
	struct slot_to_free data = { (unsigned long)slot, class };
	struct context_job *job = kzalloc(sizeof(*job), GFP_KERNEL);
	bool ran;

	if (!job)
		return false;
	job->fn = free_to_central;
	job->data = &data;
	ran = context_run(&context_nmi, job) && job->nmi;
	kfree(job);
	return ran;
}

const struct context context_task = {
	.name = "in a task", .column = IN_TASK,
	.start = start_in_task,
};

const struct context context_preempt_off = {
	.name = "with preemption off", .column = PREEMPT_OFF,
	.start = start_with_preemption_off,
};

const struct context context_softirqs_off = {
	.name = "with softirqs off", .column = SOFTIRQS_OFF,
	.start = start_with_softirqs_off,
};

const struct context context_irqs_off = {
	.name = "with interrupts off", .column = IRQS_OFF,
	.start = start_with_irqs_off,
};

const struct context context_raw_lock = {
	.name = "under a raw spinlock", .column = RAW_LOCK,
	.start = start_under_raw_lock,
};

const struct context context_softirq = {
	.name = "in a softirq", .column = IN_SOFTIRQ, .interrupts = true,
	.start = start_in_softirq, .finish = finish_softirq,
};

const struct context context_hardirq = {
	.name = "in a hardirq", .column = IN_HARDIRQ, .interrupts = true,
	.start = start_in_hardirq, .finish = finish_hardirq,
};

const struct context context_nmi = {
	.name = "in an NMI", .column = IN_NMI, .interrupts = true,
	.start = start_in_nmi,
};

const struct context context_trap = {
	.name = "in a trap", .column = IN_NMI, .interrupts = true,
	.start = start_in_trap,
};
