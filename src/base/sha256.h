// SHA-256 (FIPS 180-4), for records that must show whether a byte of them has changed.
#pragma once

#include <stdint.h>

#include "base/str.h"

enum { SHA256_BYTES = 32, SHA256_HEX = 64 };

// A hash in the making; sha256_init before use. One owner at a time.
typedef struct Sha256 {
    uint32_t state[8];
    uint64_t n_bytes;
    unsigned char block[64];
} Sha256;

void sha256_init(Sha256 *hash);
void sha256_add(Sha256 *hash, Str bytes);
// The hash of all that was added, as lower-case hexadecimal digits and a NUL. Ends it.
void sha256_hex(Sha256 *hash, char hex[SHA256_HEX + 1]);
// The three at once.
void sha256_of(Str bytes, char hex[SHA256_HEX + 1]);
