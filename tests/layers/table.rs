//! A table of layers, and the judgement of imports by it.

use crate::imports::{declared, exported, used};

/// A row: its modules, and whether they may use each other.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    modules: Vec<String>,
    circular: bool,
}

/// The rows of the table below the heading "Layers" of a crate's documentation, the highest layer first.
pub(crate) fn table(lib: &str) -> Vec<Row> {
    let doc = lib.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let rows = doc
        .skip_while(|line| !(line.starts_with('#') && line.contains("Layers")))
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2);
    rows.map(|row| {
        let cell = row.trim_matches('|').split('|').next().unwrap_or_default();
        let modules = cell.split('`').skip(1).step_by(2).map(String::from).collect();
        Row { modules, circular: cell.contains('⇄') }
    })
    .collect()
}

/// The violations of a crate against its table, and the number of imports judged.
pub(crate) fn judge(lib: &str, files: &[(Vec<String>, String)]) -> (Vec<String>, usize) {
    let rows = table(lib);
    let exported = exported(lib);
    let place = |name: &str| rows.iter().position(|row| row.modules.iter().any(|module| module == name));
    let mut faults = vec![];
    for module in declared(lib) {
        if rows.iter().flat_map(|row| &row.modules).filter(|name| **name == module).count() != 1 {
            faults.push(format!("{module} does not stand in the table once"));
        }
    }
    let mut judged = 0;
    for (module, text) in files {
        // The root itself may name all of its modules.
        let Some(own) = module.first().and_then(|module| place(module)) else { continue };
        for name in used(text, module) {
            let target = exported.get(&name).unwrap_or(&name);
            if *target == module[0] {
                continue;
            }
            judged += 1;
            let admitted = match place(target) {
                Some(row) => row > own || (row == own && rows[row].circular),
                None => false,
            };
            if !admitted {
                faults.push(format!("{} uses {target}", module.join("::")));
            }
        }
    }
    faults.sort();
    faults.dedup();
    (faults, judged)
}

mod tests {
    use super::judge;

    const LIB: &str = "//! # Layers\n//!\n//! | module | knows |\n//! |---|---|\n//! | [`top`] | |\n\
    //! | `left` ⇄ `right` | |\n//! | `one`, `two` | |\n\nmod top;\npub mod left;\nmod right;\nmod one;\nmod two;\n\
        #[cfg(test)]\nmod tests;\n\npub use one::{Thing, Other};\n";

    fn faults(module: &str, text: &str) -> Vec<String> {
        let module = module.split("::").map(String::from).collect();
        judge(LIB, &[(module, text.to_owned())]).0
    }

    #[test]
    fn import_from_a_lower_row_or_a_circle_is_admitted() {
        assert!(faults("top", "use crate::left::A;\nuse crate::{one, right::{self, B}};").is_empty());
        assert!(faults("right", "use crate::left::A;").is_empty());
        assert!(faults("top::inner", "use super::A;\nuse super::super::two::B;").is_empty());
    }

    #[test]
    fn import_from_a_higher_row_or_the_own_is_a_fault() {
        assert_eq!(faults("one", "use crate::two::A;"), ["one uses two"]);
        assert_eq!(faults("one", "use crate::{two::{A, top}, left};"), ["one uses left", "one uses two"]);
        assert_eq!(faults("left::a::b", "fn f() { super::super::super::top::g() }"), ["left::a::b uses top"]);
        assert_eq!(faults("two", "fn f() -> crate::Thing {}"), ["two uses one"]);
        assert_eq!(faults("two", "use crate::unknown::A;"), ["two uses unknown"]);
    }

    #[test]
    fn import_in_a_comment_or_a_test_is_none() {
        let text = "//! [`x`](crate::top::X)\n#[cfg(test)]\nmod tests {\n    use crate::top::A;\n}\n\
            #[cfg(all(test, not(loom)))]\npub(crate) use crate::top::{\n    A,\n};\nuse crate::two::B;\n";
        assert_eq!(faults("one", text), ["one uses two"]);
        assert!(faults("one", "fn f() { crate::made!() }").is_empty());
    }

    #[test]
    fn import_in_an_inline_module_counts_from_there() {
        let within = "pub mod inner {\n    pub use super::here::A;\n    pub use super::super::two::B;\n}\n";
        assert_eq!(faults("one", within), ["one uses two"]);
        assert_eq!(
            faults("one", &format!("{within}use super::left::C;\n")),
            ["one uses left", "one uses two"]
        );
    }

    #[test]
    fn module_without_a_row_is_a_fault() {
        assert_eq!(
            judge(&LIB.replace("mod top;", "mod top;\nmod new;"), &[]).0,
            ["new does not stand in the table once"]
        );
    }
}
