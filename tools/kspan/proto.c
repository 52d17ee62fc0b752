// SPDX-License-Identifier: GPL-2.0
/*
 * kspan profile: a profile.proto, for go tool pprof
 *
 * The reader's traps: string_table[0] is empty, values are scaled already, the first mapping
 * names the profile, and an address is that of the call and not what it returns to.
 */
#include "profile.h"
#include "profile.pb-c.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

/* pprof takes the kernel's place in memory from a mapping of this name. */
#define KERNEL_MAPPING	"[kernel.kallsyms]_stext"

/* The order that pprof's heap profiles have. */
static const enum sample_value types[] = {
	ALLOC_OBJECTS, ALLOC_SPACE, INUSE_OBJECTS, INUSE_SPACE,
};

/* Something that has a number in the profile, found by its text, or by its address. */
struct numbered {
	const char *text;
	uint64_t addr;
	size_t number;
};

struct builder {
	const struct symbols *symbols;
	Perftools__Profiles__Profile *profile;
	void *texts, *functions, *locations;
	size_t text_room, function_room, location_room, sample_room, mapping_room;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct numbered *)a)->text, ((const struct numbered *)b)->text);
}

static int by_addr(const void *a, const void *b)
{
	const struct numbered *left = a, *right = b;

	return left->addr < right->addr ? -1 : left->addr > right->addr;
}

/* The entry that equals @key; @number is given to one that was not there. */
static size_t number_of(void **tree, const struct numbered *key, size_t number,
			int (*compare)(const void *a, const void *b))
{
	struct numbered **found, *entry;

	found = tfind(key, tree, compare);
	if (found)
		return (*found)->number;
	entry = xrealloc(NULL, sizeof(*entry));
	*entry = *key;
	entry->number = number;
	if (entry->text)
		entry->text = xstrdup(entry->text);
	if (!tsearch(entry, tree, compare))
		die("no memory for a profile");
	return number;
}

static void free_entry(void *entry)
{
	free((char *)((struct numbered *)entry)->text);
	free(entry);
}

static int64_t text(struct builder *builder, const char *text)
{
	Perftools__Profiles__Profile *profile = builder->profile;
	size_t n = number_of(&builder->texts, &(struct numbered){ .text = text },
			     profile->n_string_table, by_text);

	if (n == profile->n_string_table) {
		GROW(profile->string_table, profile->n_string_table, builder->text_room);
		profile->string_table[profile->n_string_table++] = xstrdup(text);
	}
	return n;
}

static uint64_t function(struct builder *builder, const char *name, const char *file)
{
	Perftools__Profiles__Profile *profile = builder->profile;
	Perftools__Profiles__Function *function;
	size_t n = number_of(&builder->functions, &(struct numbered){ .text = name },
			     profile->n_function, by_text);

	if (n < profile->n_function)
		return n + 1;
	function = xrealloc(NULL, sizeof(*function));
	perftools__profiles__function__init(function);
	function->id = n + 1;
	function->name = text(builder, name);
	function->system_name = function->name;
	function->filename = text(builder, file);
	GROW(profile->function, profile->n_function, builder->function_room);
	profile->function[profile->n_function++] = function;
	return function->id;
}

static void add_mapping(struct builder *builder, const char *name, uint64_t start, uint64_t limit)
{
	Perftools__Profiles__Profile *profile = builder->profile;
	Perftools__Profiles__Mapping *mapping = xrealloc(NULL, sizeof(*mapping));

	perftools__profiles__mapping__init(mapping);
	GROW(profile->mapping, profile->n_mapping, builder->mapping_room);
	profile->mapping[profile->n_mapping++] = mapping;
	mapping->id = profile->n_mapping;
	mapping->memory_start = start;
	mapping->memory_limit = limit;
	mapping->filename = text(builder, name);
	mapping->has_functions = true;
}

/* The kernel is the first, and a module follows as the symbols have them. */
static uint64_t mapping_of(const struct builder *builder, uint64_t addr)
{
	const struct module *module = symbols_module(builder->symbols, addr);

	return module ? module - builder->symbols->modules + 2 : 1;
}

static uint64_t location(struct builder *builder, uint64_t return_addr)
{
	Perftools__Profiles__Profile *profile = builder->profile;
	Perftools__Profiles__Location *location;
	Perftools__Profiles__Line *line;
	const struct symbol *symbol;
	uint64_t addr = return_addr - 1;
	char *name;
	size_t n;

	n = number_of(&builder->locations, &(struct numbered){ .addr = addr },
		      profile->n_location, by_addr);
	if (n < profile->n_location)
		return n + 1;
	GROW(profile->location, profile->n_location, builder->location_room);
	location = xrealloc(NULL, sizeof(*location));
	perftools__profiles__location__init(location);
	profile->location[profile->n_location++] = location;
	line = xrealloc(NULL, sizeof(*line));
	perftools__profiles__line__init(line);
	name = frame_name(builder->symbols, return_addr, false);
	symbol = symbols_find(builder->symbols, addr);
	line->function_id = function(builder, name, symbol && symbol->module ? symbol->module : "");
	location->id = n + 1;
	location->address = addr;
	location->mapping_id = mapping_of(builder, addr);
	location->n_line = 1;
	location->line = xrealloc(NULL, sizeof(*location->line));
	location->line[0] = line;
	free(name);
	return location->id;
}

static Perftools__Profiles__ValueType *value_type(struct builder *builder, const char *type,
						  const char *unit)
{
	Perftools__Profiles__ValueType *value = xrealloc(NULL, sizeof(*value));

	perftools__profiles__value_type__init(value);
	value->type = text(builder, type);
	value->unit = text(builder, unit);
	return value;
}

static Perftools__Profiles__Label *label(struct builder *builder, const char *key, const char *str,
					 int64_t num, const char *unit)
{
	Perftools__Profiles__Label *label = xrealloc(NULL, sizeof(*label));

	perftools__profiles__label__init(label);
	label->key = text(builder, key);
	label->str = str ? text(builder, str) : 0;
	label->num = num;
	label->num_unit = unit ? text(builder, unit) : 0;
	return label;
}

/* That of the site; the kernel's own code is of no module. */
static const char *module_of(const struct builder *builder, const struct sample *sample)
{
	uint64_t site = sample_site(sample, builder->symbols);
	const struct symbol *symbol = site ? symbols_find(builder->symbols, site - 1) : NULL;

	return !symbol ? "unknown" : symbol->module ? symbol->module : "kernel";
}

static void add_sample(struct builder *builder, const struct sample *from)
{
	Perftools__Profiles__Profile *profile = builder->profile;
	Perftools__Profiles__Sample *sample = xrealloc(NULL, sizeof(*sample));
	unsigned int i;

	perftools__profiles__sample__init(sample);
	sample->n_location_id = from->depth;
	sample->location_id = xrealloc(NULL, from->depth * sizeof(*sample->location_id));
	for (i = 0; i < from->depth; i++)
		sample->location_id[i] = location(builder, from->stack[i]);
	sample->n_value = COUNT_OF(types);
	sample->value = xrealloc(NULL, sizeof(*sample->value) * COUNT_OF(types));
	for (i = 0; i < COUNT_OF(types); i++)
		sample->value[i] = sample_value(from, types[i]);
	sample->n_label = 4;
	sample->label = xrealloc(NULL, sizeof(*sample->label) * sample->n_label);
	sample->label[0] = label(builder, "heap", from->heap, 0, NULL);
	sample->label[1] = label(builder, "module", module_of(builder, from), 0, NULL);
	sample->label[2] = label(builder, "size", NULL, from->size, "bytes");
	/* The unit makes a label of the number 0, too. */
	sample->label[3] = label(builder, "node", NULL, from->node, "node");
	GROW(profile->sample, profile->n_sample, builder->sample_room);
	profile->sample[profile->n_sample++] = sample;
}

static void add_mappings(struct builder *builder)
{
	const struct symbols *symbols = builder->symbols;
	size_t i;

	add_mapping(builder, KERNEL_MAPPING, symbols->text, symbols->etext);
	for (i = 0; i < symbols->nr_modules; i++)
		add_mapping(builder, symbols->modules[i].name, symbols->modules[i].start,
			    symbols->modules[i].start + symbols->modules[i].size);
}

static void build(struct builder *builder, const struct samples *samples)
{
	Perftools__Profiles__Profile *profile = xrealloc(NULL, sizeof(*profile));
	size_t i;

	perftools__profiles__profile__init(profile);
	builder->profile = profile;
	text(builder, "");
	profile->n_sample_type = COUNT_OF(types);
	profile->sample_type = xrealloc(NULL, sizeof(*profile->sample_type) * COUNT_OF(types));
	for (i = 0; i < COUNT_OF(types); i++)
		profile->sample_type[i] = value_type(builder, sample_names[types[i]],
						     is_space(types[i]) ? "bytes" : "count");
	profile->default_sample_type = text(builder, sample_names[INUSE_SPACE]);
	profile->period_type = value_type(builder, "space", "bytes");
	profile->period = samples->rate;
	profile->time_nanos = time(NULL) * 1000000000LL;
	profile->duration_nanos = samples->seconds * 1000000000LL;
	add_mappings(builder);
	for (i = 0; i < samples->nr; i++)
		add_sample(builder, &samples->samples[i]);
}

static void write_gzip(FILE *to, const uint8_t *data, size_t len)
{
	gzFile gz;

	fflush(to);
	gz = gzdopen(dup(fileno(to)), "wb");
	if (!gz)
		die("no memory to compress a profile");
	if (gzfwrite(data, 1, len, gz) != len || gzclose(gz) != Z_OK)
		die("the profile cannot be written: %s", strerror(errno));
}

void profile_put_proto(FILE *to, const struct samples *samples, const struct symbols *symbols)
{
	struct builder builder = { .symbols = symbols };
	uint8_t *packed;
	size_t len;

	build(&builder, samples);
	packed = xrealloc(NULL, perftools__profiles__profile__get_packed_size(builder.profile));
	len = perftools__profiles__profile__pack(builder.profile, packed);
	write_gzip(to, packed, len);
	free(packed);
	perftools__profiles__profile__free_unpacked(builder.profile, NULL);
	tdestroy(builder.texts, free_entry);
	tdestroy(builder.functions, free_entry);
	tdestroy(builder.locations, free_entry);
}
