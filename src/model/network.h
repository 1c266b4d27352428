/*
 * Networks, as a setting names them: an address ("127.0.0.1", "::1"), or one with a number of bits
 * ("10.0.0.0/8", "fd00::/8"; CIDR, RFC 4632 and RFC 4291, 2.3). Bits behind the number must be zero:
 * who wrote 10.1.0.0/8 did not mean 10.0.0.0/8.
 */
#ifndef MODEL_NETWORK_H
#define MODEL_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

/* Whether it is one. */
bool network_valid(const char *text, size_t length);

/*
 * Whether an address is in one of the networks of the list (word_list.h), of which each is valid. An
 * IPv4 address that came as an IPv6 one (::ffff:10.0.0.1; RFC 4291, 2.5.5.2) is taken for what it
 * is, in the list as well. What is no address ("unix:") is in none.
 */
bool network_list_has(const char *list, const char *address);

#endif
