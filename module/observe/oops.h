/* SPDX-License-Identifier: GPL-2.0 */
/* What the registers of an oops hold of kspan; oops.c has the rules. */
#ifndef KSPAN_OOPS_H
#define KSPAN_OOPS_H

struct pt_regs;

unsigned int kspan_oops_explain(const struct pt_regs *regs);
void kspan_oops_init(void);
void kspan_oops_exit(void);

#endif /* KSPAN_OOPS_H */
