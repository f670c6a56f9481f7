#include "config.h"

#include "merkle.h"

#include <stdlib.h>
#include <string.h>

#include <gcrypt.h>

/* Libgcrypt wants to be called so first, once or often, and says in syslog where it was not. */
static void greet(void)
{
	gcry_check_version(NULL);
}

void bus_sha256(struct bus_hash *ret, const void *bytes, size_t len)
{
	greet();
	gcry_md_hash_buffer(GCRY_MD_SHA256, ret->b, bytes, len);
}

void bus_merkle_leaf(struct bus_hash *ret, const void *data, size_t len)
{
	static char prefix[] = { 0x00 };
	gcry_buffer_t parts[2] = {
		{ .len = sizeof(prefix), .data = prefix },
		{ .len = len, .data = (void *)(uintptr_t)data },
	};

	greet();
	gcry_md_hash_buffers(GCRY_MD_SHA256, 0, ret->b, parts, 2);
}

/* ret may be one of the two children. */
static void hash_node(struct bus_hash *ret, const struct bus_hash *left,
		      const struct bus_hash *right)
{
	unsigned char node[1 + 2 * BUS_HASH_LEN] = { 0x01 };

	greet();
	memcpy(node + 1, left->b, BUS_HASH_LEN);
	memcpy(node + 1 + BUS_HASH_LEN, right->b, BUS_HASH_LEN);
	gcry_md_hash_buffer(GCRY_MD_SHA256, ret->b, node, sizeof(node));
}

bool bus_hash_equal(const struct bus_hash *a, const struct bus_hash *b)
{
	return memcmp(a->b, b->b, BUS_HASH_LEN) == 0;
}

void bus_range_append(struct bus_range *range, const struct bus_hash *leaf)
{
	struct bus_hash node = *leaf;
	uint64_t bit;

	/* Like a binary counter: each carry joins two subtrees of one size. */
	for (bit = 1; range->size & bit; bit <<= 1)
		hash_node(&node, &range->node[--range->count], &node);
	range->node[range->count++] = node;
	range->size++;
}

void bus_range_root(const struct bus_range *range, struct bus_hash *ret)
{
	unsigned int i = range->count - 1;

	*ret = range->node[i];
	while (i--)
		hash_node(ret, &range->node[i], ret);
}

/*
 * The walk from a leaf to the root that all three path functions share, after
 * RFC 9162 section 2.1.3.2.  At each level a node has a left sibling, a right
 * one, or, at the ragged right edge, none: then it moves up unchanged.
 */
struct walk {
	uint64_t node, last; /* this node, and the level's last one */
};

enum side { NONE, LEFT, RIGHT };

static enum side walk_up(struct walk *walk)
{
	enum side side = walk->node & 1 ? LEFT : walk->node < walk->last ? RIGHT : NONE;

	walk->node >>= 1;
	walk->last >>= 1;
	return side;
}

unsigned int bus_path_len(uint64_t index, uint64_t size)
{
	struct walk walk = { index, size - 1 };
	unsigned int n = 0;

	while (walk.last)
		n += walk_up(&walk) != NONE;
	return n;
}

void bus_path_root(struct bus_hash *ret, const struct bus_hash *leaf, uint64_t index, uint64_t size,
		   const struct bus_hash *path)
{
	struct walk walk = { index, size - 1 };
	struct bus_hash node = *leaf;

	while (walk.last) {
		switch (walk_up(&walk)) {
		case LEFT:
			hash_node(&node, path++, &node);
			break;
		case RIGHT:
			hash_node(&node, &node, path++);
			break;
		case NONE:
			break;
		}
	}
	*ret = node;
}

/* Has the walk before come through this node, with all that is left of the path? */
static bool have_met(const struct bus_path_memo *memo, const struct walk *walk, unsigned int level,
		     const struct bus_hash *node, const struct bus_hash *path, unsigned int left)
{
	return level < BUS_PATH_MAX && memo->index >> level == walk->node &&
	       left <= memo->path_len && bus_hash_equal(&memo->node[level], node) &&
	       memcmp(memo->path + memo->path_len - left, path, left * sizeof(*path)) == 0;
}

void bus_path_root_memo(struct bus_path_memo *memo, struct bus_hash *ret,
			const struct bus_hash *leaf, uint64_t index, uint64_t size,
			const struct bus_hash *path)
{
	const unsigned int len = bus_path_len(index, size);
	struct walk walk = { index, size - 1 };
	struct bus_hash node = *leaf;
	unsigned int level, done = 0;
	bool met = false;

	for (level = 0; walk.last; level++) {
		met = memo->size == size &&
		      have_met(memo, &walk, level, &node, path + done, len - done);
		memo->node[level] = node;
		if (met)
			break;
		switch (walk_up(&walk)) {
		case LEFT:
			hash_node(&node, &path[done++], &node);
			break;
		case RIGHT:
			hash_node(&node, &node, &path[done++]);
			break;
		case NONE:
			break;
		}
	}
	if (!met)
		memo->root = node;
	memo->index = index;
	memo->size = size;
	memo->path_len = len;
	memcpy(memo->path, path, len * sizeof(*path));
	*ret = memo->root;
}

void bus_path_range(struct bus_range *ret, uint64_t index, uint64_t size,
		    const struct bus_hash *path)
{
	struct walk walk = { index, size - 1 };
	const struct bus_hash *left[BUS_PATH_MAX + 1];
	unsigned int n = 0;
	enum side side;

	while (walk.last) {
		side = walk_up(&walk);
		if (side == LEFT)
			left[n++] = path;
		path += side != NONE;
	}
	ret->size = index;
	ret->count = 0;
	while (n)
		ret->node[ret->count++] = *left[--n];
}

/*
 * level[l] holds the perfect nodes of height l from number first[l] on, that
 * is: the one of the compact range, if there is one at this height, and those
 * that end inside the batch.  ragged[l] is the hash of what is left over to
 * the right of the last perfect node, if anything.
 */
struct bus_batch {
	uint64_t begin, end; /* leaf numbers */
	unsigned int height; /* levels in use */
	uint64_t first[BUS_PATH_MAX + 1];
	struct bus_hash *level[BUS_PATH_MAX + 1];
	struct bus_hash ragged[BUS_PATH_MAX + 1];
	struct bus_hash nodes[]; /* the memory of all levels */
};

static const struct bus_hash *perfect(const struct bus_batch *batch, unsigned int l, uint64_t k)
{
	return &batch->level[l][k - batch->first[l]];
}

static bool is_ragged(const struct bus_batch *batch, unsigned int l)
{
	return batch->end & (((uint64_t)1 << l) - 1);
}

/* Fills level l + 1 and ragged[l + 1] from level l. */
static void climb(struct bus_batch *batch, unsigned int l)
{
	uint64_t k = batch->begin >> (l + 1);
	struct bus_hash *out = &batch->level[l + 1][k - batch->first[l + 1]];

	for (; k < batch->end >> (l + 1); k++, out++)
		hash_node(out, perfect(batch, l, 2 * k), perfect(batch, l, 2 * k + 1));

	batch->ragged[l + 1] = batch->ragged[l];
	if (!(batch->end >> l & 1))
		return;
	batch->ragged[l + 1] = *perfect(batch, l, (batch->end >> l) - 1);
	if (is_ragged(batch, l))
		hash_node(&batch->ragged[l + 1], &batch->ragged[l + 1], &batch->ragged[l]);
}

struct bus_batch *bus_batch_new(const struct bus_range *before, const struct bus_hash *leaf,
				size_t count)
{
	const uint64_t begin = before->size, end = begin + count;
	unsigned int known = before->count, l;
	struct bus_batch *batch;
	struct bus_hash *node;

	/* Each level needs at most half the one below, and one more at each end. */
	batch = calloc(1, sizeof(*batch) +
				  (2 * count + 3 * (BUS_PATH_MAX + 1)) * sizeof(batch->nodes[0]));
	if (!batch)
		return NULL;
	batch->begin = begin;
	batch->end = end;
	node = batch->nodes;
	for (l = 0; l <= BUS_PATH_MAX; l++) {
		bool old = begin >> l & 1;

		batch->first[l] = (begin >> l) - old;
		batch->level[l] = node;
		if (old)
			*node = before->node[--known];
		if (l == 0)
			memcpy(node + old, leaf, count * sizeof(*leaf));
		else
			climb(batch, l - 1);
		batch->height = l;
		if (!((end - 1) >> l))
			break;
		node += (end >> l > batch->first[l] ? (end >> l) - batch->first[l] : 0) + 1;
	}
	return batch;
}

void bus_batch_free(struct bus_batch *batch)
{
	free(batch);
}

unsigned int bus_batch_path(const struct bus_batch *batch, size_t i,
			    struct bus_hash path[BUS_PATH_MAX])
{
	uint64_t node = batch->begin + i;
	unsigned int l, n = 0;

	for (l = 0; l < batch->height; l++, node >>= 1) {
		uint64_t sibling = node ^ 1, whole = batch->end >> l;

		if (sibling < whole)
			path[n++] = *perfect(batch, l, sibling);
		else if (sibling == whole && is_ragged(batch, l))
			path[n++] = batch->ragged[l];
	}
	return n;
}
