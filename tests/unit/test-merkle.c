#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gcrypt.h>
#include <jansson.h>

#include "check.h"
#include "merkle.h"

enum { LEAVES = 140 };

/*
 * RFC 6962 section 2.1 as it stands there, recursive and slow: MTH(D[n]) and
 * PATH(m, D[n]).  It shares no code with the product but the hash function.
 */
static size_t split(size_t n)
{
	size_t k = 1;

	while (2 * k < n)
		k *= 2;
	return k;
}

static void naive_node(struct bus_hash *ret, const struct bus_hash *l, const struct bus_hash *r)
{
	unsigned char bytes[65] = { 1 };

	memcpy(bytes + 1, l->b, 32);
	memcpy(bytes + 33, r->b, 32);
	gcry_md_hash_buffer(GCRY_MD_SHA256, ret->b, bytes, sizeof(bytes));
}

static struct bus_hash naive_root(const struct bus_hash *leaf, size_t n)
{
	struct bus_hash root, l, r;

	if (n == 1)
		return leaf[0];
	l = naive_root(leaf, split(n));
	r = naive_root(leaf + split(n), n - split(n));
	naive_node(&root, &l, &r);
	return root;
}

static unsigned int naive_path(struct bus_hash *path, size_t m, const struct bus_hash *leaf,
			       size_t n)
{
	size_t k = n > 1 ? split(n) : 0;
	unsigned int len;

	if (n == 1)
		return 0;
	if (m < k) {
		len = naive_path(path, m, leaf, k);
		path[len] = naive_root(leaf + k, n - k);
	} else {
		len = naive_path(path, m - k, leaf + k, n - k);
		path[len] = naive_root(leaf, k);
	}
	return len + 1;
}

static void make_leaves(struct bus_hash leaf[LEAVES])
{
	char text[40];
	int i;

	for (i = 0; i < LEAVES; i++) {
		snprintf(text, sizeof(text), "event %d", i);
		bus_merkle_leaf(&leaf[i], text, strlen(text));
	}
}

static bool from_hex(struct bus_hash *ret, const char *hex)
{
	unsigned int byte;
	int i;

	for (i = 0; i < BUS_HASH_LEN; i++) {
		if (!hex || sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		ret->b[i] = (unsigned char)byte;
	}
	return strlen(hex) == 2 * BUS_HASH_LEN;
}

static const char *text_at(const json_t *array, size_t i)
{
	return json_string_value(json_array_get(array, i));
}

static bool same_hashes(const struct bus_hash *got, unsigned int count, const json_t *want)
{
	struct bus_hash hash;
	size_t i;

	if (json_array_size(want) != count)
		return false;
	for (i = 0; i < count; i++)
		if (!from_hex(&hash, text_at(want, i)) || !bus_hash_equal(&hash, &got[i]))
			return false;
	return true;
}

/* "leaf <i> of 7, seed 1" */
static void vector_leaf(struct bus_hash *ret, const char *format, size_t i)
{
	const char *mark = strstr(format, "<i>");
	char text[100];

	snprintf(text, sizeof(text), "%.*s%zu%s", (int)(mark - format), format, i, mark + 3);
	bus_merkle_leaf(ret, text, strlen(text));
}

static void check_vector_path(const json_t *row, const struct bus_range *before,
			      const struct bus_batch *batch, const struct bus_hash *leaf,
			      size_t size, const struct bus_hash *root)
{
	size_t index = (size_t)json_integer_value(json_object_get(row, "index"));
	const json_t *path = json_object_get(row, "path");
	struct bus_hash got[BUS_PATH_MAX], up;
	struct bus_range range;
	unsigned int n = bus_batch_path(batch, index, got);

	CHECK_ROW(same_hashes(got, n, path), "path of %zu in %zu", index, size);
	CHECK_ROW(bus_path_len(index, size) == json_array_size(path), "path length of %zu in %zu",
		  index, size);
	bus_path_root(&up, &leaf[index], index, size, got);
	CHECK_ROW(bus_hash_equal(&up, root), "root by path of %zu in %zu", index, size);
	bus_path_range(&range, index, size, got);
	CHECK_ROW(range.size == index && same_hashes(range.node, range.count,
						     json_object_get(row, "compact_range_before")),
		  "range before %zu in %zu", index, size);
	CHECK(same_hashes(before->node, before->count,
			  json_object_get(row, "compact_range_before")));
}

static void check_vector(const json_t *tree)
{
	const size_t size = (size_t)json_integer_value(json_object_get(tree, "size"));
	const char *format = json_string_value(json_object_get(tree, "leaf_format"));
	const json_t *paths = json_object_get(tree, "paths"), *row;
	struct bus_hash *leaf = calloc(size + 1, sizeof(*leaf)), want, root;
	struct bus_range empty = { 0 }, range = { 0 };
	struct bus_batch *batch;
	size_t i, j;

	CHECK_NEED(leaf && size && format && strstr(format, "<i>"));
	CHECK_NEED(from_hex(&want, json_string_value(json_object_get(tree, "root"))));
	for (i = 0; i < size; i++)
		vector_leaf(&leaf[i], format, i);
	batch = bus_batch_new(&empty, leaf, size);
	CHECK_NEED(batch != NULL);
	for (i = 0; i < size; i++) {
		json_array_foreach(paths, j, row) if ((size_t)json_integer_value(
							      json_object_get(row, "index")) == i)
			check_vector_path(row, &range, batch, leaf, size, &want);
		bus_range_append(&range, &leaf[i]);
	}
	bus_range_root(&range, &root);
	CHECK_ROW(bus_hash_equal(&root, &want), "root of %zu", size);
	bus_batch_free(batch);
	free(leaf);
}

static void agrees_with_the_vectors(void)
{
	char *path = check_source("tests/vectors/merkle.json");
	json_t *trees = json_load_file(path, 0, NULL), *tree;
	size_t i;

	CHECK_NEED(json_array_size(trees) > 0);
	json_array_foreach(trees, i, tree) check_vector(tree);
	json_decref(trees);
	free(path);
}

static void hashes_as_rfc_6962_does(void)
{
	struct bus_hash hash, want;

	bus_sha256(&hash, "abc", 3);
	CHECK(from_hex(&want, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
	CHECK(bus_hash_equal(&hash, &want));
	/* the empty leaf of Certificate Transparency's test data */
	bus_merkle_leaf(&hash, "", 0);
	CHECK(from_hex(&want, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"));
	CHECK(bus_hash_equal(&hash, &want));
	want.b[31] ^= 1;
	CHECK(!bus_hash_equal(&hash, &want));
}

static void range_has_one_node_for_each_bit(void)
{
	struct bus_hash leaf[LEAVES], root, want;
	struct bus_range range = { 0 };
	unsigned int i;

	make_leaves(leaf);
	for (i = 0; i < LEAVES; i++) {
		bus_range_append(&range, &leaf[i]);
		CHECK(range.size == i + 1);
		CHECK(range.count == (unsigned int)__builtin_popcount(i + 1));
		bus_range_root(&range, &root);
		want = naive_root(leaf, i + 1);
		CHECK_ROW(bus_hash_equal(&root, &want), "root of %u", i + 1);
	}
}

static void path_length_is_exact_for_every_size(void)
{
	struct bus_hash leaf[LEAVES], path[BUS_PATH_MAX];
	size_t size, m;

	make_leaves(leaf);
	for (size = 1; size <= 70; size++)
		for (m = 0; m < size; m++)
			CHECK_ROW(bus_path_len(m, size) == naive_path(path, m, leaf, size),
				  "%zu in %zu", m, size);
	CHECK(bus_path_len(0, 1) == 0);
	CHECK(bus_path_len(0, (uint64_t)1 << 62) == 62);
	CHECK(bus_path_len(0, INT64_MAX) == 63);
	CHECK(bus_path_len(INT64_MAX - 1, INT64_MAX) == 62);
	CHECK(bus_path_len(INT64_MAX - 1, (uint64_t)INT64_MAX + 1) == 63);
	CHECK(bus_path_len((uint64_t)1 << 62, ((uint64_t)1 << 62) + 1) == 1);
}

static void check_batch(const struct bus_hash *leaf, const struct bus_range *before, size_t count)
{
	struct bus_hash got[BUS_PATH_MAX], want[BUS_PATH_MAX], root, up;
	const size_t begin = (size_t)before->size, size = begin + count;
	struct bus_batch *batch = bus_batch_new(before, leaf + begin, count);
	struct bus_range range;
	unsigned int n, i;
	bool same;

	CHECK_NEED(batch != NULL);
	root = naive_root(leaf, size);
	for (i = 0; i < count; i++) {
		n = naive_path(want, begin + i, leaf, size);
		same = bus_batch_path(batch, i, got) == n &&
		       (!n || memcmp(got, want, n * sizeof(*got)) == 0);
		CHECK_ROW(same, "path of %zu in %zu, batch from %zu", begin + i, size, begin);
		bus_path_root(&up, &leaf[begin + i], begin + i, size, want);
		CHECK_ROW(bus_hash_equal(&up, &root), "root from %zu in %zu", begin + i, size);
		if (i)
			continue;
		bus_path_range(&range, begin, size, want);
		CHECK_ROW(range.size == begin && range.count == before->count &&
				  !memcmp(range.node, before->node, range.count * sizeof(*got)),
			  "range before %zu in %zu", begin, size);
	}
	bus_batch_free(batch);
}

static void batch_agrees_with_the_rfc_wherever_it_begins(void)
{
	struct bus_hash leaf[LEAVES];
	struct bus_range before = { 0 };
	size_t begin, count;

	make_leaves(leaf);
	for (begin = 0; begin <= 69; begin++) {
		for (count = 1; count <= 70; count++)
			check_batch(leaf, &before, count);
		bus_range_append(&before, &leaf[begin]);
	}
}

/* A log of 2^40 events is not there to be hashed, but its range can be made up. */
static void batch_works_at_the_end_of_a_huge_log(void)
{
	static const uint64_t sizes[] = { ((uint64_t)1 << 40) - 3, (uint64_t)1 << 40,
					  ((uint64_t)1 << 40) + 5, ((uint64_t)1 << 62) - 1 };
	struct bus_hash leaf[LEAVES], path[BUS_PATH_MAX], root, up;
	struct bus_range before, after;
	struct bus_batch *batch;
	size_t s, i;

	make_leaves(leaf);
	for (s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		before.size = sizes[s];
		before.count = (unsigned int)__builtin_popcountll(sizes[s]);
		for (i = 0; i < before.count; i++)
			bus_sha256(&before.node[i], &i, sizeof(i));
		after = before;
		for (i = 0; i < 9; i++)
			bus_range_append(&after, &leaf[i]);
		bus_range_root(&after, &root);
		batch = bus_batch_new(&before, leaf, 9);
		CHECK_NEED(batch != NULL);
		for (i = 0; i < 9; i++) {
			CHECK(bus_batch_path(batch, i, path) ==
			      bus_path_len(before.size + i, before.size + 9));
			bus_path_root(&up, &leaf[i], before.size + i, before.size + 9, path);
			CHECK_ROW(bus_hash_equal(&up, &root), "leaf %zu of size %zu", i, s);
		}
		bus_batch_free(batch);
	}
}

static void a_changed_leaf_path_or_place_changes_the_root(void)
{
	struct bus_hash leaf[LEAVES], path[BUS_PATH_MAX], root, up, other;
	unsigned int n, i;

	make_leaves(leaf);
	root = naive_root(leaf, 37);
	n = naive_path(path, 5, leaf, 37);
	for (i = 0; i < n; i++) {
		path[i].b[i] ^= 0x80;
		bus_path_root(&up, &leaf[5], 5, 37, path);
		CHECK_ROW(!bus_hash_equal(&up, &root), "path[%u] does not matter", i);
		path[i].b[i] ^= 0x80;
	}
	for (i = 0; i < 32; i++) {
		if (i == 5)
			continue;
		bus_path_root(&up, &leaf[5], i, 37, path);
		CHECK_ROW(!bus_hash_equal(&up, &root), "is leaf %u, too", i);
	}
	other = leaf[5];
	other.b[31] ^= 1;
	bus_path_root(&up, &other, 5, 37, path);
	CHECK(!bus_hash_equal(&up, &root));
}

/* In any order, with what is forged among it, and trees of several sizes. */
static void a_walk_that_is_kept_changes_no_root(void)
{
	struct bus_path_memo memo = { 0 };
	struct bus_hash leaf[LEAVES], path[BUS_PATH_MAX], one, want, got;
	unsigned int n, round, index, size, which;

	make_leaves(leaf);
	srand(4711);
	for (round = 0; round < 5000; round++) {
		size = round % 100 < 50 ? LEAVES : 1 + (unsigned int)rand() % LEAVES;
		index = round % 10 < 7 ? round % size : (unsigned int)rand() % size;
		n = naive_path(path, index, leaf, size);
		one = leaf[index];
		which = (unsigned int)rand() % 40;
		if (which < n)
			path[which].b[which] ^= 1;
		else if (which == 39)
			one.b[0] ^= 1;
		bus_path_root(&want, &one, index, size, path);
		bus_path_root_memo(&memo, &got, &one, index, size, path);
		CHECK_ROW(bus_hash_equal(&got, &want), "round %u: leaf %u of %u", round, index,
			  size);
	}
	/* the whole path of leaf 4 of 5 is the end of that of leaf 4 of 7 */
	naive_path(path, 4, leaf, 7);
	bus_path_root_memo(&memo, &got, &leaf[4], 4, 7, path);
	naive_path(path, 4, leaf, 5);
	bus_path_root_memo(&memo, &got, &leaf[4], 4, 5, path);
	want = naive_root(leaf, 5);
	CHECK(bus_hash_equal(&got, &want));
	/* what was shown for one place shows nothing for the next */
	naive_path(path, 4, leaf, 7);
	bus_path_root_memo(&memo, &want, &leaf[4], 4, 7, path);
	bus_path_root_memo(&memo, &got, &leaf[4], 5, 7, path);
	CHECK(!bus_hash_equal(&got, &want));
}

static void a_leaf_is_never_a_node(void)
{
	struct bus_hash leaf[LEAVES], node, forged;
	unsigned char both[64];

	make_leaves(leaf);
	naive_node(&node, &leaf[0], &leaf[1]);
	memcpy(both, leaf[0].b, 32);
	memcpy(both + 32, leaf[1].b, 32);
	bus_merkle_leaf(&forged, both, sizeof(both));
	CHECK(!bus_hash_equal(&forged, &node));
}

static const struct check_test tests[] = {
	{ "hashes as RFC 6962 does", hashes_as_rfc_6962_does },
	{ "agrees with the vectors", agrees_with_the_vectors },
	{ "a range has one node for each bit", range_has_one_node_for_each_bit },
	{ "the path length is exact for every size", path_length_is_exact_for_every_size },
	{ "a batch agrees with the RFC wherever it begins",
	  batch_agrees_with_the_rfc_wherever_it_begins },
	{ "a batch works at the end of a huge log", batch_works_at_the_end_of_a_huge_log },
	{ "a changed leaf, path or place changes the root",
	  a_changed_leaf_path_or_place_changes_the_root },
	{ "a walk that is kept changes no root", a_walk_that_is_kept_changes_no_root },
	{ "a leaf is never a node", a_leaf_is_never_a_node },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("merkle", tests);
}
