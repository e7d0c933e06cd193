/*
 * The processor's prefetch instruction, which Swift has no name for. No logic lives here.
 */
#ifndef WEIR_CPREFETCH_SHIM_H
#define WEIR_CPREFETCH_SHIM_H

/* Begins to fetch the cache line at `place`, which will be written soon. Never faults, whatever the address. */
static inline void prefetch_for_writing(const void *place) { __builtin_prefetch(place, 1, 3); }

#endif
