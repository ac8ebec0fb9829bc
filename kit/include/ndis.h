/*
 * NDIS 6 for miniport drivers in C, as far as an Ethernet miniport of NDIS 6.0 to 6.50 needs it: mingw-w64's header of this name
 * has NDIS 5.
 *
 * Layouts, values, names and prototypes are facts of the published interface
 * (https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis); every structure asserts its size. Structures are those of NDIS
 * 6.50 and later; a driver of an earlier version gives the size and the revision of its own in their heads.
 */
#pragma once

#include <ntddk.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NDIS_LAYOUT_SIZE(Type, Size) _Static_assert(sizeof(Type) == (Size), #Type)

#include "ndis/version.h"
#include "ndis/constants.h"
#include "ndis/link.h"
#include "ndis/offload.h"
#include "ndis/capabilities.h"
#include "ndis/configuration.h"
#include "ndis/netbuffer.h"
#include "ndis/miniport.h"
#include "ndis/oids.h"
#include "ndis/statuses.h"
#include "ndis/ethernet.h"
#include "ndis/legacy.h"
#include "ndis/locks.h"
#include "ndis/accessors.h"

#ifdef __cplusplus
}
#endif
