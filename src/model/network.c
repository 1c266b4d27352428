#include "model/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/num.h"
#include "model/word_list.h"

struct network {
	uint8_t address[16]; /* of IPv4 the first four */
	unsigned address_bits; /* 32 or 128 */
	unsigned bits;         /* of the address, that count */
};

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* An IPv4 address in an IPv6 one becomes what it is, if no more than that is meant. */
static void
unmap(struct network *n)
{
	if (n->address_bits != 128 || n->bits < 96 || memcmp(n->address, mapped, sizeof(mapped)) != 0)
		return;
	memmove(n->address, n->address + sizeof(mapped), 4);
	n->address_bits = 32;
	n->bits -= 96;
}

static int
parse_address(const char *text, size_t length, struct network *ret_network)
{
	char copy[INET6_ADDRSTRLEN];

	if (length >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	*ret_network = (struct network){ .address_bits = 32 };
	if (inet_pton(AF_INET, copy, ret_network->address) != 1) {
		if (inet_pton(AF_INET6, copy, ret_network->address) != 1)
			return -EINVAL;
		ret_network->address_bits = 128;
	}
	ret_network->bits = ret_network->address_bits;
	return 0;
}

static bool
has_bits_behind(const struct network *n)
{
	for (unsigned bit = n->bits; bit < n->address_bits; bit++)
		if (n->address[bit / 8] & 0x80 >> bit % 8)
			return true;
	return false;
}

static int
parse(const char *text, size_t length, struct network *ret_network)
{
	const char *slash = memchr(text, '/', length);
	uint64_t bits;

	if (parse_address(text, slash ? (size_t)(slash - text) : length, ret_network) < 0)
		return -EINVAL;
	if (slash) {
		if (num_parse_u64(slash + 1, length - (size_t)(slash + 1 - text), &bits) < 0 ||
		    bits > ret_network->address_bits)
			return -EINVAL;
		ret_network->bits = (unsigned)bits;
		if (has_bits_behind(ret_network))
			return -EINVAL;
	}
	unmap(ret_network);
	return 0;
}

static bool
contains(const struct network *n, const struct network *address)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (n->address_bits != address->address_bits ||
	    memcmp(n->address, address->address, whole) != 0)
		return false;
	return rest == 0 || (n->address[whole] ^ address->address[whole]) >> (8 - rest) == 0;
}

bool
network_valid(const char *text, size_t length)
{
	struct network network;

	return parse(text, length, &network) == 0;
}

bool
network_list_has(const char *list, const char *text)
{
	struct network address, network;
	const char *word;
	size_t length;

	if (parse_address(text, strlen(text), &address) < 0)
		return false;
	unmap(&address);
	while (word_list_next(&list, &word, &length))
		if (parse(word, length, &network) == 0 && contains(&network, &address))
			return true;
	return false;
}
