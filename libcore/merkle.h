#ifndef BUS_MERKLE_H
#define BUS_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The Merkle tree of RFC 6962 section 2.1: SHA-256, leaf H(0x00 || data),
 * node H(0x01 || left || right).  Pure arithmetic; nothing here can fail
 * except for lack of memory.
 *
 * A compact range is all a log has to remember of its first `size` leaves: the
 * roots of the perfect subtrees they split into, largest first, one for each
 * bit set in `size`.  From it the root follows, and it grows leaf by leaf.
 *
 * A batch is the leaves that come after a compact range.  It knows the
 * inclusion path (RFC 6962 section 2.1.1) of each of them in the tree that
 * ends with the batch.
 */
enum { BUS_HASH_LEN = 32, BUS_PATH_MAX = 63 };

struct bus_hash {
	unsigned char b[BUS_HASH_LEN];
};

struct bus_range {
	uint64_t size;	    /* leaves covered */
	unsigned int count; /* nodes; the number of bits set in size */
	struct bus_hash node[BUS_PATH_MAX + 1];
};

void bus_sha256(struct bus_hash *ret, const void *bytes, size_t len);
void bus_merkle_leaf(struct bus_hash *ret, const void *data, size_t len);
bool bus_hash_equal(const struct bus_hash *a, const struct bus_hash *b);

void bus_range_append(struct bus_range *range, const struct bus_hash *leaf);
void bus_range_root(const struct bus_range *range, struct bus_hash *ret); /* size > 0 */

/* How many hashes the inclusion path of leaf `index` has in a tree of `size`. */
unsigned int bus_path_len(uint64_t index, uint64_t size);

/* The root that leaf and path give; path has bus_path_len() hashes. */
void bus_path_root(struct bus_hash *ret, const struct bus_hash *leaf, uint64_t index, uint64_t size,
		   const struct bus_hash *path);

/*
 * A walk from a leaf to the root.  Two paths of one tree meet, and are the same from there on:
 * who keeps the walk of one leaf has the next one's root, most of the time, with two hashes.
 * size 0: no walk yet.
 */
struct bus_path_memo {
	uint64_t index, size;
	unsigned int path_len;
	struct bus_hash path[BUS_PATH_MAX];
	struct bus_hash node[BUS_PATH_MAX + 1]; /* of each level, that of the leaf first */
	struct bus_hash root;
};

/* As bus_path_root(), after another leaf's walk, which this one's takes the place of. */
void bus_path_root_memo(struct bus_path_memo *memo, struct bus_hash *ret,
			const struct bus_hash *leaf, uint64_t index, uint64_t size,
			const struct bus_hash *path);

/* The compact range of leaves 0 to index - 1: the path's left-hand siblings. */
void bus_path_range(struct bus_range *ret, uint64_t index, uint64_t size,
		    const struct bus_hash *path);

struct bus_batch;

/* Leaves before->size to before->size + count - 1.  NULL: out of memory. */
struct bus_batch *bus_batch_new(const struct bus_range *before, const struct bus_hash *leaf,
				size_t count);
void bus_batch_free(struct bus_batch *batch);

/* Writes the path of the i-th leaf of the batch; returns its length. */
unsigned int bus_batch_path(const struct bus_batch *batch, size_t i,
			    struct bus_hash path[BUS_PATH_MAX]);

#endif
