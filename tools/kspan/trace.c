// SPDX-License-Identifier: GPL-2.0
/*
 * The file of a trace: a header, and the events, compressed
 */
#include "trace.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define MAGIC		"KSPANTRC"
#define VERSION		1
/* The fixed part of the header; three texts and the checksum follow. */
#define FIXED		92
#define MAX_HEADER	(FIXED + 3 * MAX_TEXT + 4)

/* Of the first byte of an event. */
#define HEAD_FREE	0x1
#define HEAD_CPU	0x2
#define HEAD_TIME	2
#define LONG_TIME	63

/* Of the flags of an allocation in the file. */
#define FLAG_NODE	0x10

/* An event is head, CPU, time, slot or size, flags, node; at least head and slot. */
#define MIN_EVENT	2
#define MAX_EVENT	(1 + 3 + 10 + 5 + 1 + 3)

uint32_t slots_take(struct slots *slots)
{
	if (slots->nr_free)
		return slots->free[--slots->nr_free];
	return slots->nr++;
}

void slots_give(struct slots *slots, uint32_t slot)
{
	if (slots->nr_free == slots->size) {
		slots->size = slots->size * 2 + 1024;
		slots->free = xrealloc(slots->free, slots->size * sizeof(*slots->free));
	}
	slots->free[slots->nr_free++] = slot;
}

void trace_free(struct trace *trace)
{
	free(trace->events);
	free(trace->file);
	memset(trace, 0, sizeof(*trace));
}

/* Numbers of 7 bits a byte, the lowest first; the last has its top bit clear. */
static uint8_t *put_varint(uint8_t *to, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*to++ = value | 0x80;
	*to++ = value;
	return to;
}

static uint8_t *put_le(uint8_t *to, uint64_t value, unsigned int bytes)
{
	for (; bytes--; value >>= 8)
		*to++ = value;
	return to;
}

static uint64_t get_le(const uint8_t **from, unsigned int bytes)
{
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < bytes; i++)
		value |= (uint64_t)(*from)[i] << 8 * i;
	*from += bytes;
	return value;
}

/* Small for what is near 0 on either side. */
static uint32_t zigzag(uint32_t slot, uint32_t last)
{
	int64_t delta = (int64_t)slot - last;

	return delta < 0 ? -delta * 2 - 1 : delta * 2;
}

static int64_t unzigzag(uint64_t value)
{
	return value & 1 ? -(int64_t)(value / 2) - 1 : (int64_t)(value / 2);
}

/* What an event is told in terms of. */
struct context {
	uint64_t time;
	uint32_t slot;
	uint16_t cpu;
};

static uint8_t *put_event(uint8_t *to, const struct event *event, struct context *last)
{
	const struct replay_record *record = &event->record;
	uint64_t delta = event->time - last->time;
	bool has_node = record->node != REPLAY_ANY_NODE;
	uint8_t head = record->kind == REPLAY_FREE ? HEAD_FREE : 0;

	if (event->cpu != last->cpu)
		head |= HEAD_CPU;
	head |= (delta < LONG_TIME ? delta : LONG_TIME) << HEAD_TIME;
	*to++ = head;
	if (head & HEAD_CPU)
		to = put_varint(to, event->cpu);
	if (delta >= LONG_TIME)
		to = put_varint(to, delta - LONG_TIME);
	if (record->kind == REPLAY_FREE) {
		to = put_varint(to, zigzag(record->slot, last->slot));
	} else {
		to = put_varint(to, record->size);
		*to++ = record->flags | (has_node ? FLAG_NODE : 0);
		if (has_node)
			to = put_varint(to, record->node);
	}
	*last = (struct context){ event->time, record->slot, event->cpu };
	return to;
}

/* Returns the body as it is before it is compressed. */
static uint8_t *encode(const struct trace *trace, size_t *len)
{
	uint8_t *body = xrealloc(NULL, (size_t)trace->nr_events * MAX_EVENT), *to = body;
	struct context last = { };
	uint32_t i;

	for (i = 0; i < trace->nr_events; i++)
		to = put_event(to, &trace->events[i], &last);
	*len = to - body;
	return body;
}

static uint8_t *put_text(uint8_t *to, const char *text)
{
	size_t len = strlen(text) + 1;

	memcpy(to, text, len);
	return to + len;
}

/* Returns the length. */
static size_t make_header(uint8_t *header, const struct trace *trace, size_t body, size_t packed,
			  uint32_t crc)
{
	uint8_t *to = header + FIXED;
	size_t len;

	to = put_text(to, trace->release);
	to = put_text(to, trace->clock);
	to = put_text(to, trace->command);
	len = to + 4 - header;
	memcpy(header, MAGIC, 8);
	to = put_le(header + 8, VERSION, 4);
	to = put_le(to, len, 4);
	to = put_le(to, trace->nr_events, 4);
	to = put_le(to, trace->nr_allocs, 4);
	to = put_le(to, trace->nr_slots, 4);
	to = put_le(to, trace->nr_cpus, 4);
	to = put_le(to, trace->lost, 8);
	to = put_le(to, trace->foreign, 8);
	to = put_le(to, trace->unseen, 8);
	to = put_le(to, trace->own, 8);
	to = put_le(to, body, 8);
	to = put_le(to, packed, 8);
	to = put_le(to, crc, 4);
	memset(to, 0, header + FIXED - to);
	put_le(header + len - 4, crc32(0, header, len - 4), 4);
	return len;
}

static void write_all(int fd, const void *data, size_t len, const char *name)
{
	const char *from = data;
	ssize_t n;

	while (len) {
		n = write(fd, from, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("%s: cannot be written: %s", name, strerror(errno));
		from += n;
		len -= n;
	}
}

void trace_write(const struct trace *trace, const char *name)
{
	uint8_t header[MAX_HEADER], *body, *packed;
	size_t len, header_len;
	unsigned long packed_len;
	int fd;

	body = encode(trace, &len);
	/* At worst zlib adds a thousandth and 12 bytes. */
	packed_len = len + len / 1000 + 64;
	packed = xrealloc(NULL, packed_len);
	if (compress2(packed, &packed_len, body, len, 9) != Z_OK)
		die("%s: the events cannot be compressed", name);
	header_len = make_header(header, trace, len, packed_len, crc32(0, body, len));
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		die("%s: cannot be created: %s", name, strerror(errno));
	write_all(fd, header, header_len, name);
	write_all(fd, packed, packed_len, name);
	if (close(fd))
		die("%s: cannot be written: %s", name, strerror(errno));
	free(packed);
	free(body);
}

/* Reading: nothing in the file is believed. */

/* The body, unpacked some at a time. */
struct input {
	const char *name;
	z_stream z;
	uint8_t buffer[1 << 16];
	const uint8_t *at;
	const uint8_t *end;
	uint64_t total;
	bool at_end;
	/* for messages */
	uint32_t event;
};

static void open_body(struct input *in, const struct trace *trace)
{
	memset(in, 0, sizeof(*in));
	in->name = trace->name;
	in->z.next_in = (uint8_t *)trace->packed;
	in->z.avail_in = trace->packed_len;
	if (inflateInit(&in->z) != Z_OK)
		die("no memory to decompress %s", in->name);
}

/* The next bytes of the body; returns false at its end. */
static bool refill(struct input *in)
{
	int err;

	in->at = in->buffer;
	in->end = in->buffer;
	while (in->at == in->end && !in->at_end) {
		in->z.next_out = in->buffer;
		in->z.avail_out = sizeof(in->buffer);
		err = inflate(&in->z, Z_NO_FLUSH);
		if (err != Z_OK && err != Z_STREAM_END)
			die("%s: is corrupt: its events cannot be decompressed", in->name);
		in->at_end = err == Z_STREAM_END;
		in->end = in->z.next_out;
	}
	in->total += in->end - in->at;
	return in->at < in->end;
}

static void __attribute__((noreturn)) bad_event(const struct input *in, const char *what)
{
	die("%s: event %u %s; the file is not what kspan record writes", in->name, in->event, what);
}

static uint8_t get_byte(struct input *in, const char *missing)
{
	if (in->at == in->end && !refill(in))
		bad_event(in, missing);
	return *in->at++;
}

static uint64_t get_varint(struct input *in, uint64_t most)
{
	uint64_t value = 0;
	unsigned int shift;
	uint8_t byte;

	for (shift = 0; shift < 63; shift += 7) {
		byte = get_byte(in, "ends too early");
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	if (shift >= 63 || value > most)
		bad_event(in, "has a number that is too large");
	return value;
}

static void get_alloc(struct input *in, struct replay_record *record)
{
	uint8_t flags;

	record->kind = REPLAY_ALLOC;
	record->node = REPLAY_ANY_NODE;
	record->size = get_varint(in, UINT32_MAX);
	if (!record->size || record->size > REPLAY_MAX_SIZE)
		die("%s: event %u allocates %u bytes; kmalloc() gives 1 to %u", in->name, in->event,
		    record->size, REPLAY_MAX_SIZE);
	flags = get_byte(in, "ends too early");
	if (flags & ~(REPLAY_FLAGS | FLAG_NODE))
		bad_event(in, "has flags that are not known");
	if (flags & FLAG_NODE)
		record->node = get_varint(in, INT16_MAX);
	record->flags = flags & REPLAY_FLAGS;
}

static void get_event(struct input *in, struct event *event, struct context *last)
{
	struct replay_record *record = &event->record;
	uint64_t delta;
	int64_t slot;
	uint8_t head;

	head = get_byte(in, "is missing");
	if (head & HEAD_CPU)
		last->cpu = get_varint(in, UINT16_MAX);
	delta = head >> HEAD_TIME;
	if (delta == LONG_TIME)
		delta += get_varint(in, UINT64_MAX >> 2);
	last->time += delta;
	event->cpu = last->cpu;
	event->time = last->time;
	memset(record, 0, sizeof(*record));
	if (!(head & HEAD_FREE)) {
		get_alloc(in, record);
		return;
	}
	slot = last->slot + unzigzag(get_varint(in, 2ULL * UINT32_MAX));
	if (slot < 0 || slot > UINT32_MAX)
		bad_event(in, "frees what was not allocated");
	record->kind = REPLAY_FREE;
	record->node = REPLAY_ANY_NODE;
	record->slot = slot;
}

/* Which objects are live; as long as the numbers that were given. */
struct liveness {
	bool *live;
	uint32_t size;
};

static void set_live(struct liveness *liveness, uint32_t slot, bool live)
{
	if (slot >= liveness->size) {
		liveness->size = slot + slot / 2 + 1024;
		liveness->live = xrealloc(liveness->live, liveness->size);
	}
	liveness->live[slot] = live;
}

void trace_each(const struct trace *trace, void (*fn)(const struct event *event, void *data),
		void *data)
{
	struct liveness liveness = { };
	struct slots slots = { };
	struct context last = { };
	uint32_t nr_allocs = 0;
	struct event event;
	struct input in;

	open_body(&in, trace);
	for (in.event = 0; in.event < trace->nr_events; in.event++) {
		struct replay_record *record = &event.record;

		get_event(&in, &event, &last);
		if (record->kind == REPLAY_ALLOC) {
			record->slot = slots_take(&slots);
			nr_allocs++;
		}
		if (record->slot >= trace->nr_slots)
			bad_event(&in, "has an object whose number is too large");
		if (record->kind == REPLAY_FREE &&
		    (record->slot >= slots.nr || !liveness.live[record->slot]))
			bad_event(&in, "frees what is not live");
		set_live(&liveness, record->slot, record->kind == REPLAY_ALLOC);
		if (record->kind == REPLAY_FREE)
			slots_give(&slots, record->slot);
		last.slot = record->slot;
		if (fn)
			fn(&event, data);
	}
	if (in.at != in.end || refill(&in))
		die("%s: bytes follow the last event; the file is not what kspan record writes",
		    trace->name);
	if (nr_allocs != trace->nr_allocs || slots.nr != trace->nr_slots)
		die("%s: has %u allocations and %u objects at once, its header says %u and %u",
		    trace->name, nr_allocs, slots.nr, trace->nr_allocs, trace->nr_slots);
	inflateEnd(&in.z);
	free(slots.free);
	free(liveness.live);
}

/* It is as long as the header says, and has the checksum. */
static void check_body(const struct trace *trace)
{
	struct input in;
	uint32_t crc = 0;

	open_body(&in, trace);
	while (in.total <= trace->body_len && refill(&in))
		crc = crc32(crc, in.at, in.end - in.at);
	if (in.total != trace->body_len || in.z.avail_in)
		die("%s: is corrupt: its events cannot be decompressed", trace->name);
	if (crc != trace->body_crc)
		die("%s: is corrupt: the checksum of its events is %08x, not %08x", trace->name,
		    crc, trace->body_crc);
	inflateEnd(&in.z);
}

static uint8_t *read_all(const char *name, size_t *len)
{
	struct stat status;
	uint8_t *data;
	size_t done = 0;
	ssize_t n;
	int fd;

	fd = open(name, O_RDONLY);
	if (fd < 0 || fstat(fd, &status))
		die("%s: cannot be opened: %s", name, strerror(errno));
	if (!S_ISREG(status.st_mode))
		die("%s: is no regular file", name);
	data = xrealloc(NULL, status.st_size);
	while (done < (size_t)status.st_size) {
		n = read(fd, data + done, status.st_size - done);
		if (n < 0)
			die("%s: cannot be read: %s", name, strerror(errno));
		if (!n)
			break;
		done += n;
	}
	close(fd);
	*len = done;
	return data;
}

static void get_text(char *text, const uint8_t **from, const uint8_t *end, const char *name)
{
	size_t len = strnlen((const char *)*from, end - *from);

	if (len == (size_t)(end - *from) || len >= MAX_TEXT)
		die("%s: the texts in its header have no end", name);
	memcpy(text, *from, len + 1);
	*from += len + 1;
}

static void check_limits(const struct trace *trace)
{
	const char *name = trace->name;

	if (!trace->nr_events || trace->nr_events > REPLAY_MAX_EVENTS)
		die("%s: has %u events; there may be 1 to %u", name, trace->nr_events,
		    REPLAY_MAX_EVENTS);
	if (trace->nr_allocs > trace->nr_events || trace->nr_slots > trace->nr_allocs)
		die("%s: has %u objects at once of %u allocations in %u events", name,
		    trace->nr_slots, trace->nr_allocs, trace->nr_events);
	if (trace->body_len < (uint64_t)trace->nr_events * MIN_EVENT ||
	    trace->body_len > (uint64_t)trace->nr_events * MAX_EVENT)
		die("%s: has %llu bytes for %u events; each takes %u to %u", name,
		    (unsigned long long)trace->body_len, trace->nr_events, MIN_EVENT, MAX_EVENT);
}

/* Returns the length of the header. */
static size_t check_start(const uint8_t *data, size_t len, const char *name)
{
	const uint8_t *from = data + 8;
	uint32_t version;
	size_t header;

	if (len < 8 || memcmp(data, MAGIC, 8))
		die("%s: is no trace; kspan record makes one", name);
	if (len < FIXED)
		die("%s: is truncated: %zu bytes are less than a header", name, len);
	version = get_le(&from, 4);
	if (version != VERSION)
		die("%s: has version %u of the format; this program reads version %u", name,
		    version, VERSION);
	header = get_le(&from, 4);
	if (header < FIXED + 3 + 4 || header > MAX_HEADER)
		die("%s: is corrupt: a header of %zu bytes", name, header);
	if (len < header)
		die("%s: is truncated: it has %zu bytes, its header alone has %zu", name, len,
		    header);
	return header;
}

/* Of the @len bytes of the file. */
static void read_header(struct trace *trace, size_t len)
{
	const uint8_t *data = trace->file, *from, *end;
	const char *name = trace->name;
	uint64_t packed_len;
	size_t header;
	uint32_t crc;

	header = check_start(data, len, name);
	end = data + header - 4;
	from = end;
	crc = get_le(&from, 4);
	if (crc != crc32(0, data, end - data))
		die("%s: is corrupt: the checksum of its header is %08x, not %08lx", name, crc,
		    crc32(0, data, end - data));
	from = data + 16;
	trace->nr_events = get_le(&from, 4);
	trace->nr_allocs = get_le(&from, 4);
	trace->nr_slots = get_le(&from, 4);
	trace->nr_cpus = get_le(&from, 4);
	trace->lost = get_le(&from, 8);
	trace->foreign = get_le(&from, 8);
	trace->unseen = get_le(&from, 8);
	trace->own = get_le(&from, 8);
	trace->body_len = get_le(&from, 8);
	packed_len = get_le(&from, 8);
	trace->body_crc = get_le(&from, 4);
	from = data + FIXED;
	get_text(trace->release, &from, end, name);
	get_text(trace->clock, &from, end, name);
	get_text(trace->command, &from, end, name);
	check_limits(trace);
	trace->packed = data + header;
	trace->packed_len = len - header;
	if (trace->packed_len < packed_len)
		die("%s: is truncated: it has %zu bytes of %llu", name, len,
		    (unsigned long long)(header + packed_len));
	if (trace->packed_len > packed_len)
		die("%s: has %llu bytes too many; was something appended to it?", name,
		    (unsigned long long)(trace->packed_len - packed_len));
}

void trace_read(struct trace *trace, const char *name)
{
	size_t len;

	memset(trace, 0, sizeof(*trace));
	trace->name = name;
	trace->file = read_all(name, &len);
	read_header(trace, len);
	check_body(trace);
	trace_each(trace, NULL, NULL);
}
