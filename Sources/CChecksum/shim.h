/*
 * The processor's CRC32C instruction, which Swift has no name for. No logic lives here but the loop around it.
 */
#ifndef WEIR_CCHECKSUM_SHIM_H
#define WEIR_CCHECKSUM_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

/* Whether this processor has the instruction; nearly all since 2008 do. */
static inline int crc32c_instruction_exists(void) { return __builtin_cpu_supports("sse4.2"); }

/* The state after `count` more bytes. Only where the instruction exists. */
__attribute__((target("sse4.2"))) static inline uint32_t crc32c_with_instruction(uint32_t state, const void *bytes, size_t count) {
    const unsigned char *cursor = (const unsigned char *)bytes;
    uint64_t crc = state;
    for (; count >= 8; count -= 8, cursor += 8) {
        uint64_t word;
        memcpy(&word, cursor, 8);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    uint32_t rest = (uint32_t)crc;
    for (; count > 0; count--, cursor++) rest = __builtin_ia32_crc32qi(rest, *cursor);
    return rest;
}

#else

static inline int crc32c_instruction_exists(void) { return 0; }
static inline uint32_t crc32c_with_instruction(uint32_t state, const void *bytes, size_t count) {
    (void)bytes;
    (void)count;
    return state;
}

#endif
#endif
