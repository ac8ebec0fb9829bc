// A script as the debugger's engine takes it, which is of ECMAScript 6: the text is parsed as that, and runs with no more than
// the global objects and methods of that edition. Node's own parser does it, so this needs `node --expose-internals`.
//
//     node --expose-internals engine.js SCRIPT
//
// https://learn.microsoft.com/windows-hardware/drivers/debugger/javascript-debugger-scripting
"use strict";
const fs = require("fs");
const vm = require("vm");
const acorn = require("internal/deps/acorn/acorn/dist/acorn");

// The globals of ECMAScript 6 that a script may use, and the methods that the edition gives each. What a script needs beyond
// this is to be looked up in the edition and added.
const EDITION = {
    Array: "from isArray of",
    "Array.prototype": "concat copyWithin entries every fill filter find findIndex forEach indexOf join keys lastIndexOf map pop " +
        "push reduce reduceRight reverse shift slice some sort splice toLocaleString toString unshift values",
    Error: "",
    "Error.prototype": "message name toString",
    Math: "abs ceil floor max min pow round trunc",
    Number: "isInteger isSafeInteger parseInt MAX_SAFE_INTEGER",
    "Number.prototype": "toString valueOf",
    Object: "assign create defineProperty freeze is keys",
    "Object.prototype": "hasOwnProperty isPrototypeOf toString valueOf",
    String: "fromCharCode raw",
    "String.prototype": "charAt charCodeAt concat endsWith includes indexOf lastIndexOf repeat replace search slice split " +
        "startsWith substring toLowerCase toString toUpperCase trim",
};
// Parts of every function and class.
const OWN = ["length", "name", "prototype", "constructor"];

// Deletes what the edition does not have. It runs in the script's context, where a later delete must not take what it uses.
function restrict(edition, own) {
    const { getOwnPropertyNames } = Object;
    for (const path of getOwnPropertyNames(edition)) {
        const object = path.split(".").reduce((found, name) => found[name], this);
        const kept = edition[path].split(" ").concat(own);
        for (const name of getOwnPropertyNames(object)) {
            if (kept.indexOf(name) < 0) {
                delete object[name];
            }
        }
    }
    for (const name of getOwnPropertyNames(this)) {
        if (!(name in edition) && own.indexOf(name) < 0) {
            delete this[name];
        }
    }
}

// Runs a script, with `host` if there is one, and returns its context.
exports.load = (path, host) => {
    const text = fs.readFileSync(path, "utf8");
    acorn.parse(text, { ecmaVersion: 6, sourceType: "script" });
    const context = vm.createContext(host ? { host } : {});
    const kept = OWN.concat("host");
    vm.runInContext(`(${restrict}).call(this, ${JSON.stringify(EDITION)}, ${JSON.stringify(kept)})`, context);
    vm.runInContext(text, context, { filename: path });
    return context;
};

if (require.main === module) {
    exports.load(process.argv[2]);
}
