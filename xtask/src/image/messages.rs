//! The message table of softndk.sys: the texts of what it writes to the event log.
//!
//! <https://learn.microsoft.com/windows/win32/eventlog/message-text-files>

use std::{collections::BTreeMap, fs};

use object::read::pe::PeFile64;

use self::source::{Message, RT_MESSAGETABLE};
use super::{Violation, resources};
use crate::{failure::CommandError, root};

/// The reader of the source, and the writer of the table: a module of the drivers' build script.
#[path = "../../../build/messages.rs"]
mod source;

const TABLE: &str = "message table";

/// The messages of the driver, each by its code.
pub(crate) fn of_driver() -> Result<BTreeMap<u32, Message>, CommandError> {
    let path = root().join("driver/messages.mc");
    let text = fs::read_to_string(&path).map_err(|error| CommandError::file(&path, &error))?;
    source::parse(&text).map_err(|why| CommandError::work(format!("{}: {why}", path.display())))
}

/// The message table of an image.
pub(crate) fn table<'data>(image: &PeFile64<'data>) -> Option<&'data [u8]> {
    resources::first(image, RT_MESSAGETABLE)
}

/// Checks that the image has the table of these messages.
pub(super) fn check(image: &PeFile64<'_>, messages: &BTreeMap<u32, Message>, faults: &mut Vec<Violation>) {
    let right = source::table(messages).unwrap_or_default();
    match table(image) {
        None => faults.push(Violation::Absent(TABLE)),
        Some(found) if found != right => faults.push(Violation::Messages),
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sample::Sample;

    const HEAD: &str = "SeverityNames=(Informational=0x1 Error=0x3)\n";
    const FIRST: &str =
        "MessageId=0x1389\nSeverity=Error\nFacility=System\nSymbolicName=A\nLanguage=English\n%2: a\n.\n";

    fn parsed(text: &str) -> Result<Vec<(u32, String, String)>, String> {
        let messages = source::parse(&format!("; about\n\n{HEAD}{text}"))?;
        Ok(messages.into_iter().map(|(code, message)| (code, message.name, message.text)).collect())
    }

    #[test]
    fn code_of_message_has_its_severity_and_text_its_line_ends() {
        let second = "MessageId=5\nSeverity=Informational\nFacility=System\nSymbolicName=B\nLanguage=English\nb\nc\n.\n";
        let found = parsed(&format!("{FIRST}{second}")).unwrap();
        let row = |code, name: &str, text: &str| (code, name.to_owned(), text.to_owned());
        assert_eq!(found, [row(0x4000_0005, "B", "b\r\nc\r\n"), row(0xC000_1389, "A", "%2: a\r\n")]);
    }

    #[test]
    fn source_of_another_form_is_refused() {
        for (right, wrong) in [
            ("MessageId", "Message"),
            ("MessageId=0x1389\n", ""),
            ("=0x1389", "=x"),
            ("=Error", "=Mistake"),
            ("=System", "=Other"),
            ("SymbolicName=A\n", ""),
            ("Language=English\n", ""),
        ] {
            assert!(parsed(&FIRST.replacen(right, wrong, 1)).is_err(), "{right:?} -> {wrong:?}");
        }
        assert!(parsed(&format!("{FIRST}{FIRST}")).unwrap_err().contains("another text for a code"));
    }

    #[test]
    fn image_without_messages_is_refused() {
        let sample = Sample::good();
        let mut faults = Vec::new();
        let messages = of_driver().unwrap();
        check(&PeFile64::parse(&*sample.bytes).unwrap(), &messages, &mut faults);
        assert_eq!(faults, [Violation::Absent(TABLE)]);
    }

    /// Each code that the driver names has its message, with the code that it has in `sys`.
    #[test]
    fn every_code_that_the_driver_logs_has_a_message() {
        let codes = fs::read_to_string(root().join("sys/src/ndis/error_log.rs")).unwrap();
        let codes: BTreeMap<String, u32> = codes
            .lines()
            .filter_map(|line| line.trim().strip_suffix(';')?.split_once(" = 0x"))
            .filter_map(|(name, code)| {
                Some((name.to_owned(), u32::from_str_radix(&code.replace('_', ""), 16).ok()?))
            })
            .collect();
        let mut logged = Vec::new();
        let mut folders = vec![root().join("driver")];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(path).unwrap();
                    let names = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                    logged
                        .extend(names.filter(|name| name.starts_with("NDIS_ERROR_CODE_")).map(str::to_owned));
                }
            }
        }
        assert!(!logged.is_empty());
        let messages = of_driver().unwrap();
        for name in logged {
            let code = codes.get(&name).unwrap_or_else(|| panic!("{name} is not in sys"));
            assert_eq!(messages.get(code).map(|message| &message.name), Some(&name), "{code:#x}");
        }
    }
}
