// SPDX-License-Identifier: GPL-2.0
/*
 * kspan record, replay and info: the allocations of a kernel, recorded and replayed
 *
 * Documentation/replay.rst has more.
 */
#include "command.h"
#include "trace.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>

#define DEBUGFS		"/sys/kernel/debug/kspan_replay/"

#define DEFAULT_OUTPUT	"kspan.ktrace"
#define DEFAULT_BUFFER	8192
#define DEFAULT_SAMPLES	500
#define DEFAULT_ROUNDS	2

const char record_usage[] =
"usage: kspan record [-o FILE] [-b KB] [--allow-lost] [-- COMMAND...]\n"
"\n"
"Writes what the kernel allocates and frees while COMMAND runs, or until it is interrupted,\n"
"to FILE (" DEFAULT_OUTPUT ").\n"
"  -o, --output FILE   the recording\n"
"  -b, --buffer KB     size of each CPU's ring (8192)\n"
"      --allow-lost    take what there is when events were lost\n";

const char info_usage[] =
"usage: kspan info FILE\n"
"\n"
"Tells what is in a recording.\n";

const char replay_usage[] =
"usage: kspan replay [--on kspan|slub] [--rounds N] [--samples N] [--flags plain|all]\n"
"                    [--pause SECONDS] [--tsv FILE] FILE\n"
"\n"
"Does on kspan and on SLUB, in turns, what is in a recording, and tells what they hold.\n"
"kspan.ko and kspan_replay.ko are to be loaded.\n"
"      --on NAME         on one of them\n"
"      --rounds N        turns (2)\n"
"      --samples N       readings on the way (500)\n"
"      --tsv FILE        all of them, as a table\n"
"      --flags all       with accounted and reclaimable objects marked as such, which SLUB\n"
"                        keeps apart from others (plain: atomic and zeroed only)\n"
"      --pause SECONDS   before each run, until the kernel has freed what it frees late\n";

/* kspan info */

static void show_text(const char *what, const char *text)
{
	char *copy = printable(text);

	printf("%s: %s\n", what, *copy ? copy : "-");
	free(copy);
}

/**
 * struct summary - what is in a trace
 * @sizes:	of the objects
 * @count:	allocations by the power of two that is as large
 * @bytes:	of these
 */
struct summary {
	uint64_t live, peak, total, last;
	uint32_t events, peak_events, live_objects, peak_objects;
	uint32_t flags[8];
	uint32_t *sizes;
	uint32_t count[32];
	uint64_t bytes[32];
};

static void add_alloc(struct summary *sum, const struct replay_record *record)
{
	unsigned int bucket = record->size <= 8 ? 3 : 32 - __builtin_clz(record->size - 1), bit;

	sum->sizes[record->slot] = record->size;
	sum->count[bucket]++;
	sum->bytes[bucket] += record->size;
	sum->live += record->size;
	sum->total += record->size;
	sum->live_objects++;
	for (bit = 0; bit < 4; bit++)
		sum->flags[bit] += record->flags >> bit & 1;
	if (sum->live > sum->peak) {
		sum->peak = sum->live;
		sum->peak_events = sum->events;
		sum->peak_objects = sum->live_objects;
	}
}

static void add_event(const struct event *event, void *data)
{
	const struct replay_record *record = &event->record;
	struct summary *sum = data;

	sum->events++;
	sum->last = event->time;
	if (record->kind == REPLAY_FREE) {
		sum->live -= sum->sizes[record->slot];
		sum->live_objects--;
	} else {
		add_alloc(sum, record);
	}
}

static void sum_up(const struct trace *trace, struct summary *sum)
{
	memset(sum, 0, sizeof(*sum));
	sum->sizes = xrealloc(NULL, (size_t)trace->nr_slots * sizeof(*sum->sizes));
	trace_each(trace, add_event, sum);
	free(sum->sizes);
}

static void show_sizes(const struct summary *sum)
{
	unsigned int bucket;

	printf("%-16s %12s %14s\n", "size up to", "allocations", "bytes");
	for (bucket = 3; bucket < 23; bucket++)
		if (sum->count[bucket])
			printf("%-16u %12u %14llu\n", 1U << bucket, sum->count[bucket],
			       (unsigned long long)sum->bytes[bucket]);
}

void info_command(int argc, char **argv)
{
	struct summary sum;
	struct trace trace;

	if (argc != 2)
		die("info wants one FILE");
	trace_read(&trace, argv[1]);
	sum_up(&trace, &sum);
	show_text("kernel", trace.release);
	show_text("command", trace.command);
	show_text("clock", trace.clock);
	printf("cpus: %u\n", trace.nr_cpus);
	printf("seconds: %.3f\n", sum.last / 1e6);
	printf("events: %u\n", trace.nr_events);
	printf("allocations: %u\n", trace.nr_allocs);
	printf("frees: %u\n", trace.nr_events - trace.nr_allocs);
	printf("lost events: %llu\n", (unsigned long long)trace.lost);
	printf("frees of objects that were not allocated in it, left out: %llu\n",
	       (unsigned long long)trace.foreign);
	printf("frees not seen, put before the next use of the address: %llu\n",
	       (unsigned long long)trace.unseen);
	printf("allocations of the recorder, left out: %llu\n", (unsigned long long)trace.own);
	printf("atomic: %u, zeroed: %u, accounted: %u, reclaimable: %u\n", sum.flags[0],
	       sum.flags[1], sum.flags[2], sum.flags[3]);
	printf("bytes requested: %llu\n", (unsigned long long)sum.total);
	printf("bytes requested live at the peak: %llu, in %u objects, after %u events\n",
	       (unsigned long long)sum.peak, sum.peak_objects, sum.peak_events);
	printf("live at the end: %u objects, %llu bytes\n", sum.live_objects,
	       (unsigned long long)sum.live);
	show_sizes(&sum);
	trace_free(&trace);
}

/* kspan replay */

/* The module's last word in the kernel's log says why it has refused something. */
static void __attribute__((noreturn)) die_of_module(const char *what, int err)
{
	int size = klogctl(10, NULL, 0);
	char *log = xrealloc(NULL, size + 1), *line, *last = NULL;

	size = klogctl(3, log, size);
	log[size > 0 ? size : 0] = '\0';
	for (line = log; (line = strstr(line, "kspan-replay: ")); line++)
		last = line;
	if (last)
		last[strcspn(last, "\n")] = '\0';
	die("%s: %s%s%s", what, strerror(err), last ? "; the kernel says: " : "",
	    last ? printable(last + strlen("kspan-replay: ")) : "");
}

static int open_module(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), DEBUGFS "%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		die("%s: %s; load kspan.ko and kspan_replay.ko, mount debugfs, be root", path,
		    strerror(errno));
	return fd;
}

static void write_module(int fd, const void *data, size_t len, const char *what)
{
	const char *from = data;
	ssize_t n;

	while (len) {
		n = write(fd, from, len);
		if (n < 0)
			die_of_module(what, errno);
		from += n;
		len -= n;
	}
}

static void put_module(const char *name, const char *text, const char *what)
{
	int fd = open_module(name);

	write_module(fd, text, strlen(text), what);
	close(fd);
}

static void command_module(const char *format, unsigned int a, unsigned int b)
{
	char command[64];

	snprintf(command, sizeof(command), format, a, b);
	put_module("control", command, command);
}

/* Records on their way to the module. */
struct loading {
	struct replay_record records[4096];
	unsigned int n;
	unsigned int flags;
	int fd;
};

static void flush_records(struct loading *loading)
{
	write_module(loading->fd, loading->records, loading->n * sizeof(loading->records[0]),
		     "the events");
	loading->n = 0;
}

static void load_event(const struct event *event, void *data)
{
	struct loading *loading = data;
	struct replay_record *record = &loading->records[loading->n++];

	*record = event->record;
	record->flags &= loading->flags;
	if (loading->n == sizeof(loading->records) / sizeof(loading->records[0]))
		flush_records(loading);
}

static void load(const struct trace *trace, unsigned int flags)
{
	struct loading loading = { .flags = flags };

	command_module("load %u %u", trace->nr_events, trace->nr_slots);
	loading.fd = open_module("events");
	trace_each(trace, load_event, &loading);
	flush_records(&loading);
	close(loading.fd);
}

static char *get_module(const char *name)
{
	size_t len = 0, size = 1 << 16;
	char *text = xrealloc(NULL, size);
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), DEBUGFS "%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		die("%s cannot be read: %s", path, strerror(errno));
	while ((n = read(fd, text + len, size - len - 1)) > 0) {
		len += n;
		if (size - len < 1 << 12) {
			size *= 2;
			text = xrealloc(text, size);
		}
	}
	if (n < 0)
		die("%s cannot be read: %s", path, strerror(errno));
	close(fd);
	text[len] = '\0';
	return text;
}

static unsigned long long value_of(const char *result, const char *name)
{
	unsigned long long value;
	const char *at;

	at = strstr(result, name);
	if (!at || sscanf(at + strlen(name), ": %llu", &value) != 1)
		die("the module tells no %s", name);
	return value;
}

/* Of an event. */
static double ticks_of(const char *result)
{
	unsigned long long timed = value_of(result, "timed_events");

	return timed ? (double)value_of(result, "ticks") / timed : 0;
}

struct replay {
	const struct trace *trace;
	FILE *tsv;
	unsigned int samples, flags, pause;
	double empty;
};

/* Its lines, each with @start before it. */
static void put_tsv(FILE *tsv, const char *start, char *table)
{
	char *line = strtok(table, "\n");

	for (line = strtok(NULL, "\n"); line; line = strtok(NULL, "\n"))
		fprintf(tsv, "%s\t%s\n", start, line);
}

static void show_reading(const char *on, unsigned int round, const char *line)
{
	unsigned long long events, requested, held, arenas, spans, metadata, slab;
	long long lost;
	char name[16];

	if (sscanf(line, "%15s %llu %llu %llu %llu %llu %llu %llu %lld", name, &events, &requested,
		   &held, &arenas, &spans, &metadata, &slab, &lost) != 9)
		die("the module tells a reading as \"%s\"", line);
	printf("%-6s %5u %-8s %9llu %10llu %10llu ", on, round, name, events, requested, held);
	if (requested)
		printf("%6.3f %10lld %6.3f", (double)held / requested, lost,
		       (double)lost / requested);
	else
		printf("%6s %10lld %6s", "-", lost, "-");
	printf(" %10llu %10llu %9llu %10llu\n", arenas, spans, metadata, slab);
}

static void show_result(const struct replay *replay, const char *on, unsigned int round,
			char *result)
{
	double ticks = ticks_of(result) - replay->empty;
	uint32_t allocs = value_of(result, "allocs"), frees = value_of(result, "frees");
	char *line = strstr(result, "reading\t"), start[32];

	if (allocs != replay->trace->nr_allocs || frees != allocs)
		die("%s: %u allocations and %u frees were made, the trace has %u", on, allocs,
		    frees, replay->trace->nr_allocs);
	if (!line)
		die("the module tells no readings");
	strtok(line, "\n");
	while ((line = strtok(NULL, "\n")))
		show_reading(on, round, line);
	printf("time: on=%s round=%u allocs=%u frees=%u ticks_per_event=%.1f\n", on, round, allocs,
	       frees, ticks);
	fflush(stdout);
	snprintf(start, sizeof(start), "%s\t%u", on, round);
	if (replay->tsv)
		put_tsv(replay->tsv, start, get_module("samples"));
}

static char *run_on(const struct replay *replay, const char *on)
{
	char command[64];

	snprintf(command, sizeof(command), "run %s %u", on, replay->samples);
	put_module("control", command, command);
	return get_module("result");
}

static void replay_rounds(struct replay *replay, const char *on, unsigned int rounds)
{
	static const char * const both[] = { "kspan", "slub" };
	unsigned int round, i;
	char *result;

	load(replay->trace, replay->flags);
	result = run_on(replay, "empty");
	replay->empty = ticks_of(result);
	free(result);
	printf("%-6s %5s %-8s %9s %10s %10s %6s %10s %6s %10s %10s %9s %10s\n", "on", "round",
	       "reading", "events", "requested", "held", "ratio", "lost", "ratio", "arenas",
	       "spans", "metadata", "slab");
	for (round = 1; round <= rounds; round++)
		for (i = 0; i < 2; i++) {
			if (on && strcmp(on, both[i]))
				continue;
			sleep(replay->pause);
			result = run_on(replay, both[i]);
			show_result(replay, both[i], round, result);
			free(result);
		}
	put_module("control", "clear", "clear");
}

static unsigned int flags_of(const char *text)
{
	if (!strcmp(text, "all"))
		return REPLAY_FLAGS;
	if (!strcmp(text, "plain"))
		return REPLAY_PLAIN;
	die("--flags %s: must be plain or all", text);
}

void replay_command(int argc, char **argv)
{
	static const struct option options[] = {
		{ "on", required_argument, NULL, 'o' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "samples", required_argument, NULL, 's' },
		{ "pause", required_argument, NULL, 'p' },
		{ "flags", required_argument, NULL, 'f' },
		{ "tsv", required_argument, NULL, 't' },
		{ },
	};
	unsigned int rounds = DEFAULT_ROUNDS;
	struct replay replay = { .samples = DEFAULT_SAMPLES, .flags = REPLAY_PLAIN };
	const char *on = NULL, *tsv = NULL;
	struct trace trace;
	int option;

	while ((option = next_option(argc, argv, "", options)) != -1) {
		switch (option) {
		case 'o':
			on = optarg;
			break;
		case 'r':
			rounds = option_number("--rounds", optarg, 1, 1000);
			break;
		case 's':
			replay.samples = option_number("--samples", optarg, 1, 100000);
			break;
		case 'p':
			replay.pause = option_number("--pause", optarg, 1, 1000);
			break;
		case 'f':
			replay.flags = flags_of(optarg);
			break;
		case 't':
			tsv = optarg;
			break;
		}
	}
	if (optind != argc - 1)
		die("replay wants one FILE");
	if (on && strcmp(on, "kspan") && strcmp(on, "slub"))
		die("--on %s: must be kspan or slub", on);
	trace_read(&trace, argv[optind]);
	if (tsv) {
		replay.tsv = fopen(tsv, "w");
		if (!replay.tsv)
			die("%s: cannot be created: %s", tsv, strerror(errno));
		fputs("on\tround\tevents\trequested\theld\tarenas\tspans\tmetadata\tslab\tlost\n",
		      replay.tsv);
	}
	replay.trace = &trace;
	replay_rounds(&replay, on, rounds);
	if (tsv && fclose(replay.tsv))
		die("%s: cannot be written: %s", tsv, strerror(errno));
	trace_free(&trace);
}

/* kspan record */

void record_command(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "buffer", required_argument, NULL, 'b' },
		{ "allow-lost", no_argument, NULL, 'l' },
		{ },
	};
	struct recording recording = {
		.output = DEFAULT_OUTPUT,
		.buffer_kb = DEFAULT_BUFFER,
	};
	int option;

	while ((option = next_option(argc, argv, "+o:b:", options)) != -1) {
		switch (option) {
		case 'o':
			recording.output = optarg;
			break;
		case 'b':
			recording.buffer_kb = option_number("-b", optarg, 1, 1U << 22);
			break;
		case 'l':
			recording.allow_lost = true;
			break;
		}
	}
	if (optind < argc && strcmp(argv[optind - 1], "--"))
		die("%s: a command comes after --", argv[optind]);
	recording.command = optind < argc ? argv + optind : NULL;
	record(&recording);
}
