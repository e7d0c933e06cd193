/*
 * Timers of the kernel that are waited for as files. Swift's module of the C library leaves <sys/timerfd.h> out, and to include it here would make
 * this module the owner of the C library's times. No logic lives here.
 */
#ifndef WEIR_CTIMER_SHIM_H
#define WEIR_CTIMER_SHIM_H

/* `struct itimerspec`. */
struct timer_setting {
    long interval_seconds, interval_nanoseconds;
    long seconds, nanoseconds;
};

extern int timerfd_create(int clock, int flags);
extern int timerfd_settime(int timer, int flags, const void *setting, void *former);

/* Sets a timer to so long from now; 0 = never. What it had counted is forgotten. */
static inline int timer_set(int timer, long nanoseconds) {
    struct timer_setting setting = {0, 0, nanoseconds / 1000000000, nanoseconds % 1000000000};
    return timerfd_settime(timer, 0, &setting, (void *)0);
}

#endif
