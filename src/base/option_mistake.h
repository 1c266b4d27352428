/* What is wrong with an option that getopt_long(3) refused: the same words in every command. */
#ifndef BASE_OPTION_MISTAKE_H
#define BASE_OPTION_MISTAKE_H

#include <getopt.h>

enum { OPTION_MISTAKE_BYTES = 256 };

/*
 * To be called right after getopt_long() returned ':' or '?' (opterr being 0, and the letters
 * beginning with ':', behind a '+' maybe), with what it returned. Writes a sentence that names the
 * option as it was given, and the nearest of options where one is near.
 */
void option_mistake(int returned, char *const argv[], const struct option *options,
                    char ret_sentence[static OPTION_MISTAKE_BYTES]);

#endif
