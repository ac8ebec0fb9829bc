// WinDbg extension of softndk.sys: `.scriptload softndk.js`, then `!objects`, `!pending`, `!why HANDLE`.
//
// It needs no private symbols: everything is read from what the image exports as `softndk_roots`
// (driver/debugger.rs has the fields). It works in a dump and in a machine that is stopped.
//
// The debugger's engine is of ECMAScript 6, and has no literals of 64 bits: such a value is an object with methods,
// https://learn.microsoft.com/windows-hardware/drivers/debugger/javascript-debugger-scripting#work-with-64-bit-values-in-javascript-extensions
"use strict";

const MODULE = "softndk";
const SIGNATURE = "0x6b646e74666f73"; // "softndk", and a null
const VERSION = 1;
const KINDS = 11;
const NAMES = [
    "object", "adapter", "QP", "CQ", "MR", "MW", "PD", "shared endpoint", "connector", "listener", "SRQ",
];
// More than any machine has; a list that is damaged has an end then.
const MOST = 1000000;

function initializeScript() {
    return [
        new host.apiVersionSupport(1, 7),
        new host.functionAlias(objects, "objects"),
        new host.functionAlias(pending, "pending"),
        new host.functionAlias(why, "why"),
    ];
}

// A value of 64 bits as text in hexadecimal, which can be compared. A part of it is a number that may have a sign.
function text(value) {
    const [low, high] = [value.getLowPart() >>> 0, value.getHighPart() >>> 0];
    const digits = low.toString(16);
    return "0x" + (high === 0 ? digits : high.toString(16) + "0".repeat(8 - digits.length) + digits);
}

const NULL = "0x0";

// Addresses are such text here.
const int64 = address => host.parseInt64(address.substring(2), 16);
const plus = (address, offset) => text(int64(address).add(offset));

// Values of eight bytes in memory, which the debugger has as objects.
const values = (address, count) => Array.from(host.memory.readMemoryValues(int64(address), count, 8));
const words = (address, count) => values(address, count).map(text);

// The layout, and the place of the pointer to the first object of each RNIC.
function roots() {
    const at = text(host.getModuleSymbolAddress(MODULE, "softndk_roots"));
    const [signature, version, ...fields] = values(at, 8 + KINDS);
    if (text(signature) !== SIGNATURE || version.asNumber() !== VERSION) {
        throw new Error("softndk_roots is of another version of the driver");
    }
    const [kind, lifetime, before, after, size, ...sizes] = fields.map(field => field.asNumber());
    const count = sizes.pop();
    const rnics = words(plus(at, 8 * (8 + KINDS)), count).filter(rnic => rnic !== NULL);
    return { layout: { kind, lifetime, before, after, size, sizes }, rnics };
}

// The object at an address: its kind, what its lifetime word counts (provider/src/lifetime/mod.rs), and the pointers in it.
function object(layout, address) {
    const kind = host.memory.readMemoryValues(int64(plus(address, layout.kind)), 1, 4)[0];
    const [word] = values(plus(address, layout.lifetime), 1);
    // The mask takes the sign off that the shift may spread.
    const bits = (shift, width) => word.bitwiseShiftRight(shift).bitwiseAnd(Math.pow(2, width) - 1).asNumber();
    const own = Math.floor(((layout.sizes[kind] || layout.size) - layout.size) / 8);
    return {
        address,
        name: NAMES[kind] || NAMES[0],
        closing: bits(63, 1) === 1,
        call: bits(62, 1) === 1,
        callbacks: bits(44, 18),
        requests: bits(24, 20),
        successors: bits(0, 24),
        pointers: own > 0 ? words(plus(address, layout.size), own) : [],
    };
}

// All objects of one RNIC, the newest first.
function ofRnic(layout, rnic) {
    const all = [];
    let [at] = words(rnic, 1);
    while (at !== NULL && all.length < MOST) {
        all.push(object(layout, at));
        [at] = words(plus(at, layout.after), 1);
    }
    return all;
}

function everything() {
    const { layout, rnics } = roots();
    return rnics.map(rnic => ofRnic(layout, rnic));
}

// What holds an object, among all of its RNIC. An object holds the antecedents that it has pointers to; a successor that
// holds it by memory of another kind, as a connector its QP, is counted and not named.
function reasons(held, all) {
    const list = held.call ? ["its close call"] : [];
    let named = 0;
    for (const other of all) {
        // An object has pointers to itself too, as the context of its DPC.
        const own = other.address === held.address;
        const times = other.pointers.filter(pointer => pointer === held.address).length;
        if (times > 0 && !own && held.successors > 0) {
            named += times;
            list.push(`${other.name} ${other.address} (${other.closing ? "closing" : "open"})`);
        }
    }
    const counted = [
        [held.successors - named, "successors without a handle"],
        [held.requests, "requests in progress"],
        [held.callbacks, "callbacks in progress"],
    ];
    return list.concat(counted.filter(([count]) => count > 0).map(([count, meaning]) => `${count} ${meaning}`));
}

function describe(held, all) {
    const list = reasons(held, all).join(", ");
    const state = held.closing
        ? list === "" ? "closed, and held by nothing" : `close pending, held by ${list}`
        : list === "" ? "open" : `open, in use by ${list}`;
    return `${held.name} ${held.address}: ${state}`;
}

// The lines of the objects that are wanted, of all RNICs.
function lines(wanted) {
    const ofEach = everything().map(all => all.filter(wanted).map(held => describe(held, all)));
    return [].concat(...ofEach);
}

// !objects: every object, with what holds it.
function objects() {
    return lines(() => true);
}

// !pending: the objects whose close has been called and is not over.
function pending() {
    return lines(held => held.closing);
}

// !why HANDLE: the object with this handle. What is entered with few digits comes as a number.
function why(handle) {
    const address = text(typeof handle === "number" ? new host.Int64(handle) : handle);
    for (const all of everything()) {
        const held = all.find(other => other.address === address);
        if (held) {
            return describe(held, all);
        }
    }
    return `${address} is no object of softndk, or no longer`;
}
