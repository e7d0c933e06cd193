/*
 * The wide-character interface of ncurses, and the few of its macros that a Swift importer cannot see.
 * No logic lives here: each function below is one macro or one variadic call.
 */
#ifndef WEIR_CNCURSES_SHIM_H
#define WEIR_CNCURSES_SHIM_H

#ifndef _XOPEN_SOURCE_EXTENDED
#define _XOPEN_SOURCE_EXTENDED 1
#endif
#ifndef NCURSES_WIDECHAR
#define NCURSES_WIDECHAR 1
#endif

#include <stddef.h>
#include <wchar.h>
#include <ncurses.h>

static inline attr_t curses_attribute_bold(void) { return A_BOLD; }
static inline attr_t curses_attribute_dim(void) { return A_DIM; }
static inline attr_t curses_attribute_italic(void) { return A_ITALIC; }
static inline attr_t curses_attribute_underline(void) { return A_UNDERLINE; }
static inline attr_t curses_attribute_reverse(void) { return A_REVERSE; }

/* One screen cell. `pair` may be above 255, which only the last argument of setcchar carries. */
static inline int curses_set_cell(cchar_t *cell, const wchar_t *text, attr_t attributes, int pair) {
    return setcchar(cell, text, attributes, 0, &pair);
}

/* Columns that the C library gives a character; -1 for one that cannot be printed. <wchar.h> hides it without X/Open. */
extern int wcwidth(wchar_t character);
static inline int curses_column_count(wchar_t character) { return wcwidth(character); }

/* The kinds of mouse event that the console can use; the wheel is buttons 4 and 5. */
static inline mmask_t curses_mouse_press(void) { return BUTTON1_PRESSED; }
static inline mmask_t curses_mouse_wheel_up(void) { return BUTTON4_PRESSED; }
static inline mmask_t curses_mouse_wheel_down(void) { return BUTTON5_PRESSED; }

/* tigetstr answers -1 or 0 as pointers for "not a string" and "absent"; both become NULL here. */
static inline const char *curses_capability(const char *name) {
    char *value = tigetstr((char *)name);
    return value == (char *)-1 ? NULL : value;
}

/* Loads the terminfo entry of a name. <term.h>, which declares it, defines hundreds of short macros. */
extern int setupterm(const char *name, int descriptor, int *result);

#endif
