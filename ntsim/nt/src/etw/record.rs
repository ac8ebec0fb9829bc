//! An event that a session has collected.

use core::fmt;
use core::net::SocketAddr;

use ntsim_core::sched::Irql;
use sys::wdm::{EVENT_DESCRIPTOR, GUID};

/// An event that a session has collected.
#[derive(Clone, Debug)]
pub struct Record {
    /// The provider's identifier.
    pub provider: GUID,
    /// The provider's name.
    pub provider_name: String,
    /// The event's name.
    pub name: String,
    /// Level, keyword and operation.
    pub descriptor: EVENT_DESCRIPTOR,
    /// The fields, in their order.
    pub fields: Vec<Field>,
    /// The circumstances of the call that wrote it.
    pub place: Place,
    /// The parts as they were written.
    pub raw: Raw,
}

impl Record {
    /// The value of the field `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// The number in the field `name`, if that is an unsigned one.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Value::Unsigned(number)) => Some(*number),
            _ => None,
        }
    }

    /// The text in the field `name`, if that is one.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        self.fields.iter().try_for_each(|field| write!(f, " {}={:?}", field.name, field.value))
    }
}

/// The circumstances of the call that wrote an event.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Time since boot, in units of 100 ns.
    pub time: u64,
    /// The processor.
    pub processor: u32,
    /// The thread's number.
    pub thread: u32,
    /// The level.
    pub irql: Irql,
}

/// The parts of an event as they were written.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The traits of the provider.
    pub traits: Vec<u8>,
    /// The description of the event.
    pub metadata: Vec<u8>,
    /// The values of its fields.
    pub data: Vec<u8>,
}

/// A field of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its `TlgIn...`, without flags.
    pub in_type: u8,
    /// Its `TlgOut...`, 0 if none is given.
    pub out_type: u8,
    /// Its value.
    pub value: Value,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A signed number.
    Signed(i64),
    /// An unsigned number, a status, a truth value, a time or an address of memory.
    Unsigned(u64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// A socket address.
    Address(SocketAddr),
    /// Bytes, and whatever has a form that is not decoded here.
    Bytes(Vec<u8>),
}
