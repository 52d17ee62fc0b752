// SPDX-License-Identifier: GPL-2.0
/*
 * kspan record: the kernel's kmem events, off tracefs
 *
 * libtracefs makes an instance of its own, which keeps this apart from what others trace, and
 * reads the rings of the CPUs page by page while the command runs; libtraceevent finds the
 * events in a page and their fields. merge.c makes a trace of them.
 */
#include "recorded.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <traceevent/event-parse.h>
#include <traceevent/kbuffer.h>
#include <tracefs/tracefs.h>
#include <unistd.h>

/* In order of preference: all CPUs agree on them. */
static const char * const clocks[] = { "global", "mono" };

/* How long it is recorded after the command has ended: frees may wait for RCU. */
#define SETTLE_MS		500
#define POLL_MS			10

/* libtraceevent has no name for an NMI's. */
#define IN_INTERRUPT		(TRACE_FLAG_HARDIRQ | TRACE_FLAG_SOFTIRQ | 0x40)

/* An event and its fields. kmalloc_node was one of its own up to 6.0. */
struct format {
	const char *name;
	bool needed, alloc;
	struct tep_event *event;
	struct tep_format_field *ptr, *bytes, *gfp, *node;
};

/* Frees are on before allocations and off after them, so that none of these is missed. */
static struct format formats[] = {
	{ "kfree", .needed = true },
	{ "kmalloc", .needed = true, .alloc = true },
	{ "kmalloc_node", .alloc = true },
};

#define NR_FORMATS	(sizeof(formats) / sizeof(formats[0]))

static struct tep_handle *tep;
static struct kbuffer *page_reader;
static void *page;
static struct tracefs_instance *instance;
/* One of each for each CPU; one that is not there has no ring. */
static struct tracefs_cpu **rings;
static struct raws *raws;
static unsigned int nr_cpus;
static uint64_t own;
static volatile sig_atomic_t stopped;

/* Descriptions of events */

static struct tep_format_field *need_field(const struct format *format, const char *name)
{
	struct tep_format_field *field = tep_find_field(format->event, name);

	if (!field)
		die("this kernel's event kmem:%s has no field %s", format->name, name);
	return field;
}

static void find_format(struct format *format)
{
	format->event = tep_find_event_by_name(tep, "kmem", format->name);
	if (!format->event) {
		if (format->needed)
			die("this kernel has no event kmem:%s; CONFIG_EVENT_TRACING makes it",
			    format->name);
		return;
	}
	format->ptr = need_field(format, "ptr");
	if (format->alloc) {
		format->bytes = need_field(format, "bytes_req");
		format->gfp = need_field(format, "gfp_flags");
		format->node = tep_find_field(format->event, "node");
	}
}

static void find_formats(void)
{
	static const char * const systems[] = { "kmem", NULL };
	unsigned int i;

	if (!tracefs_tracing_dir())
		die("there is no tracefs; as root: mount -t tracefs tracefs /sys/kernel/tracing");
	/* It warns of how an event is to be printed, which nobody does here. */
	tep_set_loglevel(TEP_LOG_NONE);
	tep = tracefs_local_events_system(NULL, systems);
	if (!tep)
		die("%s/events cannot be read: %s; it wants root, and CONFIG_EVENT_TRACING",
		    tracefs_tracing_dir(), strerror(errno));
	for (i = 0; i < NR_FORMATS; i++)
		find_format(&formats[i]);
}

/* Pages of a ring */

static uint64_t get(const struct tep_record *record, struct tep_format_field *field)
{
	unsigned long long value = 0;

	tep_read_number_field(field, record->data, &value);
	return value;
}

static void add_raw(struct raws *to, const struct raw *raw)
{
	if (to->nr == to->size) {
		to->size = to->size * 2 + 65536;
		to->events = xrealloc(to->events, to->size * sizeof(*to->events));
	}
	to->events[to->nr++] = *raw;
}

static void take_alloc(struct raws *to, struct tep_record *record, const struct format *format,
		       struct raw *raw)
{
	uint64_t bytes = get(record, format->bytes);

	/* An interrupt may find any task running. */
	if (tep_data_pid(tep, record) == getpid() &&
	    !(tep_data_flags(tep, record) & IN_INTERRUPT)) {
		own++;
		return;
	}
	if (bytes > REPLAY_MAX_SIZE)
		die("an allocation of %llu bytes; a trace has none above %u",
		    (unsigned long long)bytes, REPLAY_MAX_SIZE);
	raw->size = bytes;
	raw->gfp = get(record, format->gfp);
	if (format->node)
		raw->node = (int32_t)get(record, format->node);
	if (raw->size && raw->ptr)
		add_raw(to, raw);
}

static void take_event(struct raws *to, struct tep_record *record)
{
	const struct tep_event *event = tep_find_event_by_record(tep, record);
	struct raw raw = { .time = record->ts, .node = REPLAY_ANY_NODE };
	const struct format *format;

	for (format = formats; format < formats + NR_FORMATS; format++) {
		if (!event || format->event != event)
			continue;
		raw.ptr = get(record, format->ptr);
		if (format->alloc)
			take_alloc(to, record, format, &raw);
		else
			add_raw(to, &raw);
	}
}

static void take_page(struct raws *to)
{
	struct tep_record record = { };

	kbuffer_load_subbuffer(page_reader, page);
	while ((record.data = kbuffer_read_event(page_reader, &record.ts))) {
		record.size = kbuffer_event_size(page_reader);
		take_event(to, &record);
		kbuffer_next_event(page_reader, NULL);
	}
}

/* Reads what there is. */
static void drain_all(void)
{
	unsigned int i;
	int n;

	for (i = 0; i < nr_cpus; i++) {
		if (!rings[i])
			continue;
		while ((n = tracefs_cpu_read(rings[i], page, true)) > 0)
			take_page(&raws[i]);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			die("the ring of CPU %u cannot be read: %s", i, strerror(errno));
	}
}

/* Set up and down */

static void remove_instance(void)
{
	unsigned int i;

	if (!instance)
		return;
	tracefs_event_disable(instance, "kmem", NULL);
	for (i = 0; i < nr_cpus; i++)
		if (rings[i])
			tracefs_cpu_close(rings[i]);
	if (tracefs_instance_destroy(instance))
		fprintf(stderr, "kspan: the instance %s is left behind: %s\n",
			tracefs_instance_get_name(instance), strerror(errno));
	tracefs_instance_free(instance);
	instance = NULL;
}

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static void open_rings(void)
{
	unsigned int i;

	page_reader = tep_kbuffer(tep);
	page = xrealloc(NULL, tep_get_sub_buffer_size(tep));
	nr_cpus = sysconf(_SC_NPROCESSORS_CONF);
	raws = xzalloc(nr_cpus * sizeof(*raws));
	rings = xzalloc(nr_cpus * sizeof(*rings));
	for (i = 0; i < nr_cpus; i++) {
		rings[i] = tracefs_cpu_open(instance, i, true);
		if (!rings[i] && errno != ENOENT)
			die("the ring of CPU %u cannot be read: %s", i, strerror(errno));
	}
}

/* Returns the clock's name. */
static const char *set_clock(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
		if (tracefs_instance_file_write(instance, "trace_clock", clocks[i]) > 0)
			return clocks[i];
	die("trace_clock takes neither %s nor %s", clocks[0], clocks[1]);
}

static const char *make_instance(unsigned int buffer_kb)
{
	const char *clock;
	char name[64];

	snprintf(name, sizeof(name), "kspan-replay-%d", getpid());
	instance = tracefs_instance_create(name);
	if (!instance)
		die("%s/instances/%s cannot be made: %s; are you root?", tracefs_tracing_dir(),
		    name, strerror(errno));
	atexit(remove_instance);
	if (tracefs_instance_set_buffer_size(instance, buffer_kb, -1) < 0)
		die("there are no rings of %u KiB: %s", buffer_kb, strerror(errno));
	clock = set_clock();
	open_rings();
	return clock;
}

static void enable_events(void)
{
	unsigned int i;

	for (i = 0; i < NR_FORMATS; i++)
		if (formats[i].event && tracefs_event_enable(instance, "kmem", formats[i].name))
			die("the event kmem:%s cannot be enabled: %s", formats[i].name,
			    strerror(errno));
}

static void disable_events(void)
{
	unsigned int i;

	for (i = NR_FORMATS; i--;)
		if (formats[i].event)
			tracefs_event_disable(instance, "kmem", formats[i].name);
}

static uint64_t stat_of(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	unsigned long long value = 0;

	if (!at || sscanf(at + strlen(name), " %llu", &value) != 1)
		die("per_cpu/cpu*/stats has no \"%s\"", name);
	return value;
}

/* libtracefs reads these counts itself from 1.7 on. */
static uint64_t count_lost(void)
{
	uint64_t lost = 0;
	char name[64], *text;
	unsigned int i;

	for (i = 0; i < nr_cpus; i++) {
		if (!rings[i])
			continue;
		snprintf(name, sizeof(name), "per_cpu/cpu%u/stats", i);
		text = tracefs_instance_file_read(instance, name, NULL);
		if (!text)
			die("%s cannot be read: %s", name, strerror(errno));
		lost += stat_of(text, "\noverrun:") + stat_of(text, "\ncommit overrun:") +
			stat_of(text, "\ndropped events:");
		free(text);
	}
	return lost;
}

/* The command */

struct child {
	pid_t pid;
	int go, failure;
};

/*
 * Starts it as far as its end of a pipe, where it waits. It must not have the rings, as whoever
 * has one keeps the instance: this comes before they are opened.
 */
static struct child start_command(char **command)
{
	int gate[2], report[2], err;
	pid_t pid;
	char byte;

	if (pipe2(gate, O_CLOEXEC) || pipe2(report, O_CLOEXEC))
		die("no pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		die("no process for %s: %s", command[0], strerror(errno));
	if (!pid) {
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 1)
			_exit(127);
		execvp(command[0], command);
		err = errno;
		if (write(report[1], &err, sizeof(err)) < 0)
			_exit(126);
		_exit(127);
	}
	close(gate[0]);
	close(report[1]);
	return (struct child){ pid, gate[1], report[0] };
}

static void pause_ms(unsigned int ms)
{
	struct timespec time = { .tv_nsec = ms * 1000000L };

	nanosleep(&time, NULL);
}

static void record_for(unsigned int ms)
{
	for (; ms; ms -= POLL_MS) {
		drain_all();
		pause_ms(POLL_MS);
	}
}

static void record_command(char **command, const struct child *child)
{
	int status, err;

	enable_events();
	if (write(child->go, "", 1) != 1)
		die("%s does not start: %s", command[0], strerror(errno));
	if (read(child->failure, &err, sizeof(err)) == sizeof(err))
		die("%s cannot be run: %s", command[0], strerror(err));
	while (!waitpid(child->pid, &status, WNOHANG) && !stopped) {
		drain_all();
		pause_ms(POLL_MS);
	}
	if (stopped)
		fprintf(stderr, "kspan: stopped before %s ended\n", command[0]);
	else if (!WIFEXITED(status) || WEXITSTATUS(status))
		fprintf(stderr, "kspan: %s failed (%s %d)\n", command[0],
			WIFEXITED(status) ? "exit status" : "signal",
			WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	record_for(SETTLE_MS);
}

static void record_until_signal(void)
{
	fprintf(stderr, "kspan: recording; interrupt it to end that\n");
	enable_events();
	while (!stopped) {
		drain_all();
		pause_ms(POLL_MS);
	}
}

static void set_texts(struct trace *trace, const char *clock, char **command)
{
	struct utsname name;
	size_t len = 0;

	uname(&name);
	snprintf(trace->release, MAX_TEXT, "%s", name.release);
	snprintf(trace->clock, MAX_TEXT, "%s", clock);
	for (; command && *command && len < MAX_TEXT; command++)
		len += snprintf(trace->command + len, MAX_TEXT - len, "%s%s", len ? " " : "",
				*command);
}

void record(const struct recording *recording)
{
	struct sigaction action = { .sa_handler = stop };
	struct trace trace = { };
	struct child child;
	const char *clock;

	if (recording->command)
		child = start_command(recording->command);
	find_formats();
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	clock = make_instance(recording->buffer_kb);
	if (recording->command)
		record_command(recording->command, &child);
	else
		record_until_signal();
	disable_events();
	drain_all();
	trace.lost = count_lost();
	if (trace.lost && !recording->allow_lost)
		die("%llu events were lost, rings of %u KiB were full; -b N makes them larger",
		    (unsigned long long)trace.lost, recording->buffer_kb);
	trace.nr_cpus = nr_cpus;
	trace.own = own;
	set_texts(&trace, clock, recording->command);
	merge(&trace, raws);
	if (!trace.nr_allocs)
		die("nothing was allocated while it was recorded; there is no trace");
	trace_write(&trace, recording->output);
	remove_instance();
	printf("%s: %u events, %u allocations, %llu lost\n", recording->output, trace.nr_events,
	       trace.nr_allocs, (unsigned long long)trace.lost);
	trace_free(&trace);
}
