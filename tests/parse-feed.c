#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/planet/config_ini.h"
#include "adapters/planet/feed_parse.h"
#include "buf.h"

/*
 * For tests: what debmsg-planet reads out of files.
 *
 *	parse-feed FILE...		a line for each: ok, number of posts, file; or
 *					error, the reason, file; separated by TAB
 *	parse-feed --posts FILE		id, link and title of each post, a line each
 *	parse-feed --config FILE	URL, name and face of each feed, a line each; or error
 *					and the reason
 */
static bool slurp(struct bus_buf *bytes, const char *path)
{
	FILE *file = fopen(path, "rb");
	char chunk[16384];
	size_t n;

	bus_buf_clear(bytes);
	while (file && (n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		bus_buf_add(bytes, chunk, n);
	if (!file || ferror(file) || bytes->failed) {
		perror(path);
		return false;
	}
	fclose(file);
	return true;
}

static const char *text_of(const struct bus_buf *bytes)
{
	return bytes->p ? bytes->p : "";
}

static int show_config(const struct bus_buf *bytes)
{
	struct config *config = NULL;
	struct bus_err err = { BUS_OK, "" };
	size_t i;

	if (config_parse(&config, text_of(bytes), bytes->len, &err) != BUS_OK) {
		printf("error\t%s\n", err.text);
		return 0;
	}
	for (i = 0; i < config->count; i++)
		printf("%s\t%s\t%s\n", config->feed[i].url, config->feed[i].name,
		       config->feed[i].face);
	config_free(config);
	return 0;
}

static int show_feed(const struct bus_buf *bytes, const char *path, bool posts)
{
	struct bus_err err = { BUS_OK, "" };
	struct feed *feed = NULL;
	enum bus_code rc;
	size_t i;

	rc = feed_parse(&feed, text_of(bytes), bytes->len, &err);
	if (rc) {
		printf("error\t%s\t%s\n", err.text, path);
		return rc != BUS_E_DATA;
	}
	for (i = 0; posts && i < feed->count; i++)
		printf("%s\t%s\t%s\n", feed->post[i]->id, feed->post[i]->link,
		       feed->post[i]->title);
	if (!posts)
		printf("ok\t%zu\t%s\n", feed->count + feed->repeated + feed->left_out, path);
	feed_free(feed);
	return 0;
}

int main(int argc, char **argv)
{
	const bool posts = argc > 1 && strcmp(argv[1], "--posts") == 0;
	const bool config = argc > 1 && strcmp(argv[1], "--config") == 0;
	struct bus_buf bytes = BUS_BUF_INIT(FEED_BYTES_MAX);
	int i, status = 0;

	for (i = 1 + (posts || config); i < argc && !status; i++) {
		if (!slurp(&bytes, argv[i]))
			status = 66;
		else
			status = config ? show_config(&bytes) : show_feed(&bytes, argv[i], posts);
	}
	bus_buf_finish(&bytes);
	return status;
}
