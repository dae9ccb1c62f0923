/* SPDX-License-Identifier: BSD-3-Clause */
#include "npy_recent.h"

#include <stdlib.h>
#include <string.h>

int npy_recent_init(struct npy_recent *recent)
{
	memset(recent, 0, sizeof(*recent));
	return -pthread_mutex_init(&recent->lock, NULL);
}

void npy_recent_deinit(struct npy_recent *recent)
{
	int i;

	for (i = 0; i < NPY_RECENT; i++)
		free(recent->entries[i].npy.header);
	pthread_mutex_destroy(&recent->lock);
}

/* Under the lock. */
static const struct npy *find(const struct npy_recent *recent, const struct identity *id)
{
	int i;

	for (i = 0; i < NPY_RECENT; i++)
		if (recent->entries[i].npy.header && identity_equal(&recent->entries[i].id, id))
			return &recent->entries[i].npy;
	return NULL;
}

static bool copy(const struct npy *npy, struct npy *ret_npy)
{
	unsigned char *header = malloc(npy->header_bytes);

	if (!header)
		return false;
	memcpy(header, npy->header, npy->header_bytes);
	*ret_npy = *npy;
	ret_npy->header = header;
	return true;
}

void npy_recent_keep(struct npy_recent *recent, const struct identity *id, const struct npy *npy)
{
	struct npy kept;

	pthread_mutex_lock(&recent->lock);
	if (!find(recent, id) && copy(npy, &kept)) {
		free(recent->entries[recent->next].npy.header);
		recent->entries[recent->next].id = *id;
		recent->entries[recent->next].npy = kept;
		recent->next = (recent->next + 1) % NPY_RECENT;
	}
	pthread_mutex_unlock(&recent->lock);
}

bool npy_recent_find(struct npy_recent *recent, const struct identity *id, struct npy *ret_npy)
{
	const struct npy *kept;
	bool found;

	pthread_mutex_lock(&recent->lock);
	kept = find(recent, id);
	found = kept && copy(kept, ret_npy);
	pthread_mutex_unlock(&recent->lock);
	return found;
}
