//! The configuration manager: a registry that a test fills, and drivers read.
//!
//! Names are compared without case. A key exists with those above it as soon as it, a value of it or a key below it is
//! made; the services' keys of loaded drivers are not made by themselves.

mod exports;
mod query_values;

use std::collections::BTreeMap;

use ntsim_core::Export;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::subsystem::Subsystem;
use parking_lot::Mutex;

/// The functions of this folder.
const EXPORTS: &[&[Export]] = &[exports::EXPORTS, query_values::EXPORTS];

/// The configuration manager.
pub(crate) struct Cm;

impl Subsystem for Cm {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }
}

/// A value: its type (`REG_…`) and its bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Value {
    /// The type.
    pub kind: u32,
    /// The bytes.
    pub data: Vec<u8>,
}

impl Value {
    /// A terminated text, `REG_SZ`.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self { kind: 1, data: text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect() }
    }

    /// A number, `REG_DWORD`.
    #[must_use]
    pub fn number(number: u32) -> Self {
        Self { kind: 4, data: number.to_le_bytes().to_vec() }
    }
}

/// The values of a key, by name in lower case, each with its name as it was given.
type Values = BTreeMap<String, (String, Value)>;

/// The keys of one machine, by path in lower case.
#[derive(Default)]
struct Registry(Mutex<BTreeMap<String, Values>>);

static REGISTRY: PerMachine<Registry> = PerMachine::new();

fn spelled(path: &str) -> String {
    path.trim_end_matches('\\').to_lowercase()
}

/// Makes a key, such as `\Registry\Machine\Software\Example`, and those above it.
pub fn make_key(path: &str) {
    let path = spelled(path);
    let mut keys = REGISTRY.get().0.lock();
    let above = path.char_indices().filter(|(at, letter)| *at > 0 && *letter == '\\').map(|(at, _)| at);
    for end in above.chain([path.len()]) {
        keys.entry(path[..end].to_owned()).or_default();
    }
}

/// Sets a value of a key, which is made if need be.
pub fn set_value(path: &str, name: &str, value: Value) {
    make_key(path);
    let mut keys = REGISTRY.get().0.lock();
    keys.entry(spelled(path)).or_default().insert(name.to_lowercase(), (name.to_owned(), value));
}

/// A value of a key.
fn value(path: &str, name: &str) -> Option<(String, Value)> {
    REGISTRY.get().0.lock().get(&spelled(path))?.get(&name.to_lowercase()).cloned()
}

/// All values of a key; `None` if there is no such key.
fn values(path: &str) -> Option<Vec<(String, Value)>> {
    Some(REGISTRY.get().0.lock().get(&spelled(path))?.values().cloned().collect())
}
