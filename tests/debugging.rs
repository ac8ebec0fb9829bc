//! The debug information of the built driver, as a debugger finds it.

#![cfg(not(windows))]
#![allow(clippy::expect_used, reason = "a test ends when what it needs is not there")]

use std::fs::File;
use std::path::Path;

use pdb2::{FallibleIterator as _, PDB, SymbolData, TypeData};
use runner::Images;

fn pdb() -> PDB<'static, File> {
    let image = Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the images are built").softndk;
    PDB::open(File::open(image.with_extension("pdb")).expect("the PDB is beside")).expect("it is a PDB")
}

/// `dx` and `dt` show structures whose fields are in the PDB.
#[test]
fn provider_types_are_in_pdb_with_their_fields() {
    let mut pdb = pdb();
    let types = pdb.type_information().expect("the PDB has types");
    let mut all = types.iter();
    let mut whole = 0_u32;
    while let Some(item) = all.next().expect("the types can be read") {
        if let Ok(TypeData::Class(class)) = item.parse() {
            let named = class.name.to_string().starts_with("provider::");
            whole = whole.saturating_add(u32::from(named && class.fields.is_some() && class.count > 0));
        }
    }
    assert!(whole > 100, "{whole} structures of the provider have their fields");
}

/// The way from which a debugger walks to everything that the driver has.
#[test]
fn static_of_loaded_driver_is_in_pdb() {
    let mut pdb = pdb();
    let symbols = pdb.global_symbols().expect("the PDB has global symbols");
    let mut all = symbols.iter();
    let mut names = Vec::new();
    while let Some(symbol) = all.next().expect("the symbols can be read") {
        if let Ok(SymbolData::Data(data)) = symbol.parse() {
            names.push(data.name.to_string().into_owned());
        }
    }
    assert!(names.iter().any(|name| name == "softndk::registration::LOADED"), "{names:?}");
}
