// SPDX-License-Identifier: GPL-2.0
/*
 * What the registers of an oops hold of kspan
 *
 * When the kernel prints an oops, kspan looks at each word of the saved registers, and prints a
 * line for each that is an address of kspan's:
 *
 *	kspan: di: 8 bytes into freed object of 64 bytes, heap words of kspan_words
 *	kspan: ax: seal of a free object: 0 bytes into cached object of 64 bytes, heap ...
 *
 * The second line says that the code has read a pointer out of an object that was free: the first
 * word of a free slot is its seal.
 *
 * The CPU may hold any lock, so each is tried once. No address is printed; the registers
 * themselves are a part of the oops.
 *
 * Context: any, NMI included.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/kdebug.h>
#include <linux/kernel.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>

#include "base/context.h"
#include "base/kunit_export.h"
#include "objects/seal.h"
#include "observe/oops.h"
#include "observe/whatis.h"

#define WORDS	(sizeof(struct pt_regs) / sizeof(unsigned long))

/* Names of registers, by their places in struct pt_regs; others are named by the place. */
static const struct {
	const char *name;
	size_t at;
} names[] = {
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
	{ "r15", offsetof(struct pt_regs, r15) },
	{ "r14", offsetof(struct pt_regs, r14) },
	{ "r13", offsetof(struct pt_regs, r13) },
	{ "r12", offsetof(struct pt_regs, r12) },
	{ "bp", offsetof(struct pt_regs, bp) },
	{ "bx", offsetof(struct pt_regs, bx) },
	{ "r11", offsetof(struct pt_regs, r11) },
	{ "r10", offsetof(struct pt_regs, r10) },
	{ "r9", offsetof(struct pt_regs, r9) },
	{ "r8", offsetof(struct pt_regs, r8) },
	{ "ax", offsetof(struct pt_regs, ax) },
	{ "cx", offsetof(struct pt_regs, cx) },
	{ "dx", offsetof(struct pt_regs, dx) },
	{ "si", offsetof(struct pt_regs, si) },
	{ "di", offsetof(struct pt_regs, di) },
	{ "sp", offsetof(struct pt_regs, sp) },
#endif
};

/* Set while an oops is explained: another one meanwhile, which this may have caused, is not. */
static unsigned long explaining;

static bool is_free(const struct kspan_what *what)
{
	return what->kind && what->state != KSPAN_STATE_LIVE;
}

static const char *name_of(unsigned int word)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].at == word * sizeof(unsigned long))
			return names[i].name;
	return NULL;
}

static void print_what(unsigned int word, const char *seal, const struct kspan_what *what)
{
	const char *name = name_of(word);
	char line[KSPAN_WHAT_LINE];

	kspan_what_line(what, line, sizeof(line));
	if (name)
		pr_alert("%s: %s%s\n", name, seal, line);
	else
		pr_alert("word %u of the registers: %s%s\n", word, seal, line);
}

/* Print what a register holds. Returns whether that is an address or a seal of kspan's. */
static bool explain(unsigned int word, unsigned long value)
{
	struct kspan_what what;

	kspan_whatis(value, KSPAN_GFP_NOLOCK, &what);
	if (what.kind) {
		print_what(word, "", &what);
		return true;
	}
	/* The seal is the slot's address and a secret. */
	kspan_whatis(value - kspan_seal_at(kspan_secret, 0), KSPAN_GFP_NOLOCK, &what);
	if (what.kind != KSPAN_WHAT_SLOT || what.addr != what.start || !is_free(&what))
		return false;
	print_what(word, "seal of a free object: ", &what);
	return true;
}

/**
 * kspan_oops_explain() - print what registers hold of kspan
 * @regs:	registers
 *
 * Context: any, NMI included.
 * Return: number of lines that were printed.
 */
unsigned int kspan_oops_explain(const struct pt_regs *regs)
{
	const unsigned long *words = (const unsigned long *)regs;
	unsigned int i, printed = 0;

	if (!rcu_is_watching() || test_and_set_bit(0, &explaining))
		return 0;
	for (i = 0; i < WORDS; i++)
		printed += explain(i, words[i]);
	clear_bit(0, &explaining);
	return printed;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_oops_explain);

static int oops_notify(struct notifier_block *block, unsigned long event, void *data)
{
	const struct die_args *args = data;

	if (event == DIE_OOPS && args->regs)
		kspan_oops_explain(args->regs);
	return NOTIFY_DONE;
}

static struct notifier_block oops_notifier = {
	.notifier_call = oops_notify,
};

/** kspan_oops_init() - explain each oops from here on */
void kspan_oops_init(void)
{
	register_die_notifier(&oops_notifier);
}

/** kspan_oops_exit() - undo kspan_oops_init(); no oops is being explained on return */
void kspan_oops_exit(void)
{
	unregister_die_notifier(&oops_notifier);
}
