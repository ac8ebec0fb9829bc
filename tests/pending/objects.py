"""Lists the objects of a dump for lldb, by their types in the PDB and not by the table that the image exports.

A line each: address, number of the kind, closing, close call, successors, requests, callbacks, pending since.
"""
import lldb

MODULE = "softndk.sys"


def path(value, names):
    """The field at the end of a path."""
    for name in names.split("."):
        value = value.GetChildMemberWithName(name)
    return value


def walk(target, process, core, first):
    """Prints the objects from one on."""
    error = lldb.SBError()
    while first:
        value = target.CreateValueFromAddress("object", lldb.SBAddress(first, target), core)
        word = path(value, "lifetime.__0.v.value.__0").GetValueAsUnsigned()
        kind = path(value, "kind.__0").GetValueAsSigned()
        since = path(value, "pending_since.v.value.__0").GetValueAsUnsigned()
        counts = [word >> 63, word >> 62 & 1, word & 0xFFFFFF, word >> 24 & 0xFFFFF, word >> 44 & 0x3FFFF, since]
        print("object", hex(first), kind, *counts)
        after = path(value, "place.__0.value.after").GetLoadAddress()
        first = process.ReadPointerFromMemory(after, error)


def __lldb_init_module(debugger, _):
    target = debugger.GetSelectedTarget()
    process = target.GetProcess()
    error = lldb.SBError()
    core = target.FindFirstType("provider::object::Core<softndk::kernel::Windows>")
    found = target.FindGlobalVariables("ROOTS", 100)
    roots = next(value for value in found if value.GetName().endswith("softndk::debugger::ROOTS"))
    rnics = roots.GetChildMemberWithName("rnics")
    for index in range(rnics.GetNumChildren()):
        place = process.ReadPointerFromMemory(rnics.GetChildAtIndex(index).GetLoadAddress(), error)
        if place:
            walk(target, process, core, process.ReadPointerFromMemory(place, error))
