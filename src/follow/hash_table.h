/*
 * uthash, with a faster hash than its own: block keys are looked up for each client and block.
 * Where it finds no memory it ends the process, as is its way: a worker is started anew, and its
 * clients resume by id.
 */
#ifndef FOLLOW_HASH_TABLE_H
#define FOLLOW_HASH_TABLE_H

#include <xxhash.h>

#define HASH_FUNCTION(key, length, hash) ((hash) = (unsigned)XXH3_64bits(key, length))
#include <uthash.h>

#endif
