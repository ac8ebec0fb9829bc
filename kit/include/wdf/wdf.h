/*
 * The part of the Kernel-Mode Driver Framework 1.33 that the drivers here, wdk-sys and wdk use.
 *
 * Layouts, indices and prototypes are facts of the framework's public interface
 * (https://github.com/microsoft/Windows-Driver-Frameworks); names and nesting are the published ones,
 * because the names that bindgen makes follow from them. Every structure asserts its layout.
 */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "wdftypes.h"
#include "wdffuncenum.h"
#include "wdfglobals.h"
#include "wdfobject.h"
#include "wdfdriver.h"
#include "wdfsync.h"
#include "wdftimer.h"

#ifdef __cplusplus
}
#endif
