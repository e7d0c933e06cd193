// The keyed count as a bare loop: what this machine can do when nothing is asked for but counting.
//
//     bare-loop RECORDS KEYS
//
// Two source threads, a shuffle through single-producer single-consumer rings of 1,024 records, two counting threads with open-addressing tables
// that have their final size from the start. No checkpoints, no interface, no other types: the reference for `weir-bench keyed-count`.

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 1024, SLOTS = 64, SIDES = 2 };

typedef struct {
    uint64_t count; // END: nothing follows
    uint64_t keys[BATCH];
} Batch;

typedef struct {
    _Alignas(64) _Atomic uint64_t head;
    _Alignas(64) _Atomic uint64_t tail;
    Batch slots[SLOTS];
} Ring;

typedef struct {
    uint64_t key; // plus one; 0 = vacant
    uint64_t count;
} Entry;

static const uint64_t END = ~0ULL;
static Ring *rings[SIDES][SIDES];
static uint64_t records, keys;

static inline uint64_t mix(uint64_t x) {
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    return x ^ x >> 32;
}

static Batch *open_slot(Ring *ring) {
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    while (tail - atomic_load_explicit(&ring->head, memory_order_acquire) >= SLOTS) sched_yield();
    Batch *batch = &ring->slots[tail % SLOTS];
    batch->count = 0;
    return batch;
}

static void publish(Ring *ring) {
    atomic_store_explicit(&ring->tail, atomic_load_explicit(&ring->tail, memory_order_relaxed) + 1, memory_order_release);
}

static void *produce(void *argument) {
    long side = (long)argument;
    Batch *open[SIDES];
    for (int to = 0; to < SIDES; to++) open[to] = open_slot(rings[side][to]);
    for (uint64_t i = side; i < records; i += SIDES) {
        uint64_t key = ((i * 0x9E3779B97F4A7C15ULL) >> 1) % keys;
        int to = mix(key) >> 63;
        Batch *batch = open[to];
        batch->keys[batch->count++] = key;
        if (batch->count == BATCH) {
            publish(rings[side][to]);
            open[to] = open_slot(rings[side][to]);
        }
    }
    for (int to = 0; to < SIDES; to++) {
        publish(rings[side][to]);
        open_slot(rings[side][to])->count = END;
        publish(rings[side][to]);
    }
    return NULL;
}

static void count_batch(Entry *table, uint64_t mask, const Batch *batch) {
    for (uint64_t i = 0; i < batch->count; i++) {
        uint64_t key = batch->keys[i] + 1;
        uint64_t place = mix(batch->keys[i]) & mask;
        while (table[place].key != key && table[place].key) place = (place + 1) & mask;
        table[place].key = key;
        table[place].count++;
    }
}

static void *count(void *argument) {
    long side = (long)argument;
    uint64_t capacity = 1, ended = 0, total = 0;
    while (capacity < keys) capacity <<= 1;
    Entry *table = calloc(capacity, sizeof(Entry));
    while (ended < SIDES) {
        for (int from = 0; from < SIDES; from++) {
            Ring *ring = rings[from][side];
            uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
            if (atomic_load_explicit(&ring->tail, memory_order_acquire) == head) {
                sched_yield();
                continue;
            }
            Batch *batch = &ring->slots[head % SLOTS];
            if (batch->count == END) {
                ended++;
            } else {
                count_batch(table, capacity - 1, batch);
                total += batch->count;
            }
            atomic_store_explicit(&ring->head, head + 1, memory_order_release);
        }
    }
    return (void *)total;
}

int main(int argc, char **argv) {
    if (argc != 3 || !(records = strtoull(argv[1], 0, 10)) || !(keys = strtoull(argv[2], 0, 10))) {
        fprintf(stderr, "usage: bare-loop RECORDS KEYS\n");
        return 2;
    }
    for (int from = 0; from < SIDES; from++)
        for (int to = 0; to < SIDES; to++) {
            rings[from][to] = aligned_alloc(64, sizeof(Ring));
            memset(rings[from][to], 0, sizeof(Ring));
        }
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    pthread_t producers[SIDES], counters[SIDES];
    for (long side = 0; side < SIDES; side++) {
        pthread_create(&counters[side], 0, count, (void *)side);
        pthread_create(&producers[side], 0, produce, (void *)side);
    }
    uint64_t total = 0;
    for (int side = 0; side < SIDES; side++) {
        void *counted;
        pthread_join(counters[side], &counted);
        total += (uint64_t)counted;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) / 1e9;
    if (total != records) {
        fprintf(stderr, "bare-loop: counted %lu of %lu\n", total, records);
        return 1;
    }
    printf("records %lu keys %lu elapsed_s %.2f records_per_s %.0f\n", total, keys, seconds, total / seconds);
    return 0;
}
