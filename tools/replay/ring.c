// SPDX-License-Identifier: GPL-2.0
/*
 * kspan-replay record: the kernel's kmem events, off tracefs
 *
 * The rings of the CPUs are read as binary pages into memory while the command runs,
 * and merged by time afterwards. An instance of its own keeps this apart from what
 * others trace.
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* In order of preference: all CPUs agree on them. */
static const char * const clocks[] = { "global", "mono" };

/* The same on Linux 6.1 to 7.3. */
#define GFP_RECLAIMABLE		0x10
#define GFP_ZERO		0x100
#define GFP_DIRECT_RECLAIM	0x400
#define GFP_ACCOUNT		0x400000

/* Of an event's common_flags: it happened in an interrupt. */
#define IN_INTERRUPT		(0x08 | 0x10 | 0x40)

/* How long it is recorded after the command has ended: frees may wait for RCU. */
#define SETTLE_MS		500
#define POLL_MS			10

/**
 * struct raw - an event as the kernel tells it
 * @time:	in nanoseconds
 * @ptr:	address of the object
 * @size:	bytes requested; 0: it is freed
 * @gfp:	of an allocation
 * @node:	of an allocation
 */
struct raw {
	uint64_t time;
	uint64_t ptr;
	uint32_t size;
	uint32_t gfp;
	int16_t node;
};

struct cpu {
	int fd;
	struct raw *events;
	size_t nr, size, next;
};

struct field {
	unsigned int offset, size;
};

/* The kernel's description of an event. kmalloc_node was one of its own up to 6.0. */
struct format {
	const char *name;
	bool needed, alloc, found;
	unsigned int id;
	struct field ptr, bytes, gfp, node;
};

/* Frees are on before allocations and off after them, so that none of these is missed. */
static struct format formats[] = {
	{ "kfree", .needed = true },
	{ "kmalloc", .needed = true, .alloc = true },
	{ "kmalloc_node", .alloc = true },
};

#define NR_FORMATS	(sizeof(formats) / sizeof(formats[0]))

/* Of every event, and of a page. */
static struct field common_type, common_flags, common_pid, page_commit, page_data;

static char tracefs[64], instance[128];
static struct cpu *cpus;
static unsigned int nr_cpus;
static uint64_t own, refused;
static size_t page_size;
static uint8_t *page;
static volatile sig_atomic_t stopped;

/* Files of tracefs */

static char *get_file(const char *dir, const char *name)
{
	char path[512], *text = xrealloc(NULL, 1 << 17);
	ssize_t n, len = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("%s cannot be read: %s; it wants root, and CONFIG_EVENT_TRACING", path,
		    strerror(errno));
	do {
		n = read(fd, text + len, (1 << 17) - 1 - len);
		if (n < 0)
			die("%s cannot be read: %s", path, strerror(errno));
		len += n;
	} while (n);
	close(fd);
	text[len] = '\0';
	return text;
}

/* Returns an errno. */
static int try_put(const char *name, const char *text)
{
	char path[512];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/%s", instance, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

static void put(const char *name, const char *text)
{
	int err = try_put(name, text);

	if (err)
		die("%s/%s does not take \"%s\": %s", instance, name, text, strerror(err));
}

static void find_tracefs(void)
{
	static const char * const places[] = {
		"/sys/kernel/tracing", "/sys/kernel/debug/tracing"
	};
	char path[128];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/instances", places[i]);
		if (!access(path, F_OK)) {
			snprintf(tracefs, sizeof(tracefs), "%s", places[i]);
			return;
		}
	}
	die("there is no tracefs at %s or %s; as root: mount -t tracefs tracefs %s", places[0],
	    places[1], places[0]);
}

/* Descriptions: "field:TYPE NAME;	offset:N;	size:N;	signed:N;" a line */

static bool get_field(const char *text, const char *name, struct field *field)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), " %s;", name);
	at = strstr(text, key);
	return at && sscanf(at + strlen(key), " offset:%u; size:%u;", &field->offset,
			    &field->size) == 2 && field->size <= 8;
}

static void need_field(const char *text, const char *name, struct field *field, const char *of)
{
	if (!get_field(text, name, field))
		die("this kernel's %s has no field %s", of, name);
}

static void read_format(struct format *format)
{
	char dir[192], *text;
	const char *id;

	snprintf(dir, sizeof(dir), "%s/events/kmem/%s", tracefs, format->name);
	if (access(dir, F_OK)) {
		if (format->needed)
			die("this kernel has no event kmem:%s (%s); CONFIG_EVENT_TRACING makes it",
			    format->name, dir);
		return;
	}
	text = get_file(dir, "format");
	id = strstr(text, "ID: ");
	if (!id || sscanf(id, "ID: %u", &format->id) != 1)
		die("%s/format has no ID", dir);
	need_field(text, "common_type", &common_type, format->name);
	need_field(text, "common_flags", &common_flags, format->name);
	need_field(text, "common_pid", &common_pid, format->name);
	need_field(text, "ptr", &format->ptr, format->name);
	if (format->alloc) {
		need_field(text, "bytes_req", &format->bytes, format->name);
		need_field(text, "gfp_flags", &format->gfp, format->name);
		get_field(text, "node", &format->node);
	}
	format->found = true;
	free(text);
}

static void read_page_format(void)
{
	char dir[128], *text;
	const char *data;

	snprintf(dir, sizeof(dir), "%s/events", tracefs);
	text = get_file(dir, "header_page");
	need_field(text, "commit", &page_commit, "header_page");
	data = strstr(text, " data;");
	if (!data || sscanf(data, " data; offset:%u; size:%u;", &page_data.offset,
			    &page_data.size) != 2)
		die("this kernel's header_page has no data");
	page_size = page_data.offset + page_data.size;
	page = xrealloc(NULL, page_size);
	free(text);
}

static uint64_t get(const uint8_t *event, const struct field *field)
{
	uint64_t value = 0;

	memcpy(&value, event + field->offset, field->size);
	return value;
}

/* Pages of a ring */

static void add_raw(struct cpu *cpu, const struct raw *raw)
{
	if (cpu->nr == cpu->size) {
		cpu->size = cpu->size * 2 + 65536;
		cpu->events = xrealloc(cpu->events, cpu->size * sizeof(*cpu->events));
	}
	cpu->events[cpu->nr++] = *raw;
}

static void take_event(struct cpu *cpu, const uint8_t *event, uint64_t time)
{
	unsigned int id = get(event, &common_type), i;
	struct raw raw = { .time = time, .node = REPLAY_ANY_NODE };
	const struct format *format = NULL;

	for (i = 0; i < NR_FORMATS; i++)
		if (formats[i].found && formats[i].id == id)
			format = &formats[i];
	if (!format)
		return;
	raw.ptr = get(event, &format->ptr);
	if (!format->alloc) {
		add_raw(cpu, &raw);
		return;
	}
	/* An interrupt may find any task running. */
	if (get(event, &common_pid) == (uint64_t)getpid() &&
	    !(get(event, &common_flags) & IN_INTERRUPT)) {
		own++;
		return;
	}
	raw.gfp = get(event, &format->gfp);
	if (format->node.size)
		raw.node = (int32_t)get(event, &format->node);
	if (get(event, &format->bytes) > REPLAY_MAX_SIZE)
		die("an allocation of %llu bytes; a trace has none above %u",
		    (unsigned long long)get(event, &format->bytes), REPLAY_MAX_SIZE);
	raw.size = get(event, &format->bytes);
	if (raw.size && raw.ptr)
		add_raw(cpu, &raw);
	else
		refused++;
}

/* Kinds of entries; those below have a length in words, 0 says it follows. */
enum { RING_PADDING = 29, RING_TIME_EXTEND = 30, RING_TIME_STAMP = 31 };

static void take_page(struct cpu *cpu, size_t len)
{
	uint64_t time, extend, used = get(page, &page_commit) & 0xfffff;
	const uint8_t *at = page + page_data.offset, *end;
	uint32_t head, kind, next, size;

	memcpy(&time, page, 8);
	if (page_data.offset + used > len)
		die("a page of a ring has %zu bytes, and says it has %llu", len,
		    (unsigned long long)(page_data.offset + used));
	for (end = at + used; at + 8 <= end; at += size) {
		memcpy(&head, at, 4);
		memcpy(&next, at + 4, 4);
		kind = head & 31;
		head >>= 5;
		extend = ((uint64_t)next << 27) + head;
		switch (kind) {
		case RING_PADDING:
			if (!head)
				return;
			size = 4 + next;
			time += head;
			break;
		case RING_TIME_EXTEND:
			size = 8;
			time += extend;
			break;
		case RING_TIME_STAMP:
			size = 8;
			time = (time & ~((1ULL << 59) - 1)) | extend;
			break;
		default:
			size = 4 + (kind ? kind * 4 : next);
			time += head;
			if (at + size <= end)
				take_event(cpu, at + (kind ? 4 : 8), time);
		}
	}
}

/* Reads what there is; whether there was something. */
static bool drain(struct cpu *cpu)
{
	bool any = false;
	ssize_t n;

	for (;;) {
		n = read(cpu->fd, page, page_size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			die("a ring of %s cannot be read: %s", instance, strerror(errno));
		if (n <= (ssize_t)page_data.offset)
			return any;
		take_page(cpu, n);
		any = true;
	}
}

static void drain_all(void)
{
	unsigned int i;

	for (i = 0; i < nr_cpus; i++)
		if (cpus[i].fd >= 0)
			drain(&cpus[i]);
}

/* Set up and down */

static void remove_instance(void)
{
	unsigned int i;

	if (!*instance)
		return;
	try_put("events/enable", "0");
	for (i = 0; i < nr_cpus; i++)
		if (cpus[i].fd >= 0)
			close(cpus[i].fd);
	if (rmdir(instance))
		fprintf(stderr, "kspan-replay: %s is left behind: %s\n", instance, strerror(errno));
	*instance = '\0';
}

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static void open_rings(void)
{
	char path[256];
	unsigned int i;

	nr_cpus = sysconf(_SC_NPROCESSORS_CONF);
	cpus = xrealloc(NULL, nr_cpus * sizeof(*cpus));
	memset(cpus, 0, nr_cpus * sizeof(*cpus));
	for (i = 0; i < nr_cpus; i++) {
		snprintf(path, sizeof(path), "%s/per_cpu/cpu%u/trace_pipe_raw", instance, i);
		cpus[i].fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (cpus[i].fd < 0 && errno != ENOENT)
			die("%s cannot be read: %s", path, strerror(errno));
	}
}

/* Returns the clock's name. */
static const char *set_clock(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
		if (!try_put("trace_clock", clocks[i]))
			return clocks[i];
	die("%s/trace_clock takes neither %s nor %s", instance, clocks[0], clocks[1]);
}

static const char *make_instance(unsigned int buffer_kb)
{
	const char *clock;
	char text[128];

	snprintf(text, sizeof(text), "%s/instances/kspan-replay-%d", tracefs, getpid());
	if (mkdir(text, 0700))
		die("%s cannot be made: %s; are you root?", text, strerror(errno));
	snprintf(instance, sizeof(instance), "%s", text);
	atexit(remove_instance);
	snprintf(text, sizeof(text), "%u", buffer_kb);
	put("buffer_size_kb", text);
	clock = set_clock();
	open_rings();
	return clock;
}

static void switch_event(const struct format *format, const char *value)
{
	char name[64];

	snprintf(name, sizeof(name), "events/kmem/%s/enable", format->name);
	if (format->found)
		put(name, value);
}

static void enable_events(void)
{
	unsigned int i;

	for (i = 0; i < NR_FORMATS; i++)
		switch_event(&formats[i], "1");
}

static void disable_events(void)
{
	unsigned int i;

	for (i = NR_FORMATS; i--;)
		switch_event(&formats[i], "0");
}

static uint64_t stat_of(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	unsigned long long value = 0;

	if (!at || sscanf(at + strlen(name), " %llu", &value) != 1)
		die("%s/per_cpu/cpu*/stats has no \"%s\"", instance, name);
	return value;
}

static uint64_t count_lost(void)
{
	uint64_t lost = 0;
	char name[64], *text;
	unsigned int i;

	for (i = 0; i < nr_cpus; i++) {
		if (cpus[i].fd < 0)
			continue;
		snprintf(name, sizeof(name), "per_cpu/cpu%u/stats", i);
		text = get_file(instance, name);
		lost += stat_of(text, "\noverrun:") + stat_of(text, "\ncommit overrun:") +
			stat_of(text, "\ndropped events:");
		free(text);
	}
	return lost;
}

/* The command */

/* Starts it, stopped at a pipe whose other end is returned. */
static pid_t start_command(char **command, int *go, int *failure)
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
	*go = gate[1];
	*failure = report[0];
	return pid;
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

static void record_command(char **command)
{
	int go, failure, status, err;
	pid_t pid;

	pid = start_command(command, &go, &failure);
	enable_events();
	if (write(go, "", 1) != 1)
		die("%s does not start: %s", command[0], strerror(errno));
	if (read(failure, &err, sizeof(err)) == sizeof(err))
		die("%s cannot be run: %s", command[0], strerror(err));
	while (!waitpid(pid, &status, WNOHANG) && !stopped) {
		drain_all();
		pause_ms(POLL_MS);
	}
	if (stopped)
		fprintf(stderr, "kspan-replay: stopped before %s ended\n", command[0]);
	else if (!WIFEXITED(status) || WEXITSTATUS(status))
		fprintf(stderr, "kspan-replay: %s failed (%s %d)\n", command[0],
			WIFEXITED(status) ? "exit status" : "signal",
			WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	record_for(SETTLE_MS);
}

static void record_until_signal(void)
{
	fprintf(stderr, "kspan-replay: recording; interrupt it to end that\n");
	enable_events();
	while (!stopped) {
		drain_all();
		pause_ms(POLL_MS);
	}
}

/* Objects by their addresses: open addressing, where a slot that was freed stays used. */

struct map {
	struct { uint64_t ptr; uint32_t slot; bool live; } *entry;
	size_t size, used;
};

static size_t map_place(const struct map *map, uint64_t ptr)
{
	size_t i = (ptr * 0x9e3779b97f4a7c15ULL >> 20) & (map->size - 1);

	while (map->entry[i].ptr && map->entry[i].ptr != ptr)
		i = (i + 1) & (map->size - 1);
	return i;
}

static void map_grow(struct map *map)
{
	struct map larger = { .size = map->size ? map->size * 2 : 1 << 16 };
	size_t i;

	larger.entry = xrealloc(NULL, larger.size * sizeof(*larger.entry));
	memset(larger.entry, 0, larger.size * sizeof(*larger.entry));
	for (i = 0; i < map->size; i++)
		if (map->entry[i].live) {
			larger.entry[map_place(&larger, map->entry[i].ptr)] = map->entry[i];
			larger.used++;
		}
	free(map->entry);
	*map = larger;
}

static bool map_live(const struct map *map, uint64_t ptr)
{
	size_t i = map->size ? map_place(map, ptr) : 0;

	return map->size && map->entry[i].ptr && map->entry[i].live;
}

static void map_set(struct map *map, uint64_t ptr, uint32_t slot)
{
	size_t i;

	if (map->used * 2 >= map->size)
		map_grow(map);
	i = map_place(map, ptr);
	map->used += !map->entry[i].ptr;
	map->entry[i].ptr = ptr;
	map->entry[i].slot = slot;
	map->entry[i].live = true;
}

/* Merging */

struct merge {
	struct trace *trace;
	struct slots slots;
	struct map map;
	uint64_t start;
	size_t room;
};

/*
 * The next event of all CPUs. Of two at the same time, the one that fits what is
 * live comes first.
 */
static struct raw *next_event(struct merge *merge, unsigned int *cpu)
{
	struct raw *best = NULL, *raw;
	unsigned int i;

	for (i = 0; i < nr_cpus; i++) {
		if (cpus[i].next == cpus[i].nr)
			continue;
		raw = &cpus[i].events[cpus[i].next];
		if (best && (raw->time > best->time ||
			     (raw->time == best->time &&
			      map_live(&merge->map, raw->ptr) == !!raw->size)))
			continue;
		best = raw;
		*cpu = i;
	}
	if (best)
		cpus[*cpu].next++;
	return best;
}

static struct event *add_event(struct merge *merge, const struct raw *raw, unsigned int cpu)
{
	struct trace *trace = merge->trace;
	struct event *event;

	if (trace->nr_events == REPLAY_MAX_EVENTS)
		die("there are more than %u events; record for a shorter time", REPLAY_MAX_EVENTS);
	if (trace->nr_events == merge->room) {
		merge->room = merge->room * 2 + 65536;
		trace->events = xrealloc(trace->events, merge->room * sizeof(*trace->events));
	}
	event = &trace->events[trace->nr_events++];
	memset(event, 0, sizeof(*event));
	event->cpu = cpu;
	event->time = (raw->time - merge->start) / 1000;
	event->record.node = REPLAY_ANY_NODE;
	return event;
}

static void add_free(struct merge *merge, const struct raw *raw, unsigned int cpu)
{
	size_t i = map_place(&merge->map, raw->ptr);
	struct event *event = add_event(merge, raw, cpu);

	event->record.kind = REPLAY_FREE;
	event->record.slot = merge->map.entry[i].slot;
	merge->map.entry[i].live = false;
	slots_give(&merge->slots, event->record.slot);
}

static void add_alloc(struct merge *merge, const struct raw *raw, unsigned int cpu)
{
	struct event *event = add_event(merge, raw, cpu);

	event->record.kind = REPLAY_ALLOC;
	event->record.slot = slots_take(&merge->slots);
	event->record.size = raw->size;
	event->record.node = raw->node < 0 ? REPLAY_ANY_NODE : raw->node;
	event->record.flags = (raw->gfp & GFP_DIRECT_RECLAIM ? 0 : REPLAY_ATOMIC) |
			      (raw->gfp & GFP_ZERO ? REPLAY_ZEROED : 0) |
			      (raw->gfp & GFP_ACCOUNT ? REPLAY_ACCOUNTED : 0) |
			      (raw->gfp & GFP_RECLAIMABLE ? REPLAY_RECLAIMABLE : 0);
	map_set(&merge->map, raw->ptr, event->record.slot);
	merge->trace->nr_allocs++;
}

static void merge_all(struct trace *trace)
{
	struct merge merge = { .trace = trace };
	struct raw *raw;
	unsigned int cpu;

	while ((raw = next_event(&merge, &cpu))) {
		bool live = map_live(&merge.map, raw->ptr);

		if (!merge.start)
			merge.start = raw->time;
		if (!raw->size && !live) {
			/* NULL and ZERO_SIZE_PTR are nobody's. */
			trace->foreign += raw->ptr > 16;
			continue;
		}
		if (live)
			add_free(&merge, raw, cpu);
		if (raw->size) {
			trace->unseen += live;
			add_alloc(&merge, raw, cpu);
		}
	}
	trace->nr_slots = merge.slots.nr;
	free(merge.map.entry);
	free(merge.slots.free);
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
	const char *clock;
	unsigned int i;

	find_tracefs();
	for (i = 0; i < NR_FORMATS; i++)
		read_format(&formats[i]);
	read_page_format();
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	clock = make_instance(recording->buffer_kb);
	if (recording->command)
		record_command(recording->command);
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
	merge_all(&trace);
	if (!trace.nr_allocs)
		die("nothing was allocated while it was recorded; there is no trace");
	trace_write(&trace, recording->output);
	remove_instance();
	printf("%s: %u events, %u allocations, %llu lost\n", recording->output, trace.nr_events,
	       trace.nr_allocs, (unsigned long long)trace.lost);
	trace_free(&trace);
}
