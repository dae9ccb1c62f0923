/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The wrapped calls: each counts, and the one whose turn it is fails. What a process is to do, and did, lies in one struct,
 * which may be shared memory, so that another process arms it.
 */
#ifndef SHARR_FAULTS_H
#define SHARR_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>

struct faults {
	atomic_int turn;    /* the call that is to fail, counted from 1 on; 0 and less: none */
	int number;         /* with which errno; of memory always ENOMEM */
	atomic_int reached; /* it has failed */
	char last[20];      /* its name, cut off */
};

/* From now on this struct, which must stay for as long as the process lives. */
void faults_share(struct faults *shared);

/* From now on the nth call that can fail does so, with this errno; nth counts from 1. */
void faults_arm(int nth, int number);

/* Stop it. True if the nth call was reached. */
bool faults_disarm(void);

/* With which errno it failed. */
int faults_number(void);

/* The name of the call that failed, or "none". */
const char *faults_last(void);

#endif
