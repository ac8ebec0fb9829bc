//! The report as JUnit's XML, in the form that CI systems read (llg.cubic.org/docs/junit).

use core::fmt::Write as _;

use crate::selection::level_name;
use crate::suite::Run;

/// The XML document of a run that came to its end.
#[must_use]
pub fn junit(run: &Run) -> String {
    let (tests, failures, time) = (run.cases.len(), run.failed(), run.time().as_secs_f64());
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let _ = writeln!(
        xml,
        "<testsuite name=\"ndkhlk\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" time=\"{time:.6}\">"
    );
    for case in &run.cases {
        let (name, level) = (escaped(&case.name), level_name(case.level));
        let time = case.time.as_secs_f64();
        let _ = write!(xml, "<testcase classname=\"ndk.{level}\" name=\"{name}\" time=\"{time:.6}\"");
        match case.findings.first() {
            None => xml.push_str("/>\n"),
            Some(first) => {
                let all = escaped(&case.findings.join("\n"));
                let _ = writeln!(xml, "><failure message=\"{}\">{all}</failure></testcase>", escaped(first));
            }
        }
    }
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}

/// Text as XML may have it: what has a meaning is escaped, and what XML 1.0 can't say is replaced.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut text, char| {
        match char {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\n' | '\t' => text.push(char),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => text.push(char::REPLACEMENT_CHARACTER),
            char => text.push(char),
        }
        text
    })
}
