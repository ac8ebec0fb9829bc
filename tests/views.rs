//! The debugger's views of the driver's types, held against the types of the PDB.

#![cfg(not(windows))]
#![allow(clippy::expect_used, reason = "a test ends when what it needs is not there")]
#![allow(clippy::std_instead_of_alloc, reason = "the rest comes from std too")]

#[path = "views/value.rs"]
mod value;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::path::Path;

use pdb2::{FallibleIterator as _, PDB, PrimitiveKind, TypeData, TypeFinder, TypeIndex, TypeInformation};
use runner::Images;

/// The file that the linker puts into the PDB.
const VIEWS: &str = "windbg/softndk.natvis";

fn views() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(VIEWS)).expect("the views can be read")
}

fn pdb() -> PDB<'static, File> {
    let image = Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the images are built").softndk;
    PDB::open(File::open(image.with_extension("pdb")).expect("the PDB is beside")).expect("it is a PDB")
}

/// The text between two others, wherever both stand, with what is behind.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split_once(after)).map(|(found, _)| found).collect()
}

fn plain(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// The types that the views are of, each with the fields that its expressions name, as paths.
fn named(views: &str) -> Vec<(String, Vec<String>)> {
    between(views, "<Type Name=\"", "</Type>")
        .into_iter()
        .map(|view| {
            let (name, body) = view.split_once('"').expect("a name ends");
            let mut expressions = between(body, "Expression=\"", "\"");
            expressions.extend(between(body, "Condition=\"", "\""));
            for item in between(body, "<Item ", "</Item>") {
                expressions.extend(item.split_once('>').map(|(_, expression)| expression));
            }
            for text in between(body, "<DisplayString", "</DisplayString>") {
                expressions.extend(between(text, "{", "}"));
            }
            // A format behind a comma is no field.
            let expressions = expressions.into_iter().map(|text| text.split(',').next().unwrap_or_default());
            let paths: Vec<_> = expressions.flat_map(|text| paths(&plain(text))).collect();
            let others = between(body, "<AlternativeType Name=\"", "\"");
            let names = core::iter::once(name).chain(others).map(plain);
            names.map(|name| (name, paths.clone())).collect::<Vec<_>>()
        })
        .collect::<Vec<_>>()
        .concat()
}

/// The paths of fields in an expression: no numbers, and no calls of what a view defines itself.
fn paths(expression: &str) -> Vec<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '(';
    let words = expression.split(|c| !part(c)).map(|word| word.trim_start_matches('('));
    let words = words.filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
    words.filter(|word| !word.contains('(')).map(str::to_owned).collect()
}

/// The types of a PDB by their names, with the places of their fields.
struct Types<'a> {
    finder: TypeFinder<'a>,
    fields: HashMap<String, TypeIndex>,
}

impl<'a> Types<'a> {
    fn new(types: &'a TypeInformation<'_>) -> Self {
        let (mut finder, mut fields, mut all) = (types.finder(), HashMap::new(), types.iter());
        while let Some(item) = all.next().expect("the types can be read") {
            finder.update(&all);
            match item.parse() {
                Ok(TypeData::Class(class)) => {
                    fields.extend(class.fields.map(|list| (class.name.to_string().into_owned(), list)))
                }
                Ok(TypeData::Union(union)) if union.count > 0 => {
                    fields.insert(union.name.to_string().into_owned(), union.fields);
                }
                _ => {}
            }
        }
        Self { finder, fields }
    }

    /// The name of a type that has fields.
    fn name(&self, index: TypeIndex) -> Option<String> {
        match self.finder.find(index).ok()?.parse().ok()? {
            TypeData::Class(class) => Some(class.name.to_string().into_owned()),
            TypeData::Union(union) => Some(union.name.to_string().into_owned()),
            TypeData::Modifier(modifier) => self.name(modifier.underlying_type),
            _ => None,
        }
    }

    /// The type of a field.
    fn field(&self, of: &str, field: &str) -> Option<TypeIndex> {
        let TypeData::FieldList(list) = self.finder.find(*self.fields.get(of)?).ok()?.parse().ok()? else {
            return None;
        };
        list.fields.iter().find_map(|member| match member {
            TypeData::Member(member) if member.name.to_string() == field => Some(member.field_type),
            _ => None,
        })
    }

    /// The offset and the size of the field at the end of a path, which is a number.
    fn place(&self, of: &str, path: &str) -> Option<(usize, usize)> {
        let (field, rest) = path.split_once('.').unwrap_or((path, ""));
        let TypeData::FieldList(list) = self.finder.find(*self.fields.get(of)?).ok()?.parse().ok()? else {
            return None;
        };
        let (offset, kind) = list.fields.iter().find_map(|member| match member {
            TypeData::Member(member) if member.name.to_string() == field => {
                Some((usize::try_from(member.offset).ok()?, member.field_type))
            }
            _ => None,
        })?;
        if rest.is_empty() {
            let TypeData::Primitive(number) = self.finder.find(kind).ok()?.parse().ok()? else { return None };
            let size = match number.kind {
                PrimitiveKind::U8 | PrimitiveKind::UChar => 1,
                PrimitiveKind::I32 | PrimitiveKind::U32 | PrimitiveKind::Long | PrimitiveKind::ULong => 4,
                PrimitiveKind::I64 | PrimitiveKind::U64 | PrimitiveKind::Quad | PrimitiveKind::UQuad => 8,
                _ => return None,
            };
            return Some((offset, size));
        }
        let (inner, size) = self.place(&self.name(kind)?, rest)?;
        Some((offset.checked_add(inner)?, size))
    }

    /// Returns whether a path of fields leads from a type.
    fn leads(&self, of: &str, path: &str) -> bool {
        let mut here = Some(of.to_owned());
        path.split('.').all(|field| {
            let next = here.take().and_then(|of| self.field(&of, field));
            here = next.and_then(|next| self.name(next));
            next.is_some()
        })
    }
}

#[test]
fn type_and_field_that_a_view_names_is_in_pdb() {
    let mut pdb = pdb();
    let types = pdb.type_information().expect("the PDB has types");
    let types = Types::new(&types);
    let named = named(&views());
    assert!(named.len() >= 3, "{named:?}");
    for (name, paths) in named {
        assert!(types.fields.contains_key(&name), "{name} is in no PDB");
        assert!(!paths.is_empty(), "the view of {name} names no field");
        for path in paths {
            assert!(types.leads(&name, &path), "{name} has no {path}");
        }
    }
}

#[test]
fn type_or_field_that_does_not_exist_is_seen() {
    let mut pdb = pdb();
    let types = pdb.type_information().expect("the PDB has types");
    let types = Types::new(&types);
    assert!(!types.fields.contains_key("provider::lifetime::Deathtime"));
    assert!(types.leads("provider::lifetime::Lifetime", "__0"));
    assert!(!types.leads("provider::lifetime::Lifetime", "__1"));
    let view = "<Type Name=\"a&lt;b&gt;\"><DisplayString Condition=\"(word() &gt;&gt; 63) != 0\">x {c.d}</DisplayString>\
                <Item Name=\"[e]\">f.__0</Item></Type>";
    assert_eq!(named(view), [("a<b>".to_owned(), vec!["f.__0".to_owned(), "c.d".to_owned()])]);
}

#[test]
fn views_are_in_pdb() {
    let mut pdb = pdb();
    let information = pdb.pdb_information().expect("the PDB has its head");
    let names = information.stream_names().expect("the PDB has names of streams");
    // The linker names the folder, too.
    let of_views = names.iter().find(|stream| stream.name.to_string().ends_with("softndk.natvis"));
    let number = of_views.expect("the linker has put them there").stream_id;
    let stream = pdb.raw_stream(number).expect("the stream can be read").expect("it is there");
    assert_eq!(String::from_utf8_lossy(&stream), views());
}

/// The NTSTATUS values of the driver's sources by number, each by its first name.
fn statuses() -> BTreeMap<u32, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("sys/src/status.rs");
    let source = fs::read_to_string(source).expect("the sources are there");
    let (_, list) = source.split_once("statuses! { NTSTATUS:").expect("they have the list");
    let (list, _) = list.split_once("\n}\n").expect("it has an end");
    let mut all = BTreeMap::new();
    for line in list.lines().filter(|line| line.trim_start().starts_with("STATUS_")) {
        let (name, value) = line.trim().split_once(" = 0x").expect("a status has a value");
        let value = u32::from_str_radix(&value.trim_end_matches(';').replace('_', ""), 16);
        all.entry(value.expect("it is a number")).or_insert_with(|| name.to_owned());
    }
    all
}

#[test]
fn status_is_shown_by_its_name_and_unknown_one_by_its_number() {
    let mut pdb = pdb();
    let types = pdb.type_information().expect("the PDB has types");
    let types = Types::new(&types);
    let all = statuses();
    assert!(all.len() > 50, "{all:?}");
    for name in ["provider::status::StatusError", "provider::connection::connector::ConnectError"] {
        let shown = |value: u32| value::shown(&types, &views(), name, &value.to_le_bytes());
        for (value, status) in &all {
            assert_eq!(shown(*value).as_ref(), Some(status), "{name}");
        }
        assert_eq!(shown(0xC012_3456).as_deref(), Some("NTSTATUS 0xC0123456"));
    }
}

#[test]
fn token_is_shown_by_index_and_key() {
    let mut pdb = pdb();
    let types = pdb.type_information().expect("the PDB has types");
    let types = Types::new(&types);
    let shown = |name, value: u32| value::shown(&types, &views(), name, &value.to_le_bytes());
    assert_eq!(shown("provider::memory::Token", 1).as_deref(), Some("privileged"));
    assert_eq!(
        shown("provider::memory::Token", (300 << 14) | 16_383).as_deref(),
        Some("index 300, key 16383")
    );
    assert_eq!(shown("provider::memory::Key", 77).as_deref(), Some("key 77"));
    assert_eq!(shown("provider::memory::Domain", 77), None);
}

#[test]
fn lifetime_is_shown_by_its_counts() {
    let mut pdb = pdb();
    let types = pdb.type_information().expect("the PDB has types");
    let types = Types::new(&types);
    let word: u64 = 1 << 63 | 7 << 44 | 8 << 24 | 9;
    let shown =
        |word: u64| value::shown(&types, &views(), "provider::lifetime::Lifetime", &word.to_le_bytes());
    assert_eq!(shown(word).as_deref(), Some("closing, 9 successors, 8 requests, 7 callbacks"));
    assert_eq!(shown(0).as_deref(), Some("open, 0 successors, 0 requests, 0 callbacks"));
}

#[test]
fn life_of_a_connection_over_tcp_is_shown_by_its_name() {
    let mut pdb = pdb();
    let types = pdb.type_information().expect("the PDB has types");
    let types = Types::new(&types);
    let name = "provider::connection::wire::life::TcpLife";
    let shown = |life: u32| value::shown(&types, &views(), name, &life.to_le_bytes());
    let texts = [0, 1, 2].map(shown);
    assert_eq!(
        texts.each_ref().map(|text| text.as_deref().unwrap_or_default()),
        ["not begun, or closed", "open", "close issued"]
    );
}
