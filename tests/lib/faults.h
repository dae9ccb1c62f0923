/* SPDX-License-Identifier: BSD-3-Clause */
/* The wrapped calls: each counts, and the one whose turn it is fails. */
#ifndef SHARR_FAULTS_H
#define SHARR_FAULTS_H

#include <stdbool.h>

/* From now on the nth call that can fail does so, with this errno; nth counts from 1. */
void faults_arm(int nth, int number);

/* Stop it. True if the nth call was reached. */
bool faults_disarm(void);

/* With which errno it failed. */
int faults_number(void);

/* The name of the call that failed, or "none". */
const char *faults_last(void);

#endif
