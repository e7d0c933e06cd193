// Preloaded into a program, sets its wall clock: the file that SET_CLOCK_FILE names holds how many milliseconds it is ahead, as eight bytes that can be
// written while the program runs. All other clocks are the machine's. Who waits for a moment of the wall clock waits until this one shows it, as
// with a clock that was really set.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead;
static int (*real_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("SET_CLOCK_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *map = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (map != MAP_FAILED) ahead = map;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!real_gettime) real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int failure = real_gettime(clock, time);
    if (failure || !ahead || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return failure;
    int64_t nanoseconds = time->tv_nsec + *ahead % 1000 * 1000000;
    time->tv_sec += *ahead / 1000;
    if (nanoseconds < 0) nanoseconds += 1000000000, time->tv_sec -= 1;
    if (nanoseconds >= 1000000000) nanoseconds -= 1000000000, time->tv_sec += 1;
    time->tv_nsec = nanoseconds;
    return 0;
}

int gettimeofday(struct timeval *restrict value, void *restrict zone) {
    struct timespec time;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &time)) return -1;
    *value = (struct timeval){time.tv_sec, time.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *place) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    if (place) *place = now.tv_sec;
    return now.tv_sec;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict end) {
    for (;;) {
        if (!sem_trywait(semaphore)) return 0;
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        if (now.tv_sec > end->tv_sec || (now.tv_sec == end->tv_sec && now.tv_nsec >= end->tv_nsec)) return errno = ETIMEDOUT, -1;
        struct timespec gap = {0, 5000000};
        nanosleep(&gap, NULL);
    }
}
