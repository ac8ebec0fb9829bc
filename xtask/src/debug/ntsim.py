"""Lets lldb know the drivers of the simulator: `command script import ntsim.py`, then `run`.

The simulator calls `ntsim_image_loaded(path, base, size)` for each image that it has mapped. There the image
is added to the target, with its PDB, which lies beside it, at the address where it is.
"""
import os

import lldb


def image_loaded(frame, _location, _internal):
    """Adds the image of the call; the program goes on."""
    process = frame.GetThread().GetProcess()
    target = process.GetTarget()
    error = lldb.SBError()
    # The registers of the first and the second argument.
    path, base = (frame.FindRegister(name).GetValueAsUnsigned() for name in ("rdi", "rsi"))
    path = os.path.abspath(process.ReadCStringFromMemory(path, 4096, error))
    module = target.AddModule(path, "x86_64-pc-windows-msvc", None)
    if not module.IsValid():
        print(f"ntsim: lldb does not read {path}")
        return False
    preferred = module.GetObjectFileHeaderAddress().GetFileAddress()
    error = target.SetModuleLoadAddress(module, base - preferred)
    symbols = module.GetSymbolFileSpec().GetFilename()
    print(f"ntsim: {os.path.basename(path)} at {base:#x}, symbols {symbols}: {error.GetCString() or 'known'}")
    return False


def __lldb_init_module(debugger, _):
    target = debugger.GetSelectedTarget()
    hook = target.BreakpointCreateByName("ntsim_image_loaded")
    hook.SetScriptCallbackFunction(f"{__name__}.image_loaded")
    # The simulator handles these itself: faults that it emulates, points in code, threads that overrun, threads that a dump stops.
    debugger.HandleCommand("process handle -s false -p true -n false SIGSEGV SIGBUS SIGTRAP SIGSYS SIGXCPU SIGUSR2")
