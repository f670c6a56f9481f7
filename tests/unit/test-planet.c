#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/planet/config_ini.h"
#include "adapters/planet/digest.h"
#include "adapters/planet/feed_date.h"
#include "adapters/planet/feed_event.h"
#include "adapters/planet/feed_parse.h"
#include "adapters/planet/html_text.h"
#include "adapters/planet/ini.h"
#include "adapters/planet/subscriptions.h"
#include "adapters/planet/url_resolve.h"
#include "check.h"
#include "event.h"
#include "timestamp.h"

#define ATOM "<feed xmlns='http://www.w3.org/2005/Atom'>"
#define LONG_TEXT                                                                                  \
	"Sixty-four bytes of text, not counting blanks, are needed before it says which post it "  \
	"is."

static struct bus_err err;

static struct feed *parse_bytes(const char *bytes, size_t len)
{
	struct feed *feed = NULL;

	err.text[0] = '\0';
	CHECK_NEED(feed_parse(&feed, bytes, len, &err) == BUS_OK);
	return feed;
}

static struct feed *parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void refuses(const char *bytes, size_t len, const char *why)
{
	struct feed *feed = NULL;

	err.text[0] = '\0';
	CHECK_CODE(feed_parse(&feed, bytes, len, &err), BUS_E_DATA, &err);
	CHECK_SAYS(&err, why);
	feed_free(feed);
}

/* An entry of an Atom feed with this in it. */
static struct feed *parse_entry(const char *inner)
{
	struct bus_buf text = BUS_BUF_INIT(1 << 22);
	struct feed *feed;

	bus_buf_printf(&text, ATOM "<entry>%s</entry></feed>", inner);
	CHECK_NEED(!text.failed);
	feed = parse(text.p);
	bus_buf_finish(&text);
	CHECK_NEED(feed->count == 1);
	return feed;
}

static void reads_what_venus_writes(void)
{
	static const char text[] =
		"<?xml version=\"1.0\"?>\n"
		"<feed xmlns=\"http://www.w3.org/2005/Atom\" "
		"xmlns:planet=\"http://planet.intertwingly.net/\">\n"
		"<title>Planet</title><link rel=\"self\" href=\"http://p.example/atom.xml\"/>\n"
		"<id>http://p.example/atom.xml</id><updated>2026-01-02T00:00:00Z</updated>\n"
		"<author><name>The planet's owner</name></author>\n"
		"<entry xml:lang=\"en\">\n"
		"<id>tag:a.example,2026:2</id>\n"
		"<link href=\"http://a.example/2\" rel=\"alternate\" type=\"text/html\"/>\n"
		"<link href=\"http://a.example/2/comments\" rel=\"replies\"/>\n"
		"<title>Second</title><summary>S</summary>\n"
		"<content type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\">"
		"<title>no</title><entry>no</entry><id>no</id></div></content>\n"
		"<updated planet:format=\"x\">2026-01-02T00:00:00Z</updated>\n"
		"<published>2026-01-01T12:00:00+02:00</published>\n"
		"<author><name> Anna\n B. </name><email>a@a.example</email></author>\n"
		"<source><id>http://a.example/feed</id><author><name>no</name></author>\n"
		"<link href=\"http://a.example/\" rel=\"alternate\"/>\n"
		"<link href=\"http://a.example/feed.atom\" rel=\"self\"/>\n"
		"<subtitle>no</subtitle><title>Anna's place</title>\n"
		"<updated>2020-01-01T00:00:00Z</updated></source>\n"
		"</entry>\n"
		"<entry><id>tag:a.example,2026:1</id><title>First</title>\n"
		"<source><id>http://b.example/feed</id><title>B</title>\n"
		"<author><name>Bert</name></author><planet:name>Bert's</planet:name>\n"
		"</source></entry>\n"
		"</feed>\n";
	struct feed *feed = parse(text);
	const struct feed_post *post;
	int64_t us;

	CHECK_NEED(feed->count == 2);
	post = feed->post[0];
	CHECK_TEXT(post->id, "tag:a.example,2026:1");
	CHECK_TEXT(post->author, "Bert");
	CHECK_TEXT(post->feed_name, "Bert's");
	CHECK_TEXT(post->feed_url, "http://b.example/feed");
	CHECK_TEXT(post->link, "");
	CHECK(post->updated_us == INT64_MIN && post->published_us == INT64_MIN);
	post = feed->post[1];
	CHECK_TEXT(post->id, "tag:a.example,2026:2");
	CHECK_TEXT(post->link, "http://a.example/2");
	CHECK_TEXT(post->title, "Second");
	CHECK_TEXT(post->author, "Anna B.");
	CHECK_TEXT(post->feed_url, "http://a.example/feed.atom");
	CHECK_TEXT(post->feed_name, "Anna's place");
	CHECK(bus_time_parse(&us, "2026-01-02T00:00:00Z") && us == post->updated_us);
	CHECK(bus_time_parse(&us, "2026-01-01T10:00:00Z") && us == post->published_us);
	feed_free(feed);
}

static void reads_the_kinds_of_feeds(void)
{
	/* each has one post: i, http://x.example/1, T */
	static const char *const feeds[] = {
		"<rss version='2.0'><channel><title>no</title><link>http://x.example/</link><item>"
		"<guid isPermaLink='false'>i</guid><link> http://x.example/1\n</link>"
		"<title>T</title></item></channel></rss>",
		"<rss version='0.91'><channel><item><link>http://x.example/1</link>"
		"<title>T</title></item></channel></rss>",
		"<!DOCTYPE rss PUBLIC '-//Netscape Communications//DTD RSS 0.91//EN' "
		"'http://my.netscape.com/publish/formats/rss-0.91.dtd'>"
		"<rss version='0.91'><channel><item><link>http://x.example/1</link>"
		"<title>T</title></item></channel></rss>",
		"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' "
		"xmlns='http://purl.org/rss/1.0/'><channel rdf:about='no'><title>no</title>"
		"<items><rdf:Seq><rdf:li rdf:resource='i'/></rdf:Seq></items></channel>"
		"<item rdf:about='i'><title>T</title><link>http://x.example/1</link></item>"
		"</rdf:RDF>",
		"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' "
		"xmlns='http://my.netscape.com/rdf/simple/0.9/'><channel/><item><title>T</title>"
		"<link>http://x.example/1</link></item></rdf:RDF>",
		"<r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#' "
		"xmlns:n='http://purl.org/rss/1.0/'><n:item r:about='i'><n:title>T</n:title>"
		"<n:link>http://x.example/1</n:link></n:item></r:RDF>",
		"<feed version='0.3' xmlns='http://purl.org/atom/ns#'><entry><id>i</id>"
		"<link rel='alternate' type='text/html' href='http://x.example/1'/>"
		"<title mode='escaped' type='text/html'>&lt;i>T&lt;/i></title></entry></feed>",
		"<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:entry><a:id>i</a:id>"
		"<a:link href='http://x.example/1'/><a:title>T</a:title></a:entry></a:feed>",
		"<entry xmlns='http://www.w3.org/2005/Atom'><id>i</id>"
		"<link href='http://x.example/1'/><title>T</title></entry>",
		"<CHANNEL HREF='http://x.example/'><ITEM "
		"HREF='/1'><TITLE>T</TITLE></ITEM></CHANNEL>",
		"<channel xmlns='http://purl.org/net/rss1.1#'><items><item "
		"about='i'><title>T</title>"
		"<link>http://x.example/1</link></item></items></channel>",
		"<rss xmlns='http://example.org/made-up/'><channel><item><title>T</title>"
		"<link>http://x.example/1</link><m:title xmlns:m='http://m.example'>no</m:title>"
		"<undeclared:link>no</undeclared:link></item></channel></rss>",
		"<rss><channel><item "
		"xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>T</dc:title>"
		"<guid>http://x.example/1</guid></item></channel></rss>",
	};
	struct feed *feed;
	size_t i;

	for (i = 0; i < sizeof(feeds) / sizeof(*feeds); i++) {
		feed = parse(feeds[i]);
		CHECK_NEED(feed->count == 1);
		CHECK_ROW(strcmp(feed->post[0]->link, "http://x.example/1") == 0 &&
				  strcmp(feed->post[0]->title, "T") == 0,
			  "%zu: %s, %s", i, feed->post[0]->link, feed->post[0]->title);
		CHECK_ROW(strcmp(feed->post[0]->id, "i") == 0 ||
				  strcmp(feed->post[0]->id, "http://x.example/1") == 0,
			  "%zu: id %s", i, feed->post[0]->id);
		feed_free(feed);
	}
}

static void refuses_what_is_no_feed(void)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "it is empty" },
		{ " ", "not well-formed" },
		{ "hello", "not well-formed" },
		{ "<html><body>404</body></html>", "it is no feed: its first element is <html>" },
		{ "<opml version='1.0'/>", "it is no feed" },
		{ ATOM "<entry><id>1</id></entry>", "line 1, column" },
		{ ATOM "<entry>\n<id>1</ID></entry></feed>", "line 2, column 7" },
		{ ATOM "&nbsp;</feed>", "undefined entity" },
		{ ATOM "</feed><feed/>", "junk after document element" },
		{ ATOM "\x01</feed>", "not well-formed" },
		{ ATOM "&#0;</feed>", "invalid character number" },
		{ ATOM "\xc0\xaf</feed>", "not well-formed" },
		{ "<?xml version='1.0' encoding='x-fake'?>" ATOM "</feed>", "x-fake" },
		{ "<?xml version='1.0' encoding='../../x'?>" ATOM "</feed>", "whose name is none" },
		{ "<?xml version='1.0' encoding='UTF-8//IGNORE'?>" ATOM "</feed>",
		  "whose name is none" },
		{ "<?xml version='1.0' encoding='UTF-16'?>" ATOM "</feed>", "UTF-16" },
		{ "\xef\xbb\xbf<?xml version='1.0' encoding='iso-8859-1'?>" ATOM "</feed>",
		  "not the one it is in" },
		{ "<?xml version='1.0' encoding='us-ascii'?>" ATOM "\xc3\xa4</feed>", "byte " },
		{ "<?xml version='1.0' encoding='euc-kr'?>" ATOM "\xb0</feed>", "byte " },
		{ "<?xml version='1.0' encoding='big5'?>" ATOM "</feed>\xa4", "byte " },
		{ "<!DOCTYPE feed SYSTEM 'x'><feed>\n<link href='http://e/&amp;&eacute;x'/></feed>",
		  "line 2: an attribute with an entity" },
		{ "<!DOCTYPE feed [<!ENTITY a 'x'>]>" ATOM "&a;</feed>",
		  "DOCTYPE with declarations" },
		{ "<!DOCTYPE feed [<!ENTITY % a SYSTEM 'file:///etc/passwd'>%a;]><feed/>",
		  "DOCTYPE with declarations" },
		{ "<!DOCTYPE feed SYSTEM 'x' [<!ATTLIST feed a CDATA 'long'>]><feed/>",
		  "DOCTYPE with declarations" },
	};
	struct feed *feed;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refuses(bad[i].text, strlen(bad[i].text), bad[i].why);
	feed = parse("<!DOCTYPE feed SYSTEM 'x'><feed><entry><id>1</id>"
		     "<link href='http://e/?a&amp;b&#38;&lt;&gt;&quot;&apos;c'/></entry></feed>");
	CHECK_TEXT(feed->post[0]->link, "http://e/?a&b&<>\"'c");
	feed_free(feed);
	refuses("<feed>\0</feed>", 14, "not well-formed");
}

/* Nothing of it may cost time or memory: the test has no limits, but it ends. */
static void stays_within_limits(void)
{
	struct bus_buf text = BUS_BUF_INIT(1 << 24);
	struct feed *feed;
	size_t i;

	bus_buf_puts(&text, "<!DOCTYPE feed [<!ENTITY l0 'lol'>");
	for (i = 1; i < 60; i++)
		bus_buf_printf(&text, "<!ENTITY l%zu '&l%zu;&l%zu;&l%zu;&l%zu;'>", i, i - 1, i - 1,
			       i - 1, i - 1);
	bus_buf_puts(&text, "]>" ATOM "<entry><title>&l59;</title></entry></feed>");
	refuses(text.p, text.len, "DOCTYPE");

	bus_buf_clear(&text);
	for (i = 0; i < 100000; i++)
		bus_buf_puts(&text, i ? "<a>" : "<feed>");
	refuses(text.p, text.len, "deeper");

	bus_buf_clear(&text);
	bus_buf_puts(&text, "<feed");
	for (i = 0; i < 1000; i++)
		bus_buf_printf(&text, " a%zu=''", i);
	bus_buf_puts(&text, "/>");
	refuses(text.p, text.len, "attributes");

	bus_buf_clear(&text);
	bus_buf_puts(&text, "<feed>");
	for (i = 0; i < 200; i++)
		bus_buf_printf(&text, "<a xmlns:a%zu='x' xmlns:b%zu='y'>", i, i);
	refuses(text.p, text.len, "namespaces");

	bus_buf_clear(&text);
	bus_buf_puts(&text, "<feed a='");
	for (i = 0; i < 5 * 1024; i++)
		bus_buf_printf(&text, "%01024d", 0);
	refuses(text.p, text.len, "a tag or comment");

	/* long text is no long tag */
	bus_buf_clear(&text);
	bus_buf_puts(&text, ATOM "<entry><title>");
	for (i = 0; i < 5 * 1024; i++)
		bus_buf_printf(&text, "%01024d", 0);
	bus_buf_puts(&text, "</title><content><![CDATA[");
	for (i = 0; i < 5 * 1024; i++)
		bus_buf_printf(&text, "%01024d", 0);
	bus_buf_puts(&text, "]]></content></entry></feed>");
	CHECK_NEED(!text.failed);
	feed = parse_bytes(text.p, text.len);
	CHECK(feed->count == 1 && strlen(feed->post[0]->title) == FEED_TITLE_MAX + 2);
	feed_free(feed);
	bus_buf_finish(&text);
}

static void shows_titles_as_a_browser_does(void)
{
	static const struct {
		const char *xml, *title;
	} rows[] = {
		{ "<title>AT&amp;T</title>", "AT&T" },
		{ "<title>a &lt;b> c</title>", "a <b> c" },
		{ "<title type='text'>&amp;amp; &lt;i></title>", "&amp; <i>" },
		{ "<title type='html'>&lt;b>bold&lt;/b> &amp;amp; &amp;eacute;</title>",
		  "bold & \xc3\xa9" },
		{ "<title type='html'>&amp;lt;b&amp;gt; &amp;amp;lt;</title>", "<b> &lt;" },
		{ "<title type='html'><![CDATA[<b>x</b> &#8217;&#x2019;&#146;]]></title>",
		  "x \xe2\x80\x99\xe2\x80\x99\xe2\x80\x99" },
		{ "<title type='html'>a &lt; b &amp; c &amp;unknown; &amp;</title>",
		  "a < b & c &unknown; &" },
		{ "<title type='html'>1 &lt;2 and &lt;!-- no -->3</title>", "1 <2 and 3" },
		{ "<title type='html'>x&lt;br/>y&lt;script>no()&lt;/script>z</title>", "x yz" },
		{ "<title type='html'>&lt;a title='>'>x&lt;/a>&lt;a</title>", "x" },
		{ "<title type='html'>&amp;#0;&amp;#xd800;&amp;#x110000;</title>",
		  "&#0;\xef\xbf\xbd&#x110000;" },
		{ "<title type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>a <b>b</b>c"
		  "</div></title>",
		  "a bc" },
		{ "<title type='xhtml'><div>&amp;amp; &lt;i></div></title>", "&amp; <i>" },
		{ "<title>\n  a\t\n b&#13; c&#x7f;  </title>", "a b c" },
		{ "<title></title>", "" },
		{ "<title> </title>", "" },
		{ "<title>one</title><title>two</title>", "one" },
		{ "<title>\xf0\x9f\x90\xa7 \xe2\x80\xae</title>", "\xf0\x9f\x90\xa7 \xe2\x80\xae" },
	};
	struct bus_buf xml = BUS_BUF_INIT(4096);
	struct feed *feed;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bus_buf_clear(&xml);
		bus_buf_printf(&xml, "<id>x</id>%s", rows[i].xml);
		feed = parse_entry(xml.p);
		CHECK_TEXT(feed->post[0]->title, rows[i].title);
		feed_free(feed);
	}
	bus_buf_finish(&xml);
	feed = parse("<rss><channel><item><guid>1</guid><title>&lt;b>x&lt;/b> &amp;amp; y</title>"
		     "</item></channel></rss>");
	CHECK_TEXT(feed->post[0]->title, "x & y");
	feed_free(feed);
	feed = parse("<!DOCTYPE rss SYSTEM 'http://x/rss-0.91.dtd'><rss><channel><item>"
		     "<guid>1</guid><title>caf&eacute;&nosuch;!</title></item></channel></rss>");
	CHECK_TEXT(feed->post[0]->title, "caf\xc3\xa9!");
	feed_free(feed);
}

static void knows_a_post_without_an_id(void)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "<link href='http://x/1'/><title>A</title>",
		  "<link href='http://x/1'/><title>B</title>", true },
		{ "<title>A</title><content>x</content>", "<title>A</title><content>y</content>",
		  true },
		{ "<title>A</title>", "<title>B</title>", false },
		{ "<content>x</content>", "<content> x\n</content>", true },
		{ "<content>x</content>", "<content>y</content>", false },
		{ "<id>1</id>", "<id> 1 </id>", true },
		{ "<id>1</id><link href='http://x/1'/>", "<id>2</id><link href='http://x/1'/>",
		  false },
	};
	struct feed *a, *b;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		a = parse_entry(rows[i].a);
		b = parse_entry(rows[i].b);
		CHECK_ROW(*a->post[0]->id && (memcmp(&a->post[0]->key, &b->post[0]->key,
						     sizeof(a->post[0]->key)) == 0) == rows[i].same,
			  "%zu: %s, %s", i, a->post[0]->id, b->post[0]->id);
		feed_free(a);
		feed_free(b);
	}
	a = parse(ATOM "<entry><updated>2026-01-01T00:00:00Z</updated></entry><entry/></feed>");
	CHECK(a->count == 0 && a->left_out == 2);
	feed_free(a);
}

static void keeps_the_newest_of_one_id(void)
{
	struct feed *feed = parse(
		ATOM
		"<entry><id>1</id><title>a</title><updated>2026-01-01T00:00:00Z</updated></entry>"
		"<entry><id>2</id><title>only</title></entry>"
		"<entry><id>1</id><title>b</title><updated>2026-01-03T00:00:00Z</updated></entry>"
		"<entry><id>1</id><title>c</title><updated>2026-01-02T00:00:00Z</updated></entry>"
		"<entry><id>3</id><title>first</title></entry>"
		"<entry><id>3</id><title>second</title></entry></feed>");

	CHECK_NEED(feed->count == 3 && feed->repeated == 3);
	CHECK_TEXT(feed->post[0]->title, "first");
	CHECK_TEXT(feed->post[1]->title, "b");
	CHECK_TEXT(feed->post[2]->title, "only");
	feed_free(feed);
}

/* Which of whole, place, text are the same for two entries: a bit each; 8: whole tells little. */
static unsigned int same_keys(const char *a, const char *b)
{
	struct feed *x = parse_entry(a), *y = parse_entry(b);
	const struct feed_post *p = x->post[0], *q = y->post[0];
	unsigned int bits = 0;

	bits |= memcmp(&p->whole, &q->whole, sizeof(p->whole)) == 0 ? 1 : 0;
	bits |= p->whole_tells && q->whole_tells ? 0 : 8;
	bits |= digest_is_set(&p->place) && memcmp(&p->place, &q->place, sizeof(p->place)) == 0 ? 2
												: 0;
	bits |= digest_is_set(&p->text) && memcmp(&p->text, &q->text, sizeof(p->text)) == 0 ? 4 : 0;
	feed_free(x);
	feed_free(y);
	return bits;
}

static void knows_a_post_by_what_it_is(void)
{
	static const char post[] = "<id>1</id><link href='http://x/1'/><title>T</title>"
				   "<content type='html'>" LONG_TEXT "</content>";

	CHECK(same_keys(post, post) == 7);
	CHECK(same_keys(post,
			"<id>2</id><link href='https://x/1'/><title> T\n</title>"
			"<updated>2026-01-01T00:00:00Z</updated><author><name>N</name></author>"
			"<content type='html'>\n" LONG_TEXT " </content>") == 7);
	CHECK(same_keys(post, "<id>1</id><link href='http://x/1'/><title>U</title>"
			      "<content type='html'>" LONG_TEXT "</content>") == 0);
	CHECK(same_keys(post, "<id>1</id><link href='http://x/2'/><title>T</title>"
			      "<content type='html'>" LONG_TEXT "</content>") == 4);
	CHECK(same_keys(post, "<id>1</id><link href='http://x/1'/><title>T</title>"
			      "<content type='html'>" LONG_TEXT "!</content>") == 2);
	/* too little to know a post by */
	CHECK(same_keys("<id>1</id><title>T</title><content>x</content>",
			"<id>2</id><title>T</title><content>x</content>") == 9);
	CHECK(same_keys("<id>1</id><title>T</title>", "<id>2</id><title>T</title>") == 9);
	CHECK(same_keys("<id>1</id>", "<id>2</id>") == 9);
	CHECK(same_keys("<id>1</id><content>" LONG_TEXT "</content>",
			"<id>2</id><content>" LONG_TEXT "</content>") == 1);
	/* markup counts, in any spelling of its namespace */
	CHECK(same_keys("<id>1</id><content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>"
			"<b>x</b></div></content>",
			"<id>1</id><content type='xhtml'><h:div "
			"xmlns:h='http://www.w3.org/1999/xhtml'><h:b>x</h:b></h:div></content>") ==
	      9);
	CHECK(same_keys("<id>1</id><content type='xhtml'><a href='1'>x</a></content>",
			"<id>1</id><content type='xhtml'><a href='2'>x</a></content>") == 8);
	CHECK(same_keys("<id>1</id><content type='xhtml'><b>x</b>y</content>",
			"<id>1</id><content type='xhtml'><b>xy</b></content>") == 8);
	CHECK(same_keys("<id>1</id><content>x y</content>", "<id>1</id><content>xy</content>") ==
	      8);
	CHECK(same_keys("<id>1</id><summary>x</summary>", "<id>1</id><content>x</content>") == 8);
}

static void resolves_links(void)
{
	/* RFC 3986 section 5.4, with http://a/b/c/d;p?q */
	static const struct {
		const char *reference, *url;
	} rows[] = {
		{ "g:h", "g:h" },
		{ "g", "http://a/b/c/g" },
		{ "./g", "http://a/b/c/g" },
		{ "g/", "http://a/b/c/g/" },
		{ "/g", "http://a/g" },
		{ "//g", "http://g" },
		{ "?y", "http://a/b/c/d;p?y" },
		{ "g?y", "http://a/b/c/g?y" },
		{ "#s", "http://a/b/c/d;p?q#s" },
		{ "g#s", "http://a/b/c/g#s" },
		{ "g?y#s", "http://a/b/c/g?y#s" },
		{ ";x", "http://a/b/c/;x" },
		{ "", "http://a/b/c/d;p?q" },
		{ ".", "http://a/b/c/" },
		{ "./", "http://a/b/c/" },
		{ "..", "http://a/b/" },
		{ "../", "http://a/b/" },
		{ "../g", "http://a/b/g" },
		{ "../..", "http://a/" },
		{ "../../g", "http://a/g" },
		{ "../../../g", "http://a/g" },
		{ "/./g", "http://a/g" },
		{ "/../g", "http://a/g" },
		{ "g.", "http://a/b/c/g." },
		{ ".g", "http://a/b/c/.g" },
		{ "./../g", "http://a/b/g" },
		{ "./g/.", "http://a/b/c/g/" },
		{ "g/../h", "http://a/b/c/h" },
		{ "g;x=1/../y", "http://a/b/c/y" },
		{ "g?y/../x", "http://a/b/c/g?y/../x" },
		{ " g h\t", "http://a/b/c/g%20h" },
		{ "http://x", "http://x" },
		{ "mailto:a@b/../c", "mailto:a@b/../c" },
	};
	struct bus_buf out = BUS_BUF_INIT(4096);
	struct feed *feed;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bus_buf_clear(&out);
		url_resolve(&out, "http://a/b/c/d;p?q", rows[i].reference);
		CHECK_TEXT(out.p, rows[i].url);
	}
	bus_buf_clear(&out);
	url_resolve(&out, "", "../x");
	CHECK_TEXT(out.p, "x");
	bus_buf_finish(&out);

	feed = parse("<feed xmlns='http://www.w3.org/2005/Atom' xml:base='http://x.example/a/'>"
		     "<entry xml:base='b/'><id>1</id><link href='c'/></entry>"
		     "<entry><id>2</id><link xml:base='/d/' href='e'/></entry>"
		     "<entry><id>3</id><link href='f'/></entry></feed>");
	CHECK_NEED(feed->count == 3);
	CHECK_TEXT(feed->post[2]->link, "http://x.example/a/b/c");
	CHECK_TEXT(feed->post[1]->link, "http://x.example/d/e");
	CHECK_TEXT(feed->post[0]->link, "http://x.example/a/f");
	feed_free(feed);
	feed = parse("<rss><channel><link>http://x.example/blog/</link><item><link>/1</link>"
		     "</item></channel></rss>");
	CHECK_TEXT(feed->post[0]->link, "http://x.example/1");
	feed_free(feed);
}

/* What is no address to follow is none; what nobody sees is written out. */
static void leaves_out_what_is_no_page(void)
{
	static const struct {
		const char *inner, *link, *id;
	} rows[] = {
		{ "<id>1</id><link href='javascript:alert(1)'/>", "", "1" },
		{ "<id>1</id><link href=' JavaScript:alert(1)'/>", "", "1" },
		{ "<id>1</id><link href='data:text/html,x'/>", "", "1" },
		{ "<id>1</id><link href='file:///etc/passwd'/>", "", "1" },
		{ "<id>1</id><link href='http:///x'/>", "", "1" },
		{ "<id>1</id><link href='http:x'/>", "", "1" },
		{ "<id>1</id><link href='x'/>", "", "1" },
		{ "<id>1</id><link xml:base='javascript:alert(1)//' href='x'/>", "", "1" },
		{ "<id>1</id><link xml:base='file:///etc/' href='x'/>", "", "1" },
		{ "<id>1</id><link href='javascript:x'/><link href='http://x/1'/>", "http://x/1",
		  "1" },
		{ "<id>1</id><link href='HTTPS://x/1'/>", "HTTPS://x/1", "1" },
		{ "<id>1</id><link href='gemini://x/1'/>", "gemini://x/1", "1" },
		{ "<link href='javascript:x'/><title>t</title>", "", "urn:debmsg:post:" },
		{ "<id>javascript:alert(1)</id>", "", "urn:debmsg:post:" },
		{ "<id>a\xe2\x80\xae"
		  "b</id>",
		  "", "urn:debmsg:post:" },
		{ "<id>1</id><link href='http://x/\xe2\x80\xaegnp.exe'/>",
		  "http://x/%E2%80%AEgnp.exe", "1" },
		{ "<id>1</id><link href='http://x/\xe2\x80\x8b\xe2\x81\xa6\xc2\x85\xef\xbb\xbf"
		  "\xc3\xa4'/>",
		  "http://x/%E2%80%8B%E2%81%A6%C2%85%EF%BB%BF\xc3\xa4", "1" },
	};
	struct feed *feed;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		feed = parse_entry(rows[i].inner);
		CHECK_TEXT(feed->post[0]->link, rows[i].link);
		CHECK_ROW(strncmp(feed->post[0]->id, rows[i].id, strlen(rows[i].id)) == 0,
			  "%zu: %s", i, feed->post[0]->id);
		feed_free(feed);
	}
	feed = parse("<rss><channel><link>javascript:x//</link><item><guid>javascript:y</guid>"
		     "<source url='javascript:z'>s</source><link>w</link></item></channel></rss>");
	CHECK_TEXT(feed->post[0]->link, "");
	CHECK_TEXT(feed->post[0]->feed_url, "");
	CHECK(strncmp(feed->post[0]->id, "urn:", 4) == 0);
	feed_free(feed);
}

static void reads_dates_of_all_forms(void)
{
	static const struct {
		const char *text, *rfc3339; /* NULL: it is none */
	} rows[] = {
		{ "2003-12-31T10:14:55Z", "2003-12-31T10:14:55Z" },
		{ " 2003-12-31T10:14:55.123+02:00\n", "2003-12-31T08:14:55.123Z" },
		{ "2003-12-31T10:14:55", "2003-12-31T10:14:55Z" },
		{ "2003-12-31T10:14Z", "2003-12-31T10:14:00Z" },
		{ "2003-12-31T10:14-08:00", "2003-12-31T18:14:00Z" },
		{ "2003-12-31T10:14", "2003-12-31T10:14:00Z" },
		{ "2003-12-31", "2003-12-31T00:00:00Z" },
		{ "2003-12", "2003-12-01T00:00:00Z" },
		{ "2003", "2003-01-01T00:00:00Z" },
		{ "Tue, 10 Jun 2003 04:05:06 GMT", "2003-06-10T04:05:06Z" },
		{ "10 Jun 2003 04:05:06 -0730", "2003-06-10T11:35:06Z" },
		{ "Tue,10 June 03 4:05 EST", "2003-06-10T09:05:00Z" },
		{ "Thu, 01 Jan 98 00:00:00 CEST", "1997-12-31T22:00:00Z" },
		{ "Thursday, 1 Jan 2004", "2004-01-01T00:00:00Z" },
		{ "01-Jan-2004 10:00", "2004-01-01T10:00:00Z" },
		{ "Wed, 31 Feb 2004 00:00:00 GMT", NULL },
		{ "10/11/12", NULL },
		{ "yesterday", NULL },
		{ "", NULL },
		{ "2003-13-01", NULL },
		{ "99999999999999999999", NULL },
		{ "Tue, 10 Jun 2003 25:00:00 GMT", NULL },
		{ "2003-12-31T10:14:55ZZ", NULL },
	};
	int64_t got, want;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		got = want = 0;
		CHECK_ROW(feed_date_parse(&got, rows[i].text) == (rows[i].rfc3339 != NULL), "'%s'",
			  rows[i].text);
		CHECK_ROW(!rows[i].rfc3339 ||
				  (bus_time_parse(&want, rows[i].rfc3339) && got == want),
			  "'%s'", rows[i].text);
	}
}

static void reads_encodings_by_the_rules(void)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *title;
	} rows[] = {
#define IN(name, title)                                                                            \
	"<?xml version='1.0' encoding='" name "'?><feed><entry><title>" title                      \
	"</title></entry></feed>"
#define ROW(bytes, title) { bytes, sizeof(bytes) - 1, title }
		ROW(IN("utf-8", "\xc3\xa4"), "\xc3\xa4"),
		ROW("\xef\xbb\xbf" IN("UTF-8", "\xc3\xa4"), "\xc3\xa4"),
		ROW(IN("ISO-8859-1", "\xe4\xa0"), "\xc3\xa4\xc2\xa0"),
		ROW(IN("iso-8859-7", "\xe1"), "\xce\xb1"),
		ROW(IN("windows-1252", "\x80"), "\xe2\x82\xac"),
		ROW(IN("koi8-r", "\xc1"), "\xd0\xb0"),
		ROW(IN("euc-kr", "\xb0\xa1"), "\xea\xb0\x80"),
		ROW(IN("big5", "\xa4\x40"), "\xe4\xb8\x80"),
		ROW(IN("gb2312", "\xb0\xa1"), "\xe5\x95\x8a"),
		ROW(IN("shift_jis", "\x82\xa0"), "\xe3\x81\x82"),
		ROW(IN("us-ascii", "a"), "a"),
	};
	struct bus_buf wide = BUS_BUF_INIT(4096);
	static const char text[] = "<feed><entry><title>\xe4</title></entry></feed>";
	struct feed *feed;
	size_t i, unit, mark, big;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		feed = parse_bytes(rows[i].bytes, rows[i].len);
		CHECK_TEXT(feed->post[0]->title, rows[i].title);
		feed_free(feed);
	}
	for (unit = 2; unit <= 4; unit += 2)
		for (mark = 0; mark < 2; mark++)
			for (big = 0; big < 2; big++) {
				bus_buf_clear(&wide);
				for (i = mark ? 0 : 1; i <= strlen(text); i++) {
					const unsigned int c = i ? (unsigned char)text[i - 1]
								 : 0xfeff;
					size_t j, k;

					for (j = 0; j < unit; j++) {
						k = big ? unit - 1 - j : j;
						bus_buf_printf(&wide, "%c",
							       k < 2 ? c >> 8 * k & 0xff : 0);
					}
				}
				feed = parse_bytes(wide.p, wide.len);
				CHECK_TEXT(feed->post[0]->title, "\xc3\xa4");
				feed_free(feed);
			}
	bus_buf_finish(&wide);
}

/* -- events -- */

static void check_event(const char *type, const struct bus_buf *data, const char *part)
{
	struct bus_draft draft = { .type = type, .subject = "x" };
	struct bus_buf body = BUS_BUF_INIT(1 << 20);

	CHECK_NEED(!data->failed);
	draft.data = data->p;
	draft.data_len = data->len;
	CHECK_CODE(bus_event_build(&body, &draft, "a.example/b/20000101T000000Z", 0, 1, &err),
		   BUS_OK, &err);
	CHECK_ROW(strstr(data->p, part) != NULL, "%s is not in %s", part, data->p);
	bus_buf_finish(&body);
}

static void writes_events_that_consumers_accept(void)
{
	struct bus_buf data = BUS_BUF_INIT(1 << 20);
	struct feed *feed;
	int64_t now = 0;

	CHECK_NEED(bus_time_parse(&now, "2026-01-09T00:00:00Z"));
	feed = parse_entry("<id>1</id><link href='http://x/1'/><title>T</title>"
			   "<published>2026-01-02T00:00:00Z</published>"
			   "<source><title>F</title></source>");
	feed_event_write(&data, feed->post[0], FEED_ADD, now, 1000, false);
	check_event("org.debian.dev.planet.post.add", &data, "\"summary\":\"F: T\"");
	CHECK(!strstr(data.p, "backdated"));
	bus_buf_clear(&data);
	feed_event_write(&data, feed->post[0], FEED_ADD, now + 1, 1000, false);
	check_event("org.debian.dev.planet.post.add", &data, "\"backdated\":true");
	bus_buf_clear(&data);
	feed_event_write(&data, feed->post[0], FEED_EDIT, now + 1, 1000, true);
	check_event("org.debian.dev.planet.post.edit", &data, "\"summary\":\"edited: F: T\"");
	CHECK(!strstr(data.p, "backdated") && !strstr(data.p, "feed_name"));
	feed_free(feed);
	feed = parse_entry("<id>only</id>");
	bus_buf_clear(&data);
	feed_event_write(&data, feed->post[0], FEED_ADD, now, 1000, false);
	check_event("org.debian.dev.planet.post.add", &data, "\"summary\":\"only\"");
	feed_free(feed);
	bus_buf_finish(&data);
}

/* -- config.ini -- */

static void lists(const char *text, const char *want)
{
	struct bus_buf got = BUS_BUF_INIT(1 << 16);
	struct config *config = NULL;
	size_t i;

	CHECK_CODE(config_parse(&config, text, strlen(text), &err), BUS_OK, &err);
	CHECK_NEED(config != NULL);
	bus_buf_puts(&got, "");
	for (i = 0; i < config->count; i++)
		bus_buf_printf(&got, "%s=%s;", config->feed[i].url, config->feed[i].name);
	CHECK_TEXT(got.p ? got.p : "", want);
	bus_buf_finish(&got);
	config_free(config);
}

static void reads_config_ini_as_python_does(void)
{
	lists("[Planet]\nname = x\n", "");
	lists("# c\n; c\nrem c\nREM\n\n[Planet]\nname = x\n[http://a/]\nname = A\n",
	      "http://a/=A;");
	lists("[Planet]\n[http://b/]\nName: B\n[http://a/]\nNAME=A: 1 = 2\n",
	      "http://a/=A: 1 = 2;http://b/=B;");
	lists("\xef\xbb\xbf[Planet]\r\n\r\n[http://a/]\r\nname = A\r\n  and\r\n\t more \r\n",
	      "http://a/=A and more;");
	lists("[Planet]\n[u]\nname = A\n  # no\n\n  ; no\n  B\n#no\n  C\n", "u=A B C;");
	lists("[Planet]\n[u]\nname = A ; no\n[v]\nname = A;B\n[w]\nname = \"\"\n", "u=A;v=A;B;w=;");
	lists("[Planet]\n[u]\nname = 1\n[v]\n[u]\nface = f\n[u]\nname = 2\n", "u=2;v=;");
	lists("[DEFAULT]\nname = D\nwho = W\n[Planet]\n[u]\n[v]\nname = %(who)s %(WHO)s 100%%\n",
	      "u=D;v=W W 100%;");
	lists("[Planet]\n[u]\nname = %(missing)s %%\n[v]\nname = %(name)s\n[w]\nname=50%\n"
	      "[x]\nname = %(__name__)s %(\n[y]\nname = %()s\n",
	      "u=%(missing)s %%;v=%(name)s;w=50%;x=%(__name__)s %(;y=%()s;");
	lists("[Planet]\n[http://[::1]/feed]\nname = A\n[v] junk\nname = B\n",
	      "http://[::1=A;v=B;");
	lists("[Planet]\n[http://a/?x=100%25;y#z:1]\nname = a%%20b\n",
	      "http://a/?x=100%25;y#z:1=a%20b;");
	lists("[Planet]\n[u]\nname = Gr\xfc\xdf"
	      "e\n[v]\nname = Gr\xc3\xbc\xc3\x9f"
	      "e\n[\xe4]\n",
	      "u=Gr\xc3\xbc\xc3\x9f"
	      "e;v=Gr\xc3\xbc\xc3\x9f"
	      "e;\xc3\xa4=;");
	lists("[Planet]\n  [u]\n  name = A\n    B\n", "u=A B;");
	lists("[Planet]\n[u]\nname =\n  A\n  B\nface = x\n[http://broken\nname = C\n", "u=C;");
}

static void knows_which_sections_are_feeds(void)
{
	lists("[Planet]\ntemplate_files = index.html.tmpl a b\n  c\nfilters = f.py "
	      "g\n[index.html.tmpl]\n"
	      "days_per_page = 7\n[a]\n[b]\n[c]\n[f.py]\n[g]\n[feed1]\nname = one\nfilters = h "
	      "i?j\n"
	      "[h]\n[i?j]\n[ab]\n[DEFAULT]\nfilters = k\n[k]\n",
	      "ab=;feed1=one;");
	lists("[Planet]\noutput_theme = asf\n[index.html.xslt]\ndays_per_page = "
	      "7\n[http://x/a.xslt]\n",
	      "http://x/a.xslt=;");
	lists("[Planet]\n[a]\ncontent_type = opml\n[b]\ncontent_type = "
	      "foaf\n[c]\ncontent_type=csv\n"
	      "[d]\ncontent_type: config\n[e]\ncontent_type = text/html\n[f]\ncontent_type = "
	      "x.py\n",
	      "e=;");
	lists("[Planet]\n[planet]\n[default]\n[DEFAULT]\n", "default=;planet=;");
}

static void refuses_what_no_planet_reads(void)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "no section [Planet]" },
		{ "[http://a/]\nname = A\n", "no section [Planet]" },
		{ "[planet]\n", "no section [Planet]" },
		{ "name = x\n[Planet]\n", "line 1: a value before" },
		{ "[Planet]\nname = x\nrubbish\n", "line 3: neither" },
		{ "[Planet]\n[]\n", "line 2: neither" },
		{ "[Planet]\n= x\n", "line 2: neither" },
		{ "[Planet]\n[http//half", "line 2: neither" },
	};
	struct config *config = NULL;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK_CODE(config_parse(&config, bad[i].text, strlen(bad[i].text), &err),
			   BUS_E_DATA, &err);
		CHECK_SAYS(&err, bad[i].why);
	}
	CHECK_CODE(config_parse(&config, "[Planet]\na\0=b\n", 14, &err), BUS_E_DATA, &err);
	CHECK_SAYS(&err, "line 2: a NUL byte");
}

static void refuses_config(const struct bus_buf *text, const char *why)
{
	struct config *config = NULL;

	CHECK_NEED(!text->failed);
	CHECK_CODE(config_parse(&config, text->p, text->len, &err), BUS_E_DATA, &err);
	CHECK_SAYS(&err, why);
}

/* What [DEFAULT] says counts in each section: the test has no limits, but it ends. */
static void says_long_things_once(void)
{
	struct bus_buf text = BUS_BUF_INIT(CONFIG_BYTES_MAX), name = BUS_BUF_INIT(1024);
	struct config *config = NULL;
	size_t i;

	bus_buf_puts(&text, "[Planet]\n[DEFAULT]\nname = ");
	for (i = 0; i < 32 * 1024; i++)
		bus_buf_puts(&text, "\xc3\xa4");
	bus_buf_puts(&text, "\n");
	for (i = 0; i < INI_SECTIONS_MAX - 2; i++)
		bus_buf_printf(&text, "[h:%zu]\n", i);
	CHECK_NEED(!text.failed);
	CHECK_CODE(config_parse(&config, text.p, text.len, &err), BUS_OK, &err);
	CHECK_NEED(config != NULL && config->count == INI_SECTIONS_MAX - 2);
	for (i = 0; i < CONFIG_NAME_MAX - 1; i++)
		bus_buf_puts(&name, "\xc3\xa4");
	bus_buf_puts(&name, "\xe2\x80\xa6");
	CHECK_TEXT(config->feed[0].name, name.p);
	config_free(config);
	bus_buf_puts(&text, "[h:1]\n");
	refuses_config(&text, "line 20002: more than 20000 sections");

	bus_buf_clear(&text);
	bus_buf_puts(&text, "[Planet]\n");
	for (i = 0; i <= INI_ENTRIES_MAX; i++)
		bus_buf_puts(&text, "a=\n");
	refuses_config(&text, "more than 200000 values");

	bus_buf_clear(&text);
	bus_buf_puts(&text, "[Planet]\n[DEFAULT]\nbig = ");
	for (i = 0; i < 30 * 1024; i++)
		bus_buf_puts(&text, "a ");
	bus_buf_puts(&text, "\n");
	for (i = 0; i < 10000; i++)
		bus_buf_printf(&text, "[h:%zu]\nfilters = %%(big)s\n", i);
	refuses_config(&text, "template_files and filters");
	bus_buf_finish(&text);
	bus_buf_finish(&name);
}

/* Values made of values, over and over: it ends, and what comes out is short. */
static void interpolation_does_not_explode(void)
{
	struct bus_buf text = BUS_BUF_INIT(1 << 22);
	struct config *config = NULL;
	size_t i, j;

	bus_buf_puts(&text, "[Planet]\n[DEFAULT]\na0 =\n");
	for (i = 1; i < 10; i++) {
		bus_buf_printf(&text, "a%zu = ", i);
		for (j = 0; j < 5000; j++)
			bus_buf_printf(&text, "%%(a%zu)s", i - 1);
		bus_buf_puts(&text, "\n");
	}
	bus_buf_puts(&text, "[u]\nname = %(a9)s\n[v]\nname = %(a1)s\n");
	CHECK_CODE(config_parse(&config, text.p, text.len, &err), BUS_OK, &err);
	CHECK_NEED(config != NULL && config->count == 2);
	CHECK_TEXT(config->feed[0].name, "%(a9)s");
	CHECK(strlen(config->feed[1].name) < 1000);
	config_free(config);
	bus_buf_finish(&text);
}

static void writes_feed_events(void)
{
	static char url[] = "http://x/", name[] = "New", face[] = "f.png", none[] = "";
	struct config_feed feed = { url, name, face };
	struct bus_buf data = BUS_BUF_INIT(1 << 16);

	subscriptions_write(&data, "added", &feed, NULL);
	check_event("org.debian.dev.planet.feed.add", &data,
		    "{\"summary\":\"feed added: New (http://x/)\",\"url\":\"http://x/\",\"name\":"
		    "\"New\",\"face\":\"f.png\"}");
	bus_buf_clear(&data);
	subscriptions_write(&data, "renamed", &feed, "Old");
	check_event("org.debian.dev.planet.feed.rename", &data,
		    "\"summary\":\"feed renamed: Old is now New\"");
	CHECK(strstr(data.p, "\"old_name\":\"Old\"") != NULL);
	bus_buf_clear(&data);
	feed = (struct config_feed){ url, none, NULL };
	subscriptions_write(&data, "removed", &feed, NULL);
	check_event("org.debian.dev.planet.feed.remove", &data,
		    "{\"summary\":\"feed removed: http://x/\",\"url\":\"http://x/\"}");
	bus_buf_finish(&data);
}

static const struct check_test tests[] = {
	{ "reads what Venus writes", reads_what_venus_writes },
	{ "reads the kinds of feeds", reads_the_kinds_of_feeds },
	{ "refuses what is no feed", refuses_what_is_no_feed },
	{ "stays within limits", stays_within_limits },
	{ "shows titles as a browser does", shows_titles_as_a_browser_does },
	{ "knows a post without an id", knows_a_post_without_an_id },
	{ "keeps the newest of one id", keeps_the_newest_of_one_id },
	{ "knows a post by what it is", knows_a_post_by_what_it_is },
	{ "resolves links", resolves_links },
	{ "leaves out what is no page", leaves_out_what_is_no_page },
	{ "reads dates of all forms", reads_dates_of_all_forms },
	{ "reads encodings by the rules", reads_encodings_by_the_rules },
	{ "writes events that consumers accept", writes_events_that_consumers_accept },
	{ "reads config.ini as Python does", reads_config_ini_as_python_does },
	{ "knows which sections are feeds", knows_which_sections_are_feeds },
	{ "refuses what no planet reads", refuses_what_no_planet_reads },
	{ "interpolation does not explode", interpolation_does_not_explode },
	{ "says long things once", says_long_things_once },
	{ "writes feed events", writes_feed_events },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("planet", tests);
}
