/*
 * The part of zlib that reads gzip files. No logic lives here: the function below is a macro that a Swift importer cannot see.
 */
#ifndef WEIR_CZLIB_SHIM_H
#define WEIR_CZLIB_SHIM_H

#include <zlib.h>

/* 15 bits of window, and 16 for a gzip header and trailer, which are checked. */
static inline int zlib_begin_gunzip(z_stream *stream) { return inflateInit2(stream, 15 + 16); }

#endif
