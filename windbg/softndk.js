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
const VERSION = 3;
const NAMES = [
    "object", "adapter", "QP", "CQ", "MR", "MW", "PD", "shared endpoint", "connector", "listener", "SRQ",
];
const [QP, MW, PD, ENDPOINT, CONNECTOR, LISTENER, SRQ] = [2, 5, 6, 7, 8, 9, 10];
// The fields of the table behind signature and version, in their order, with how many numbers each has.
const FIELDS = [
    ["kind", 1], ["lifetime", 1], ["pendingSince", 1], ["before", 1], ["after", 1], ["size", 1],
    ["references", 3 * NAMES.length], ["refObject", 1], ["refKind", 1],
    ["receives", 2], ["table", 1], ["windowPart", 1],
    ["boundTo", 1], ["slot", 1], ["chunks", 1], ["slotsInChunk", 1], ["slotSize", 1], ["pins", 2], ["parent", 1],
    ["token", 1], ["keyBits", 1],
    ["connectorPart", 1], ["role", 1], ["attempts", 1], ["last", 1], ["listener", 1], ["indicated", 1],
    ["noLink", 1], ["loopback", 1], ["overTcp", 1], ["connection", 1], ["side", 1],
    ["lock", 1], ["phase", 1], ["qps", 2], ["shared", 2], ["transfers", 2], ["source", 1], ["destination", 1],
    ["ownSide", 1], ["local", 2], ["remote", 1], ["life", 1], ["sends", 1], ["state", 1], ["stateLock", 1],
    ["wirePhase", 1], ["ownQp", 1], ["ownShared", 1],
    ["joined", 2], ["set", 1], ["listenerPort", 2], ["sharedPort", 1], ["portLife", 1],
    ["inLocks", 5], ["count", 1],
];
const PHASES = ["requested", "accepted", "established", "ending", "disconnected", "refused", "failed"];
const WIRE_PHASES = [
    "requested", "replied", "awaited", "offered", "accepted", "rejected", "established", "ending", "failed", "disconnected",
    "refused",
];
// The time since boot, which kernel and processes share: InterruptTime of KUSER_SHARED_DATA.
const INTERRUPT_TIME = "0xfffff78000000008";
// More than any machine has; a list that is damaged has an end then.
const MOST = 1000000;

function initializeScript() {
    return [
        new host.apiVersionSupport(1, 7),
        new host.functionAlias(objects, "objects"),
        new host.functionAlias(pending, "pending"),
        new host.functionAlias(why, "why"),
        new host.functionAlias(connections, "connections"),
        new host.functionAlias(irps, "irps"),
    ];
}

// The same of softndk_files (driver/tdi/roots.rs).
const FILES_SIGNATURE = "0x656c696674666f73"; // "softfile"
const FILES_VERSION = 1;
const FILES_FIELDS = [
    ["slot", 1], ["used", 1], ["value", 1], ["generation", 1],
    ["phase", 1], ["outstanding", 1], ["hasWaiter", 1], ["fileObject", 1], ["kind", 1], ["part", 1], ["local", 1],
    ["addressState", 1], ["associated", 1], ["endpointState", 1],
    ["link", 1], ["cancel", 1], ["cancelRoutine", 1], ["location", 1], ["functionOf", 1], ["fileOf", 1],
    ["files", 1], ["count", 1],
];
const FILE_KINDS = ["address object", "connection endpoint", "control channel"];
const ADDRESS_STATES = ["binding", "live", "adapter gone", "closed"];
const ENDPOINT_STATES = ["idle", "connecting", "listening", "requested", "accepting", "linking", "connected", "ending"];
const MAJORS = { 0: "IRP_MJ_CREATE", 2: "IRP_MJ_CLOSE", 14: "IRP_MJ_DEVICE_CONTROL", 18: "IRP_MJ_CLEANUP" };
const INTERNAL_DEVICE_CONTROL = 15;
const MINORS = [
    "", "TDI_ASSOCIATE_ADDRESS", "TDI_DISASSOCIATE_ADDRESS", "TDI_CONNECT", "TDI_LISTEN", "TDI_ACCEPT", "TDI_DISCONNECT",
    "TDI_SEND", "TDI_RECEIVE", "TDI_SEND_DATAGRAM", "TDI_RECEIVE_DATAGRAM", "TDI_SET_EVENT_HANDLER",
    "TDI_QUERY_INFORMATION", "TDI_SET_INFORMATION", "TDI_ACTION",
];

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

const small = (address, size) => host.memory.readMemoryValues(int64(address), 1, size)[0];

// A table that the image exports: its fields by their names, and the address behind them. A field that is an address is text.
function table(symbol, signature, version, names) {
    const at = text(host.getModuleSymbolAddress(MODULE, symbol));
    const [found, number] = values(at, 2);
    if (text(found) !== signature || number.asNumber() !== version) {
        throw new Error(`${symbol} is of another version of the driver`);
    }
    const fields = {};
    const end = names.reduce((place, [name, count]) => {
        const all = values(plus(at, 8 * place), count);
        const read = name === "files" ? all.map(text) : all.map(value => value.asNumber());
        fields[name] = count === 1 ? read[0] : read;
        return place + count;
    }, 2);
    return { fields, end: plus(at, 8 * end) };
}

// The layout, and the place of the pointer to the first object of each RNIC.
function roots() {
    const { fields: layout, end } = table("softndk_roots", SIGNATURE, VERSION, FIELDS);
    return { layout, rnics: words(end, layout.count).filter(rnic => rnic !== NULL) };
}

// A part of a word, as a number; the mask takes the sign off that the shift may spread.
const bits = (word, shift, width) => word.bitwiseShiftRight(shift).bitwiseAnd(Math.pow(2, width) - 1).asNumber();

// The object that a reference at an address holds as its successor, in a list; an empty one if it is of none.
function antecedent(layout, at) {
    const [address] = words(plus(at, layout.refObject), 1);
    return small(plus(at, layout.refKind), 4) === 0 && address !== NULL ? [address] : [];
}

// The antecedents that every object of a kind has references to in it.
function inside(layout, kind, address) {
    const offsets = layout.references.slice(3 * kind, 3 * kind + 3).filter(offset => offset !== 0);
    return [].concat(...offsets.map(offset => antecedent(layout, plus(address, offset))));
}

// The region that a window is bound to, in a list: by its slot of the token table, or where a close has put it.
function region(layout, address) {
    const part = plus(address, layout.windowPart);
    const parted = antecedent(layout, plus(part, layout.boundTo + layout.inLocks[2]));
    if (parted.length > 0) {
        return parted;
    }
    const number = small(plus(part, layout.slot), 4);
    const [pd] = inside(layout, MW, address);
    const [adapter] = inside(layout, PD, pd);
    const [chunks] = words(plus(adapter, layout.table + layout.chunks), 1);
    const [chunk] = words(plus(chunks, 8 * Math.floor(number / layout.slotsInChunk)), 1);
    const slot = plus(chunk, layout.slotSize * (number % layout.slotsInChunk));
    const valid = bits(values(plus(slot, layout.pins[0]), 1)[0], 63, 1) === 1;
    return valid ? antecedent(layout, plus(slot, layout.parent)) : [];
}

// The link at an address, if there is one: its kind, and if that is known the connection and the side of it, or the
// connection over TCP.
function linkAt(layout, at) {
    const kind = small(at, 1);
    if (kind === layout.noLink) {
        return null;
    }
    const known = kind === layout.loopback || kind === layout.overTcp;
    const pointer = known ? words(plus(at, layout.connection), 1)[0] : NULL;
    return kind === layout.loopback
        ? { kind, connection: pointer, wire: NULL, side: small(plus(at, layout.side), 1) }
        : { kind, connection: NULL, wire: pointer, side: 0 };
}

// A connector's link, if there is one.
function link(layout, address) {
    const part = plus(address, layout.connectorPart);
    const active = small(plus(part, layout.role), 1) === 0;
    const last = layout.attempts + layout.inLocks[0] + layout.last;
    const at = plus(part, active ? last : layout.indicated);
    return linkAt(layout, at);
}

// The link of a QP, once its connection is established.
function joined(layout, address) {
    const [set, at] = layout.joined.map(offset => plus(address, offset));
    return small(set, 4) === layout.set ? linkAt(layout, at) : null;
}

// The state of a connection over TCP.
function wireState(layout, wire) {
    const [block] = words(plus(wire, layout.state), 1);
    return plus(block, layout.stateLock + layout.inLocks[3]);
}

// The part that TCP has in an object: of its connection or port, unless that is closed, the sends and whether its close
// was issued; null otherwise.
function onNetwork(layout, kind, address) {
    const ofPort = at => {
        const [port] = words(at, 1);
        return port === NULL ? null : lifeAt(plus(port, layout.portLife), 0);
    };
    if (kind === QP || kind === CONNECTOR) {
        const own = kind === QP ? joined(layout, address) : link(layout, address);
        return own && own.wire !== NULL ? tcp(layout, own.wire) : null;
    }
    const [lock, port] = layout.listenerPort;
    return kind === LISTENER ? ofPort(plus(address, lock + layout.inLocks[4] + port))
        : kind === ENDPOINT ? ofPort(plus(address, layout.sharedPort)) : null;
}

// The same of a connection.
const tcp = (layout, wire) => lifeAt(plus(wire, layout.life), small(plus(wire, layout.sends), 4));

// The same of a life at an address (provider/src/connection/wire/life.rs).
function lifeAt(at, sends) {
    const life = small(at, 4);
    return life === 0 ? null : { sends, closing: life === 2 };
}

const saidOf = network => `TCP, which has ${network.sends} sends${network.closing ? ", its close issued" : ""}`;

// The address of a connection's state.
const stateOf = (layout, connection) => plus(connection, layout.lock + layout.inLocks[1]);

// The antecedents of a connector beside its adapter: its listener, and what it has by its last attempt.
function ofConnector(layout, address) {
    const part = plus(address, layout.connectorPart);
    const indicated = small(plus(part, layout.role), 1) !== 0;
    const listener = indicated ? antecedent(layout, plus(part, layout.listener)) : [];
    const attempt = link(layout, address);
    if (attempt && attempt.wire !== NULL) {
        const state = wireState(layout, attempt.wire);
        const own = [layout.ownQp, layout.ownShared];
        return listener.concat(...own.map(place => antecedent(layout, plus(state, place))));
    }
    if (!attempt || attempt.connection === NULL) {
        return listener;
    }
    const state = stateOf(layout, attempt.connection);
    const places = [layout.qps[attempt.side], layout.shared[attempt.side]];
    return listener.concat(...places.map(place => antecedent(layout, plus(state, place))));
}

// The antecedents that only some objects of a kind have.
function more(layout, kind, address) {
    return kind === MW ? region(layout, address) : kind === CONNECTOR ? ofConnector(layout, address) : [];
}

// The object at an address: its kind, what its lifetime word counts (provider/src/lifetime/mod.rs), and its antecedents. The
// SRQ of a QP is among the words of its receives, which are a queue of its own otherwise.
function object(layout, address) {
    const kind = small(plus(address, layout.kind), 4);
    const [word] = values(plus(address, layout.lifetime), 1);
    const [since] = values(plus(address, layout.pendingSince), 1);
    const [receives, length] = layout.receives;
    return {
        address,
        kind,
        name: NAMES[kind] || NAMES[0],
        closing: bits(word, 63, 1) === 1,
        call: bits(word, 62, 1) === 1,
        callbacks: bits(word, 44, 18),
        requests: bits(word, 24, 20),
        successors: bits(word, 0, 24),
        since,
        antecedents: inside(layout, kind, address).concat(more(layout, kind, address)),
        network: onNetwork(layout, kind, address),
        receives: kind === QP ? words(plus(address, receives), length) : [],
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

// What holds an object, among all of its RNIC.
function reasons(held, all) {
    const list = held.call ? ["its close call"] : [];
    let named = 0;
    for (const other of all) {
        const receives = held.kind === SRQ && other.receives.indexOf(held.address) >= 0 ? 1 : 0;
        const times = other.antecedents.filter(antecedent => antecedent === held.address).length + receives;
        if (times > 0) {
            named += times;
            list.push(`${other.name} ${other.address} (${other.closing ? "closing" : "open"})`);
        }
    }
    const counted = [
        [held.successors - named, "successors without a handle"],
        [held.requests, "requests in progress"],
        [held.callbacks, "callbacks in progress"],
    ];
    const counts = counted.filter(([count]) => count > 0).map(([count, meaning]) => `${count} ${meaning}`);
    return list.concat(counts, held.network ? [saidOf(held.network)] : []);
}

// For how long the close of an object has been pending, as text; empty if the time of the machine is not known.
function duration(held) {
    let now;
    try {
        now = values(INTERRUPT_TIME, 1)[0];
    } catch (error) {
        return "";
    }
    const [since, until] = [held.since, now].map(time => time.getHighPart() * Math.pow(2, 32) + (time.getLowPart() >>> 0));
    return since === 0 || since > until ? "" : ` for ${Math.floor((until - since) / 1e6) / 10} s`;
}

function describe(held, all) {
    const list = reasons(held, all).join(", ");
    const state = held.closing
        ? list === "" ? "closed, and held by nothing" : `close pending${duration(held)}, held by ${list}`
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

// An address as it is written: four numbers, or eight of 16 bits with `::` in place of the longest run of zeroes.
function ip(family, bytes) {
    if (family === 2) {
        return bytes.slice(0, 4).join(".");
    }
    const groups = [0, 1, 2, 3, 4, 5, 6, 7].map(index => bytes[2 * index] * 256 + bytes[2 * index + 1]);
    const run = from => groups.slice(from).concat(1).findIndex(group => group !== 0);
    const from = groups.reduce((best, _, index) => run(index) > run(best) ? index : best, 0);
    const hex = part => part.map(group => group.toString(16)).join(":");
    return run(from) < 2 ? hex(groups) : `${hex(groups.slice(0, from))}::${hex(groups.slice(from + run(from)))}`;
}

// A socket address (provider/src/socket_address.rs).
function socketAddress(at) {
    const bytes = Array.from(host.memory.readMemoryValues(int64(at), 28, 1));
    const [family, port] = [0, 2].map(place => bytes[place] + 256 * bytes[place + 1]);
    const scope = bytes[24] + 256 * (bytes[25] + 256 * (bytes[26] + 256 * bytes[27]));
    const address = ip(family, bytes.slice(8, 24));
    return family === 2 ? `${address}:${port}` : `[${address}${scope === 0 ? "" : `%${scope}`}]:${port}`;
}

// One side of a connection: its connector, if that is there, and its QP, with the counts of what is outstanding.
function side(layout, all, state, connectors, number) {
    const qps = antecedent(layout, plus(state, layout.qps[number]));
    const own = connectors.filter(connector => connector.attempt.side === number).map(connector => connector.address);
    return shownOf(all, own.concat(qps));
}

// Objects with the counts of what is outstanding.
function shownOf(all, addresses) {
    const shown = addresses.map(address => {
        const found = all.find(other => other.address === address);
        if (!found) {
            return address;
        }
        const counts = [[found.requests, "requests"], [found.callbacks, "callbacks"]].filter(([count]) => count > 0);
        const more = counts.map(([count, meaning]) => `, ${count} ${meaning} in progress`).join("");
        return `${found.name} ${address} (${found.closing ? "closing" : "open"}${more})`;
    });
    return shown.length > 0 ? shown.join(", ") : "closed";
}

// The outstanding part of a connection in its phase.
function outstanding(layout, connection, phase) {
    if (phase === "requested" || phase === "accepted") {
        return phase === "requested" ? ", NdkConnect pending" : ", NdkCompleteConnect to come, NdkAccept pending";
    }
    const counts = layout.transfers.map(place => bits(values(plus(connection, place), 1)[0], 0, 53));
    return phase === "established" || phase === "ending" ? `, ${counts[0] + counts[1]} transfers in progress` : "";
}

// A connection over TCP in a line, with this machine's end of it.
function wireLine(layout, all, wire, linked) {
    const state = wireState(layout, wire);
    const phase = WIRE_PHASES[small(plus(state, layout.wirePhase), 1)] || "in an unknown phase";
    const [set, at] = layout.local.map(offset => plus(wire, offset));
    const local = small(set, 4) === layout.set ? socketAddress(at) : "an address to be found";
    const remote = socketAddress(plus(wire, layout.remote));
    const active = small(plus(wire, layout.ownSide), 1) === 0;
    const ends = active ? `${local} -> ${remote}` : `${remote} -> ${local}`;
    const network = tcp(layout, wire);
    const own = linked.filter(other => other.attempt.wire === wire).map(other => other.address);
    const end = own.length > 0 ? shownOf(all, own) : "closed";
    return `${ends}: ${phase}, by ${network ? saidOf(network) : "TCP, closed"}; ${active ? "from" : "to"} ${end}`;
}

// !connections: each connection attempt and what came of it, from the side that connected to the other one.
function connections() {
    const { layout, rnics } = roots();
    const all = [].concat(...rnics.map(rnic => ofRnic(layout, rnic)));
    const linked = all
        .filter(object => object.kind === CONNECTOR)
        .map(({ address }) => ({ address, attempt: link(layout, address) }))
        .filter(connector => connector.attempt);
    const qps = all
        .filter(object => object.kind === QP)
        .map(({ address }) => ({ address, attempt: joined(layout, address) }))
        .filter(qp => qp.attempt);
    const overTcp = linked.concat(qps).filter(object => object.attempt.wire !== NULL);
    const wires = overTcp.map(object => object.attempt.wire);
    const ofWires = wires
        .filter((address, index) => wires.indexOf(address) === index)
        .map(wire => wireLine(layout, all, wire, overTcp));
    const known = linked.filter(connector => connector.attempt.connection !== NULL);
    const addresses = known.map(connector => connector.attempt.connection);
    const each = addresses.filter((address, index) => addresses.indexOf(address) === index).map(connection => {
        const state = stateOf(layout, connection);
        const phase = PHASES[small(plus(state, layout.phase), 1)] || "in an unknown phase";
        const own = known.filter(connector => connector.attempt.connection === connection);
        const [source, destination] = [layout.source, layout.destination].map(at => socketAddress(plus(connection, at)));
        const [active, passive] = [0, 1].map(number => side(layout, all, state, own, number));
        const open = outstanding(layout, connection, phase);
        return `${source} -> ${destination}: ${phase}${open}; from ${active}; to ${passive}`;
    });
    const others = linked.filter(({ attempt }) => attempt.connection === NULL && attempt.wire === NULL);
    return each.concat(ofWires, others.map(({ address, attempt }) => `connector ${address}: a connection of unknown kind ${attempt.kind}`));
}

// A file of the legacy device at the address of its slot, or null if there is none.
function file(layout, slot, index) {
    if (small(plus(slot, layout.used), 1) !== 1) {
        return null;
    }
    const at = plus(slot, layout.value);
    const part = plus(at, layout.part);
    const kind = small(plus(at, layout.kind), 1);
    const state = kind === 0 ? ADDRESS_STATES[small(plus(part, layout.addressState), 1)]
        : kind === 1 ? ENDPOINT_STATES[small(plus(part, layout.endpointState), 1)] : "";
    return {
        number: index + 1,
        generation: small(plus(slot, layout.generation), 4),
        kind,
        object: words(plus(at, layout.fileObject), 1)[0],
        phase: small(plus(at, layout.phase), 1),
        outstanding: small(plus(at, layout.outstanding), 4),
        waits: small(plus(at, layout.hasWaiter), 1) === 1,
        state: state === undefined ? "in an unknown state" : state,
        local: kind === 0 ? socketAddress(plus(part, layout.local)) : "",
        associated: kind === 1 ? [0, 4].map(offset => small(plus(part, layout.associated + offset), 4)) : [0, 0],
    };
}

// The requests of the legacy device: their functions, and whether they can be cancelled.
function requests(layout, places) {
    const all = [];
    for (const place of places) {
        let [link] = words(place, 1);
        while (link !== NULL && all.length < MOST) {
            const packet = text(int64(link).add(-layout.link));
            const [location] = words(plus(packet, layout.location), 1);
            const [major, minor] = [0, 1].map(offset => small(plus(location, layout.functionOf + offset), 1));
            const name = major === INTERNAL_DEVICE_CONTROL ? MINORS[minor] : MAJORS[major];
            const cancelled = small(plus(packet, layout.cancel), 1) !== 0;
            const [routine] = words(plus(packet, layout.cancelRoutine), 1);
            all.push({
                packet,
                file: words(plus(location, layout.fileOf), 1)[0],
                name: name || `function ${major}, ${minor}`,
                state: cancelled ? "cancelled" : routine !== NULL ? "can be cancelled" : "cannot be cancelled now",
            });
            [link] = words(link, 1);
        }
    }
    return all;
}

const shown = request => `  IRP ${request.packet}: ${request.name}, ${request.state}`;

// A file in a line, and below it its requests.
function fileLines(own, files, all) {
    const address = files.find(other => other.number === own.associated[0] && other.generation === own.associated[1]);
    const parts = [own.local, own.state].filter(part => part !== "");
    parts.push(...(address ? [`associated with ${address.local}`] : []));
    const ends = own.phase === 0 ? "open"
        : own.phase === 2 ? "closed, and kept by what is left of it"
            : own.waits ? `cleaned up, and its cleanup waits for ${own.outstanding} requests and handlers` : "cleaned up";
    const line = `${FILE_KINDS[own.kind] || "file"} ${own.object}: ${parts.concat(ends).join(", ")}`;
    return [line].concat(all.filter(request => request.file === own.object).map(shown));
}

// !irps: the files of the legacy device with their requests; requests for a file that there is not yet, or no longer, are last.
function irps() {
    const { fields: layout, end } = table("softndk_files", FILES_SIGNATURE, FILES_VERSION, FILES_FIELDS);
    if (layout.files === NULL) {
        return ["the legacy device has no transport"];
    }
    const [first, count] = values(layout.files, 2);
    const slots = Array.from(new Array(count.asNumber()).keys());
    const files = slots.map(index => file(layout, plus(text(first), layout.slot * index), index)).filter(own => own);
    const all = requests(layout, words(end, layout.count).filter(place => place !== NULL));
    const others = all.filter(request => files.every(own => own.object !== request.file));
    return [].concat(...files.map(own => fileLines(own, files, all)), others.map(request => `${shown(request)}, of file ${request.file}`));
}
