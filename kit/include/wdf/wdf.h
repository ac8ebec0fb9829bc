/*
 * The Kernel-Mode Driver Framework, 1.31 and 1.33: every function of its table, with the types that they take.
 *
 * Layouts, indices, names and prototypes are facts of the framework's public interface
 * (https://github.com/microsoft/Windows-Driver-Frameworks, src/publicinc/wdf/kmdf); names and nesting are the
 * published ones, because the names that bindgen makes follow from them. Every structure asserts its layout.
 * A C driver calls the functions by their names, through macros; wdfinit.h has the initialisers that it needs.
 */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if KMDF_VERSION_MAJOR == 1 && KMDF_VERSION_MINOR == 33
#define WdfFunctions WdfFunctions_01033
#elif KMDF_VERSION_MAJOR == 1 && KMDF_VERSION_MINOR == 31
#define WdfFunctions WdfFunctions_01031
#else
#error "the kit has the tables of KMDF 1.31 and 1.33 only"
#endif

#define WDF_LAYOUT_SIZE(Type, Size) _Static_assert(sizeof(Type) == (Size), #Type)
#define WDF_LAYOUT_FIELD(Type, Field, Offset) \
    _Static_assert(offsetof(Type, Field) == (Offset), #Type "." #Field)

/* A function of the table, called with the driver's globals before the arguments. */
#define WDF_CALL(Name, NAME, ...) \
    (((PFN_##NAME)WdfFunctions[Name##TableIndex])(WdfDriverGlobals, ##__VA_ARGS__))

typedef VOID (*WDFFUNC)(VOID);

/* Variables of the entry stub, which fills them when it binds. */
extern const WDFFUNC *WdfFunctions;
extern WDFFUNC WdfDriverMiniportUnloadOverride;

#include "wdftypes.h"
#include "wdfglobals.h"
#include "wdffuncenum.h"
#include "wdfstatus.h"
#include "wdfverifier.h"
#include "wdfobject.h"
#include "wdfsync.h"
#include "wdfcore.h"
#include "wdfdriver.h"
#include "wdfqueryinterface.h"
#include "wdfmemory.h"
#include "wdfchildlist.h"
#include "wdffileobject.h"
#include "wdfdevicestate.h"
#include "wdfdevicetypes.h"
#include "wdfdevice.h"
#include "wdfdeviceinit.h"
#include "wdfcollection.h"
#include "wdfdpc.h"
#include "wdftimer.h"
#include "wdfworkitem.h"
#include "wdfinterrupt.h"
#include "wdfresource.h"
#include "wdfrequest.h"
#include "wdfiotarget.h"
#include "wdfio.h"
#include "wdffdo.h"
#include "wdfpdo.h"
#include "wdfcontrol.h"
#include "wdfwmi.h"
#include "wdfstring.h"
#include "wdfregistry.h"
#include "wdfdmaenabler.h"
#include "wdfdmatransaction.h"
#include "wdfcommonbuffer.h"
#include "wdfbugcodes.h"
#include "wdfroletypes.h"
#include "wdfcompaniontarget.h"
#include "wdfinit.h"

#ifdef __cplusplus
}
#endif
