//! The table of the framework's functions.

use core::mem::transmute;

use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::number::ToU64;
use ntsim_core::sched::hooks;
use sys::wdf::{WDF_FUNCTION_COUNT_1_33, WDFFUNC, index};

use super::{device, dpc, driver, lock, memory, names, object_exports, timer, work_item};

/// A function of the table, before its own type is known.
type Function = unsafe extern "efiapi" fn();

/// Entries of the table.
pub(super) const COUNT: usize = WDF_FUNCTION_COUNT_1_33 as usize;

/// In every slot that holds nothing better: says which function the driver wanted, and stops.
unsafe extern "efiapi" fn missing<const INDEX: usize>() {
    let name = names::name(INDEX);
    let bugcheck = Bugcheck { code: 0x10D, parameters: [0, INDEX.to_u64(), 0, 0] };
    hooks::stop(bugcheck, &format!("the driver called {name} ({INDEX}), which the simulator does not have"));
}

macro_rules! ten {
    ($tens:expr) => {
        [
            Some(missing::<{ $tens * 10 }> as _),
            Some(missing::<{ $tens * 10 + 1 }> as _),
            Some(missing::<{ $tens * 10 + 2 }> as _),
            Some(missing::<{ $tens * 10 + 3 }> as _),
            Some(missing::<{ $tens * 10 + 4 }> as _),
            Some(missing::<{ $tens * 10 + 5 }> as _),
            Some(missing::<{ $tens * 10 + 6 }> as _),
            Some(missing::<{ $tens * 10 + 7 }> as _),
            Some(missing::<{ $tens * 10 + 8 }> as _),
            Some(missing::<{ $tens * 10 + 9 }> as _),
        ]
    };
}

macro_rules! hundred {
    ($hundreds:expr) => {
        [
            ten!($hundreds * 10),
            ten!($hundreds * 10 + 1),
            ten!($hundreds * 10 + 2),
            ten!($hundreds * 10 + 3),
            ten!($hundreds * 10 + 4),
            ten!($hundreds * 10 + 5),
            ten!($hundreds * 10 + 6),
            ten!($hundreds * 10 + 7),
            ten!($hundreds * 10 + 8),
            ten!($hundreds * 10 + 9),
        ]
    };
}

/// One function per index, which knows its index.
const MISSING: [[[WDFFUNC; 10]; 10]; 5] = [hundred!(0), hundred!(1), hundred!(2), hundred!(3), hundred!(4)];

macro_rules! fill {
    ($table:ident: $( $module:ident: $($name:ident)* ; )*) => {
        $($(
            // SAFETY: the framework's table has one type for all functions, which callers change back to
            // each function's own; the function was checked against that one where it is declared.
            $table[index::$name] = Some(unsafe { transmute::<*const (), Function>($module::$name as *const ()) });
        )*)*
    };
}

/// The table as the framework fills it.
pub(super) fn filled() -> Box<[WDFFUNC; COUNT]> {
    let all = MISSING.as_flattened().as_flattened();
    let mut table: Box<[WDFFUNC; COUNT]> = Box::new([None; COUNT]);
    table.copy_from_slice(&all[..COUNT]);
    fill! { table:
        driver: WdfDriverCreate WdfDriverGetRegistryPath WdfDriverWdmGetDriverObject WdfDriverMiniportUnload;
        device: WdfDeviceMiniportCreate WdfDeviceWdmGetDeviceObject WdfDeviceWdmGetAttachedDevice
            WdfDeviceWdmGetPhysicalDevice WdfDeviceGetDriver;
        object_exports: WdfObjectGetTypedContextWorker WdfObjectAllocateContext WdfObjectContextGetObject
            WdfObjectReferenceActual WdfObjectDereferenceActual WdfObjectCreate WdfObjectDelete;
        memory: WdfMemoryCreate WdfMemoryGetBuffer;
        lock: WdfSpinLockCreate WdfSpinLockAcquire WdfSpinLockRelease WdfWaitLockCreate WdfWaitLockAcquire
            WdfWaitLockRelease;
        dpc: WdfDpcCreate WdfDpcEnqueue WdfDpcCancel WdfDpcGetParentObject WdfDpcWdmGetDpc;
        timer: WdfTimerCreate WdfTimerStart WdfTimerStop WdfTimerGetParentObject;
        work_item: WdfWorkItemCreate WdfWorkItemEnqueue WdfWorkItemGetParentObject WdfWorkItemFlush;
    }
    table
}
