//! The trace of a run: `run` starts a session that records the driver's events, `collect` and `remove` stop it.
//!
//! logman.exe is the recorder, since every Windows Server has it; the recorder of `softndk.wprp` may be missing.
//! <https://learn.microsoft.com/windows-server/administration/windows-commands/logman-create-trace>

use std::path::Path;

use crate::shell::Programs;

/// The name of the session.
pub const SESSION: &str = "softndk";
/// The driver's provider.
pub const PROVIDER: &str = "{5cdf31cf-3b81-5846-8cb0-47397bfbdd2b}";
/// Every keyword of its events.
pub const KEYWORDS: &str = "0x7f";
/// The level up to which events are recorded: all.
pub const LEVEL: &str = "5";
/// The name of the file.
pub const FILE: &str = "ndkhlk-trace.etl";

const LOGMAN: &str = "logman.exe";
/// Megabytes after which the file begins anew.
const LARGEST: &str = "64";

/// Starts to record into `file`, which is written anew. A session that records already goes on, so that several runs are in one
/// file.
///
/// # Errors
/// What logman says, if no session records then.
pub fn start(machine: &impl Programs, file: &Path) -> Result<(), String> {
    let file = file.to_string_lossy();
    let provider = ["create", "trace", SESSION, "-p", PROVIDER, KEYWORDS, LEVEL];
    // Buffers are written every second, so that little is lost with a machine that stops.
    let ring =
        ["-o", &file, "-ow", "-f", "bincirc", "-max", LARGEST, "-bs", "64", "-nb", "16", "64", "-ft", "1"];
    let now = ["-y", "-ets"];
    machine
        .program(LOGMAN, &[&provider[..], &ring, &now].concat())
        .or_else(|why| machine.program(LOGMAN, &["query", SESSION, "-ets"]).map_err(|_no_session| why))
        .map(drop)
}

/// Stops the session, which completes its file.
///
/// # Errors
/// What logman says, if there is no session among others.
pub fn stop(machine: &impl Programs) -> Result<(), String> {
    machine.program(LOGMAN, &["stop", SESSION, "-ets"]).map(drop)
}

#[cfg(test)]
mod tests {
    use core::cell::RefCell;

    use super::*;

    /// A machine on which one session may run.
    #[derive(Default)]
    struct Machine {
        records: RefCell<Option<String>>,
        refuses: bool,
    }

    impl Programs for Machine {
        fn program(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
            assert_eq!((program, arguments.last()), (LOGMAN, Some(&"-ets")));
            let mut records = self.records.borrow_mut();
            match (arguments[0], records.is_some()) {
                ("create", false) if !self.refuses => {
                    let file = arguments.iter().position(|argument| *argument == "-o").unwrap() + 1;
                    *records = Some(arguments[file].to_owned());
                }
                ("create", _) => return Err("Data Collector Set already exists.".to_owned()),
                ("query", true) => {}
                ("stop", true) => *records = None,
                _ => return Err("Data Collector Set was not found.".to_owned()),
            }
            Ok(String::new())
        }
    }

    #[test]
    fn session_that_records_goes_on_in_its_file() {
        let machine = Machine::default();
        start(&machine, Path::new("first.etl")).unwrap();
        start(&machine, Path::new("second.etl")).unwrap();
        assert_eq!(machine.records.borrow().as_deref(), Some("first.etl"));
        stop(&machine).unwrap();
        assert_eq!(*machine.records.borrow(), None);
        assert!(stop(&machine).is_err());
    }

    /// The names that the elements of the schema need, each with the attributes that the pages ask for:
    /// <https://learn.microsoft.com/windows-hardware/test/wpt/eventprovider>,
    /// <https://learn.microsoft.com/windows-hardware/test/wpt/2-system-and-event-provider-definitions> on their order.
    #[test]
    fn profile_records_what_a_run_does() {
        let text = include_str!("../../../../../softndk.wprp");
        let profile = roxmltree::Document::parse(text).unwrap();
        let all = |name| profile.descendants().filter(move |node| node.has_tag_name(name));
        let provider = all("EventProvider").next().unwrap();
        let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
        assert_eq!(provider.attribute("Name"), Some(PROVIDER.trim_matches(['{', '}'])));
        assert_eq!(provider.attribute("NonPagedMemory"), Some("true"));
        assert_eq!(provider.attribute("Level"), Some(LEVEL));
        let keywords: Vec<u64> = provider
            .descendants()
            .filter(|node| node.has_tag_name("Keyword"))
            .map(|node| number(node.attribute("Value").unwrap()))
            .collect();
        assert_eq!(keywords, [number(KEYWORDS), 1]);

        let order: Vec<&str> = profile
            .root_element()
            .first_element_child()
            .unwrap()
            .children()
            .filter(roxmltree::Node::is_element)
            .map(|node| node.tag_name().name())
            .collect();
        assert_eq!(order, ["EventCollector", "EventProvider", "Profile", "Profile"]);
        for (reference, definition) in
            [("EventCollectorId", "EventCollector"), ("EventProviderId", "EventProvider")]
        {
            let used = all(reference).next().and_then(|node| node.attribute("Value")).unwrap();
            assert!(all(definition).any(|node| node.attribute("Id") == Some(used)), "{used}");
        }
        for profile in all("Profile") {
            let [name, detail, mode] =
                ["Name", "DetailLevel", "LoggingMode"].map(|name| profile.attribute(name).unwrap());
            assert_eq!(profile.attribute("Id").unwrap(), format!("{name}.{detail}.{mode}"));
            let base = profile.attribute("Base");
            assert!(base.is_none_or(|base| all("Profile").any(|node| node.attribute("Id") == Some(base))));
        }
    }

    #[test]
    fn session_that_can_not_start_says_why() {
        let machine = Machine { refuses: true, ..Machine::default() };
        assert_eq!(start(&machine, Path::new("x.etl")).unwrap_err(), "Data Collector Set already exists.");
    }
}
