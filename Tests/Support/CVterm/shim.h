/*
 * libvterm, the terminal emulator that the tests compare their own with. No logic lives here.
 */
#ifndef WEIR_CVTERM_SHIM_H
#define WEIR_CVTERM_SHIM_H

#include <vterm.h>

#endif
