//! The table of the framework's functions.

use core::mem::transmute;

use ntsim_core::loader;
use sys::wdf::{WDF_FUNCTION_COUNT_1_33, WDFFUNC, index};

use super::{
    create, device, dpc, driver, file, init, lock, memory, names, names_of_device, object_exports,
    queue_exports, request_buffers, request_exports, string, timer, work_item,
};

/// A function of the table, before its own type is known.
type Function = unsafe extern "efiapi" fn();

/// Entries of the table.
pub(super) const COUNT: usize = WDF_FUNCTION_COUNT_1_33 as usize;

macro_rules! fill {
    ($table:ident: $( $module:ident: $($name:ident)* ; )*) => {
        $($(
            // SAFETY: the framework's table has one type for all functions, which callers change back to
            // each function's own; the function was checked against that one where it is declared.
            $table[index::$name] = Some(unsafe { transmute::<*const (), Function>($module::$name as *const ()) });
        )*)*
    };
}

/// The table as the framework fills it. What is not here is at an address that stops the machine, by its name.
pub(super) fn filled() -> Box<[WDFFUNC; COUNT]> {
    let names = (0..COUNT).map(|index| format!("{} ({index})", names::name(index))).collect();
    let absent = loader::absent(names).expect("the host has room for a table of functions");
    let mut table: Box<[WDFFUNC; COUNT]> = Box::new([None; COUNT]);
    for (slot, address) in table.iter_mut().zip(absent) {
        // SAFETY: a function of this type may stop the machine when it is called, which is all that the address does.
        *slot = Some(unsafe { transmute::<*const (), Function>(address.ptr::<()>().cast_const()) });
    }
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
        create: WdfDeviceCreate WdfControlFinishInitializing;
        file: WdfDeviceGetFileObject WdfFileObjectGetFileName WdfFileObjectGetFlags WdfFileObjectGetDevice WdfFileObjectWdmGetFileObject;
        init: WdfControlDeviceInitAllocate WdfControlDeviceInitSetShutdownNotification WdfDeviceInitFree WdfDeviceInitSetPnpPowerEventCallbacks WdfDeviceInitSetPowerPolicyOwnership WdfDeviceInitSetIoType WdfDeviceInitSetExclusive WdfDeviceInitSetPowerNotPageable WdfDeviceInitSetPowerPageable WdfDeviceInitSetDeviceType WdfDeviceInitAssignName WdfDeviceInitAssignSDDLString WdfDeviceInitSetDeviceClass WdfDeviceInitSetCharacteristics WdfDeviceInitSetFileObjectConfig WdfDeviceInitSetRequestAttributes WdfDeviceInitSetIoInCallerContextCallback;
        names_of_device: WdfDeviceSetStaticStopRemove WdfDeviceCreateDeviceInterface WdfDeviceSetDeviceInterfaceState WdfDeviceCreateSymbolicLink WdfDeviceSetPnpCapabilities WdfDeviceEnqueueRequest WdfDeviceGetDefaultQueue WdfDeviceConfigureRequestDispatching;
        queue_exports: WdfIoQueueCreate WdfIoQueueGetState WdfIoQueueStart WdfIoQueueStop WdfIoQueueStopSynchronously WdfIoQueueGetDevice WdfIoQueueRetrieveNextRequest WdfIoQueueRetrieveRequestByFileObject WdfIoQueueDrainSynchronously WdfIoQueueDrain WdfIoQueuePurgeSynchronously WdfIoQueuePurge WdfIoQueueReadyNotify;
        request_buffers: WdfRequestRetrieveInputBuffer WdfRequestRetrieveOutputBuffer WdfRequestRetrieveInputMemory WdfRequestRetrieveOutputMemory WdfRequestRetrieveInputWdmMdl WdfRequestRetrieveOutputWdmMdl WdfRequestRetrieveUnsafeUserInputBuffer WdfRequestRetrieveUnsafeUserOutputBuffer;
        request_exports: WdfRequestComplete WdfRequestCompleteWithPriorityBoost WdfRequestCompleteWithInformation WdfRequestGetStatus WdfRequestSetInformation WdfRequestGetInformation WdfRequestMarkCancelable WdfRequestMarkCancelableEx WdfRequestUnmarkCancelable WdfRequestIsCanceled WdfRequestIsFrom32BitProcess WdfRequestGetParameters WdfRequestGetFileObject WdfRequestGetRequestorMode WdfRequestForwardToIoQueue WdfRequestGetIoQueue WdfRequestRequeue WdfRequestStopAcknowledge WdfRequestWdmGetIrp;
        string: WdfStringCreate WdfStringGetUnicodeString WdfDeviceRetrieveDeviceName;
        work_item: WdfWorkItemCreate WdfWorkItemEnqueue WdfWorkItemGetParentObject WdfWorkItemFlush;
    }
    table
}
