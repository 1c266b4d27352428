#include "model/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "model/json_text.h"
#include "model/utf8.h"
#include "model/yaml_walk.h"

enum { STAMP_BYTES = 21 }; /* "[YYYY-MM-DD HH:MM:SS]" */

void
message_fini(struct message *message)
{
	free(message->msg_id);
	free(message->timestamp);
	free(message->type);
	free(message->project_id);
	free(message->task_id);
	free(message->run_id);
	free(message->issue_id);
	for (size_t i = 0; i < message->parents_count; i++)
		free(message->parents[i]);
	for (size_t i = 0; i < message->links_count; i++) {
		free(message->links[i].url);
		free(message->links[i].label);
		free(message->links[i].kind);
	}
	for (size_t i = 0; i < message->meta_count; i++) {
		free(message->meta[i].key);
		free(message->meta[i].value);
	}
	free(message->parents);
	free(message->links);
	free(message->meta);
	*message = (struct message){ 0 };
}

/* --- front matter ------------------------------------------------------------------------------- */

/* Where in struct message the text of a key goes. */
static const struct {
	const char *name;
	size_t offset;
} text_keys[] = {
	{ "msg_id", offsetof(struct message, msg_id) },
	{ "ts", offsetof(struct message, timestamp) },
	{ "type", offsetof(struct message, type) },
	{ "project_id", offsetof(struct message, project_id) },
	{ "task_id", offsetof(struct message, task_id) },
	{ "run_id", offsetof(struct message, run_id) },
	{ "issue_id", offsetof(struct message, issue_id) },
};

enum { KEY_BYTES = 16 }; /* with a NUL; all names that we know are shorter */

/* A walk through a front matter. */
struct reading {
	struct message message;
	char key[KEY_BYTES];         /* in the outermost mapping; "" for one that we do not know */
	char inner_key[KEY_BYTES];   /* of a parent or link */
	enum yaml_walk_kind value;   /* what the outer key's value is */
	struct message_link *link;   /* what takes what comes; or NULL: nothing does */
	struct message_meta *meta;
};

static void
keep_key(char key[static KEY_BYTES], const struct yaml_walk_item *item)
{
	key[0] = '\0';
	if (item->length < KEY_BYTES) {
		memcpy(key, item->text, item->length);
		key[item->length] = '\0';
	}
}

static bool
is_in(const struct reading *reading, const char *key, enum yaml_walk_kind value)
{
	return reading->value == value && strcmp(reading->key, key) == 0;
}

/* An array of count items with room for one more; NULL without memory. It grows in steps: a count
 * that is no multiple of them still has room. */
static void *
with_room(void *items, size_t count, size_t size)
{
	return count % 8 == 0 ? realloc(items, (count + 8) * size) : items;
}

static int
add_parent(struct message *m, const struct yaml_walk_item *item)
{
	char *id = NULL, **grown;
	int error = yaml_walk_set_text(&id, item);

	if (error || !id || m->parents_count == MESSAGE_ITEMS) {
		free(id);
		return error;
	}
	grown = with_room(m->parents, m->parents_count, sizeof(*grown));
	if (!grown) {
		free(id);
		return -ENOMEM;
	}
	m->parents = grown;
	m->parents[m->parents_count++] = id;
	return 0;
}

static int
add_link(struct reading *reading)
{
	struct message *m = &reading->message;
	struct message_link *grown;

	reading->link = NULL;
	if (m->links_count == MESSAGE_ITEMS)
		return 0;
	grown = with_room(m->links, m->links_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	m->links = grown;
	reading->link = &m->links[m->links_count++];
	*reading->link = (struct message_link){ 0 };
	return 0;
}

/* A key that comes twice is one: the last value is it. */
static int
add_meta(struct reading *reading, const struct yaml_walk_item *key)
{
	struct message *m = &reading->message;
	struct message_meta *grown, added = { 0 };
	int error = yaml_walk_set_text(&added.key, key);

	reading->meta = NULL;
	if (error || !added.key)
		return error;
	for (size_t i = 0; i < m->meta_count && !reading->meta; i++)
		if (strcmp(m->meta[i].key, added.key) == 0)
			reading->meta = &m->meta[i];
	if (reading->meta || m->meta_count == MESSAGE_ITEMS) {
		free(added.key);
		return 0;
	}
	grown = with_room(m->meta, m->meta_count, sizeof(*grown));
	if (!grown) {
		free(added.key);
		return -ENOMEM;
	}
	m->meta = grown;
	reading->meta = &m->meta[m->meta_count++];
	*reading->meta = added;
	return 0;
}

/* A key's value in the outermost mapping. */
static int
take_text(struct reading *reading, const struct yaml_walk_item *item)
{
	for (size_t i = 0; i < sizeof(text_keys) / sizeof(text_keys[0]); i++) {
		struct message *m = &reading->message;

		if (strcmp(text_keys[i].name, reading->key) != 0)
			continue;
		/* Where a writer was cut off within a line, the rule of the next entry hangs on that,
		 * and its keys follow here: it is theirs. */
		if (text_keys[i].offset == offsetof(struct message, msg_id) && m->msg_id)
			message_fini(m);
		return yaml_walk_set_text((char **)(void *)((char *)m + text_keys[i].offset), item);
	}
	return 0;
}

/* What stands directly in a list or mapping of ours. */
static int
take_inner(struct reading *reading, const struct yaml_walk_item *item)
{
	reading->inner_key[0] = '\0';
	if (item->kind == YAML_WALK_SCALAR && is_in(reading, "parents", YAML_WALK_SEQUENCE))
		return add_parent(&reading->message, item);
	if (item->kind == YAML_WALK_MAPPING && is_in(reading, "links", YAML_WALK_SEQUENCE))
		return add_link(reading);
	if (item->kind == YAML_WALK_KEY && is_in(reading, "meta", YAML_WALK_MAPPING))
		return add_meta(reading, item);
	if (item->kind == YAML_WALK_SCALAR && reading->meta)
		return yaml_walk_set_text(&reading->meta->value, item);
	return 0;
}

/* What stands in a mapping in a list of ours. */
static int
take_innermost(struct reading *reading, const struct yaml_walk_item *item)
{
	struct message_link *link = reading->link;

	if (item->kind == YAML_WALK_KEY)
		keep_key(reading->inner_key, item);
	if (item->kind != YAML_WALK_SCALAR)
		return 0;
	if (is_in(reading, "parents", YAML_WALK_SEQUENCE))
		return strcmp(reading->inner_key, "msg_id") == 0 ? add_parent(&reading->message, item) : 0;
	if (link && strcmp(reading->inner_key, "url") == 0)
		return yaml_walk_set_text(&link->url, item);
	if (link && strcmp(reading->inner_key, "label") == 0)
		return yaml_walk_set_text(&link->label, item);
	if (link && strcmp(reading->inner_key, "kind") == 0)
		return yaml_walk_set_text(&link->kind, item);
	return 0;
}

static int
take_item(void *arg, const struct yaml_walk_item *item)
{
	struct reading *reading = arg;

	switch (item->depth) {
	case 1:
		reading->link = NULL;
		reading->meta = NULL;
		if (item->kind == YAML_WALK_KEY)
			keep_key(reading->key, item);
		else
			reading->value = item->kind;
		return item->kind == YAML_WALK_SCALAR ? take_text(reading, item) : 0;
	case 2:
		return take_inner(reading, item);
	case 3:
		return take_innermost(reading, item);
	default:
		return 0;
	}
}

static bool
is_id(const char *text)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t length = strlen(text);

	if (length > MESSAGE_ID_BYTES || !utf8_valid(bytes, length))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] < 0x20 || bytes[i] == 0x7f)
			return false;
		/* U+0080 to U+009F are C2 80 to C2 9F. */
		if (bytes[i] == 0xc2 && bytes[i + 1] < 0xa0)
			return false;
	}
	return true;
}

static int
parse_head(const uint8_t *head, size_t length, struct message *ret_message)
{
	struct reading reading = { 0 };
	int error = yaml_walk((const char *)head, length, MESSAGE_DEPTH, take_item, &reading);

	if (!error && (!reading.message.msg_id || !is_id(reading.message.msg_id)))
		error = -EBADMSG;
	if (error) {
		message_fini(&reading.message);
		return error;
	}
	*ret_message = reading.message;
	return 0;
}

/* --- text --------------------------------------------------------------------------------------- */

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Keeps the text without the blank lines around it, and without the end of its last line. */
static void
take_content(struct message *message, const uint8_t *text, size_t length)
{
	const uint8_t *begin = text, *end = text + length, *at;

	for (at = begin; at < end && (is_blank(*at) || *at == '\n'); at++)
		if (*at == '\n')
			begin = at + 1;
	if (at == end)
		begin = end;
	for (at = end; at > begin && (is_blank(at[-1]) || at[-1] == '\n'); at--)
		if (at[-1] == '\n')
			end = at - 1;
	if (end > begin && end < text + length && end[-1] == '\r')
		end--;
	message->content = begin;
	message->content_bytes = (size_t)(end - begin);
}

/* --- old entries -------------------------------------------------------------------------------- */

static bool
is_of_type(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '/';
}

/* The length of a TYPE that text begins with, or 0: it begins with none. */
static size_t
type_bytes(const uint8_t *text, size_t length)
{
	size_t n = 0;

	while (n < length && is_of_type(text[n]))
		n++;
	if (n == length || text[n] != ':')
		return 0;
	/* "https://…" is no type. */
	return n + 1 == length || is_blank(text[n + 1]) || text[n + 1] == '\n' ? n : 0;
}

size_t
message_legacy_id(uint64_t line, char ret_id[static MESSAGE_LEGACY_ID_BYTES])
{
	static const char prefix[] = "LEGACY-LINE-000000000";
	char digits[NUM_U64_BYTES];
	size_t count = num_format_u64(line, digits);
	size_t at = count < 9 ? sizeof(prefix) - 1 - count : sizeof(prefix) - 1 - 9;

	memcpy(ret_id, prefix, sizeof(prefix) - 1);
	memcpy(ret_id + at, digits, count);
	return at + count;
}

static int
parse_legacy(const uint8_t *text, size_t length, uint64_t line, struct message *ret_message)
{
	char id[MESSAGE_LEGACY_ID_BYTES];
	const char *stamp = (const char *)text;
	struct message m = { 0 };
	size_t at = STAMP_BYTES, type;

	while (at < length && is_blank(text[at]))
		at++;
	type = type_bytes(text + at, length - at);
	m.msg_id = strndup(id, message_legacy_id(line, id));
	m.type = type > 0 ? strndup((const char *)text + at, type) : strdup("INFO");
	if (asprintf(&m.timestamp, "%.10sT%.8sZ", stamp + 1, stamp + 12) < 0)
		m.timestamp = NULL;
	if (!m.msg_id || !m.type || !m.timestamp) {
		message_fini(&m);
		return -ENOMEM;
	}
	if (type > 0)
		at += type + 1;
	while (at < length && is_blank(text[at]))
		at++;
	take_content(&m, text + at, length - at);
	*ret_message = m;
	return 0;
}

int
message_parse(const uint8_t *bytes, const struct message_cut *cut, uint64_t lines_before,
              struct message *ret_message)
{
	int error;

	if (cut->is_legacy)
		return parse_legacy(bytes + cut->body_at, cut->body_bytes, lines_before + 1, ret_message);
	error = parse_head(bytes + cut->head_at, cut->head_bytes, ret_message);
	if (!error)
		take_content(ret_message, bytes + cut->body_at, cut->body_bytes);
	return error;
}

/* --- event -------------------------------------------------------------------------------------- */

/* "key":"text" behind a separator, unless there is none. */
static void
put_member(struct buf *to, const char *separator, const char *key, const char *text)
{
	if (!text)
		return;
	buf_puts(to, separator);
	buf_putc(to, '"');
	buf_puts(to, key);
	buf_puts(to, "\":");
	json_put_string(to, text, strlen(text));
}

static void
put_link(struct buf *to, const struct message_link *link)
{
	buf_putc(to, '{');
	put_member(to, "", "url", link->url);
	put_member(to, link->url ? "," : "", "label", link->label);
	put_member(to, link->url || link->label ? "," : "", "kind", link->kind);
	buf_putc(to, '}');
}

static void
put_lists(struct buf *to, const struct message *message)
{
	const char *separator = ",\"parents\":[";

	for (size_t i = 0; i < message->parents_count; i++, separator = ",") {
		buf_puts(to, separator);
		json_put_string(to, message->parents[i], strlen(message->parents[i]));
	}
	if (message->parents_count > 0)
		buf_putc(to, ']');
	separator = ",\"links\":[";
	for (size_t i = 0; i < message->links_count; i++, separator = ",") {
		buf_puts(to, separator);
		put_link(to, &message->links[i]);
	}
	if (message->links_count > 0)
		buf_putc(to, ']');
}

static void
put_meta(struct buf *to, const struct message *message)
{
	const char *separator = ",\"meta\":{";
	bool has_any = false;

	for (size_t i = 0; i < message->meta_count; i++) {
		const struct message_meta *meta = &message->meta[i];

		if (!meta->value)
			continue;
		buf_puts(to, separator);
		json_put_string(to, meta->key, strlen(meta->key));
		buf_putc(to, ':');
		json_put_string(to, meta->value, strlen(meta->value));
		separator = ",";
		has_any = true;
	}
	if (has_any)
		buf_putc(to, '}');
}

void
message_put_event(struct buf *to, const struct event_id *id, const struct message *message)
{
	const char *content = (const char *)message->content;
	bool lossy;

	event_begin(to, id, "message");
	put_member(to, "{", "msg_id", message->msg_id);
	buf_puts(to, ",\"content\":");
	lossy = json_put_string(to, content, message->content_bytes);
	buf_puts(to, ",\"body\":");
	json_put_string(to, content, message->content_bytes);
	put_member(to, ",", "timestamp", message->timestamp);
	put_member(to, ",", "type", message->type);
	put_member(to, ",", "project_id", message->project_id);
	put_member(to, ",", "task_id", message->task_id);
	put_member(to, ",", "run_id", message->run_id);
	put_member(to, ",", "issue_id", message->issue_id);
	put_lists(to, message);
	put_meta(to, message);
	if (lossy)
		buf_puts(to, ",\"lossy\":true");
	buf_putc(to, '}');
	event_end(to);
}
