// Node in WinDbg's place: runs the extension over a minidump of the simulator and prints what a command returns, a line each.
//
//     node --expose-internals host.js EXTENSION DUMP COMMAND [HANDLE]
"use strict";
const fs = require("fs");
const vm = require("vm");
const engine = require("./engine.js");

const [, , extension, path, command, handle] = process.argv;
const dump = fs.readFileSync(path);

// The place of a stream of the dump, by its type.
function stream(kind) {
    const directory = dump.readUInt32LE(12);
    for (let index = 0; index < dump.readUInt32LE(8); index++) {
        if (dump.readUInt32LE(directory + 12 * index) === kind) {
            return dump.readUInt32LE(directory + 12 * index + 8);
        }
    }
    throw new Error(`the dump has no stream ${kind}`);
}

// The ranges of memory: address, size, where they are in the file.
const ranges = [];
const list = stream(9);
let content = Number(dump.readBigUInt64LE(list + 8));
for (let index = 0; index < Number(dump.readBigUInt64LE(list)); index++) {
    const at = list + 16 + 16 * index;
    const [address, size] = [dump.readBigUInt64LE(at), Number(dump.readBigUInt64LE(at + 8))];
    ranges.push([address, size, content]);
    content += size;
}

function read(address, size) {
    const range = ranges.find(([start, length]) => start <= address && address + BigInt(size) <= start + BigInt(length));
    if (!range) {
        throw new Error(`Unable to read memory at 0x${address.toString(16)}`);
    }
    const at = range[2] + Number(address - range[0]);
    return dump.subarray(at, at + size);
}

// A value of 64 bits, as the debugger has it: an object, with methods of those that its page lists and no others. The page
// does not say that a value, or a part of it, is without a sign, so that here they have one.
let bits;
class Int64 {
    #value;
    constructor(value, high) {
        this.#value = BigInt.asIntN(64, high === undefined ? big(value) : (big(high) << 32n) | BigInt.asUintN(32, big(value)));
    }
    asNumber() {
        const number = Number(this.#value);
        if (!Number.isSafeInteger(number)) {
            throw new Error("64 bit value loses precision on conversion to number");
        }
        return number;
    }
    // In an operation with a number the value converts as by asNumber.
    valueOf() {
        return this.asNumber();
    }
    getLowPart() {
        return Number(BigInt.asIntN(32, this.#value));
    }
    getHighPart() {
        return Number(this.#value >> 32n);
    }
    add(value) {
        return new Int64(this.#value + big(value));
    }
    bitwiseAnd(value) {
        return new Int64(this.#value & big(value));
    }
    bitwiseShiftRight(count) {
        return new Int64(this.#value >> big(count));
    }
    static {
        bits = value => value.#value;
    }
}

// A value of 64 bits or a number of the language, as Node computes with it.
function big(value) {
    return value instanceof Int64 ? bits(value) : BigInt(value);
}
const pointer = value => BigInt.asUintN(64, big(value));

function moduleBase(name) {
    const modules = stream(4);
    for (let index = 0; index < dump.readUInt32LE(modules); index++) {
        const module = modules + 4 + 108 * index;
        const text = dump.readUInt32LE(module + 20);
        const file = dump.toString("utf16le", text + 4, text + 4 + dump.readUInt32LE(text));
        if (file.split("\\").pop() === `${name}.sys`) {
            return dump.readBigUInt64LE(module);
        }
    }
    throw new Error(`the dump has no module ${name}`);
}

// The address of an export, from the image in memory: no symbols are needed.
function exported(module, symbol) {
    const base = moduleBase(module);
    const at = (rva, size) => read(base + BigInt(rva), size);
    const nt = at(0x3c, 4).readUInt32LE();
    const table = at(at(nt + 24 + 112, 4).readUInt32LE(), 40);
    const [count, functions, names, ordinals] = [24, 28, 32, 36].map(offset => table.readUInt32LE(offset));
    for (let index = 0; index < count; index++) {
        const name = at(at(names + 4 * index, 4).readUInt32LE(), symbol.length + 1);
        if (name.toString("latin1") === symbol + "\0") {
            const ordinal = at(ordinals + 2 * index, 2).readUInt16LE();
            return new Int64(base + BigInt(at(functions + 4 * ordinal, 4).readUInt32LE()));
        }
    }
    throw new Error(`${module} exports no ${symbol}`);
}

const host = {
    apiVersionSupport: class {},
    functionAlias: class {
        constructor(run, name) {
            Object.assign(this, { run, name });
        }
    },
    Int64,
    parseInt64: (digits, radix) => new Int64(BigInt(radix === 16 ? `0x${digits}` : digits)),
    getModuleSymbolAddress: exported,
    memory: {
        readMemoryValues(address, count, size) {
            const bytes = read(pointer(address), count * size);
            return Array.from({ length: count }, (_, index) =>
                size === 8 ? new Int64(bytes.readBigUInt64LE(8 * index)) : bytes.readUIntLE(size * index, size));
        },
    },
};
const context = engine.load(extension, host);
const alias = vm.runInContext("initializeScript()", context).find(entry => entry.name === command);
// As the debugger has what is entered: what fits into an int is a number.
const entered = text => (BigInt(text) < 2n ** 31n ? Number(text) : new Int64(BigInt(text)));
const answer = alias.run(...(handle ? [entered(handle)] : []));
console.log([].concat(answer).join("\n"));
