// Node in WinDbg's place: runs the extension over a minidump of the simulator and prints what a command returns, a line each.
//
//     node host.js EXTENSION DUMP COMMAND [HANDLE]
"use strict";
const fs = require("fs");
const vm = require("vm");

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

// A number of 64 bits, as the debugger has them: no number of the language.
class Int64 {
    constructor(value) {
        this.value = BigInt.asUintN(64, value);
    }
    toString(radix) {
        return this.value.toString(radix || 10);
    }
}

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
    parseInt64: (digits, radix) => new Int64(BigInt(radix === 16 ? `0x${digits}` : digits)),
    getModuleSymbolAddress: exported,
    memory: {
        readMemoryValues(address, count, size) {
            const bytes = read(address.value, count * size);
            return Array.from({ length: count }, (_, index) =>
                size === 8 ? new Int64(bytes.readBigUInt64LE(8 * index)) : bytes.readUIntLE(size * index, size));
        },
    },
};
const context = vm.createContext({ host });
vm.runInContext(fs.readFileSync(extension, "utf8"), context);
const alias = vm.runInContext("initializeScript()", context).find(entry => entry.name === command);
const answer = alias.run(...(handle ? [host.parseInt64(handle.substring(2), 16)] : []));
console.log([].concat(answer).join("\n"));
