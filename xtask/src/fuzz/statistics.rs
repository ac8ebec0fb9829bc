//! Parser of libFuzzer's standard error.
//!
//! Lines of progress are `#<executions>\t<event> cov: <edges> ft: ... corp: <inputs>/<bytes> ...`; the last lines
//! are `stat::<name>: <number>`. In between is the target's own output.

use std::path::PathBuf;

/// The number of executions, and the part of the target that they reached.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Statistics {
    pub(super) executions: u64,
    /// Edges of the control flow that were taken.
    pub(super) edges: u64,
    /// The most memory that was resident, in MiB.
    pub(super) peak_mib: u64,
}

impl Statistics {
    /// Reads all that a run wrote. What a run that was cut short does not say is taken from its last line of
    /// progress, or is 0.
    pub(super) fn read(text: &str) -> Self {
        let progress = || text.lines().rev().filter(|line| line.starts_with('#'));
        let executed = || progress().find_map(|line| leading_number(line.strip_prefix('#')?));
        Self {
            executions: last(text, "number_of_executed_units").or_else(executed).unwrap_or_default(),
            edges: progress().find_map(|line| number_after(line, " cov: ")).unwrap_or_default(),
            peak_mib: last(text, "peak_rss_mb").unwrap_or_default(),
        }
    }
}

/// The finding of a run that failed.
#[derive(Debug, PartialEq)]
pub(super) struct Finding {
    /// In the target's own words, or in libFuzzer's.
    pub(super) what: String,
    /// The input that leads to it.
    pub(super) file: Option<PathBuf>,
}

impl Finding {
    /// Reads all that a run wrote which failed.
    pub(super) fn read(text: &str) -> Self {
        let what = panic(text).or_else(|| summary(text)).unwrap_or_else(|| "failed".to_owned());
        let file = text.lines().filter_map(|line| line.split_once("Test unit written to ")).next_back();
        Self { what, file: file.map(|(_, path)| path.trim().into()) }
    }

    /// A line with the finding, its input, and the command to see it again.
    pub(super) fn line(&self, target: &str) -> String {
        let file = self.file.as_deref().unwrap_or("?".as_ref()).display();
        format!("{target}: {}: cargo xtask fuzz {target} --replay {file}", self.what)
    }
}

/// The last of the final figures with a name.
fn last(text: &str, name: &str) -> Option<u64> {
    let start = format!("stat::{name}:");
    text.lines().rev().find_map(|line| leading_number(line.strip_prefix(&start)?.trim_start()))
}

fn number_after(line: &str, label: &str) -> Option<u64> {
    leading_number(line.split_once(label)?.1.trim_start())
}

fn leading_number(text: &str) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// The place and the message of the first panic. The message is the line after the place.
fn panic(text: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| !line.contains(" panicked at "));
    let (_, place) = lines.next()?.split_once(" panicked at ")?;
    Some(format!("{place} {}", lines.next().unwrap_or_default()))
}

/// The last summary of a sanitizer or of libFuzzer.
fn summary(text: &str) -> Option<String> {
    text.lines().rev().find_map(|line| line.strip_prefix("SUMMARY: ")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: &str = "INFO: Seed: 1\n\
        #6\tINITED cov: 116 ft: 116 corp: 5/222b exec/s: 0 rss: 34Mb\n\
        #1979\tREDUCE cov: 134 ft: 136 corp: 23/1005b lim: 83 exec/s: 0 rss: 40Mb L: 30/83 MS: 1 EraseBytes-\n\
        #2000\tDONE   cov: 135 ft: 136 corp: 23/1005b lim: 83 exec/s: 0 rss: 41Mb\n\
        Done 2000 runs in 0 second(s)\n\
        stat::number_of_executed_units: 2000\n\
        stat::average_exec_per_sec:     0\n\
        stat::new_units_added:          34\n\
        stat::slowest_unit_time_sec:    0\n\
        stat::peak_rss_mb:              41\n";

    const PANIC: &str = "#2\tINITED cov: 2465 ft: 2465 corp: 1/1b exec/s: 0 rss: 41Mb\n\
        \n\
        thread '<unnamed>' (4135) panicked at tdi/src/ea.rs:42:9:\n\
        index out of bounds: the len is 3 but the index is 3\n\
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n\
        ==4135== ERROR: libFuzzer: deadly signal\n\
        SUMMARY: libFuzzer: deadly signal\n\
        artifact_prefix='/x/findings/'; Test unit written to /x/findings/crash-adc8\n\
        Base64: Cg==\n\
        stat::number_of_executed_units: 4\n";

    #[test]
    fn final_figures_are_read() {
        assert_eq!(Statistics::read(CLEAN), Statistics { executions: 2000, edges: 135, peak_mib: 41 });
    }

    #[test]
    fn run_without_final_figures_has_those_of_its_last_progress() {
        let cut = CLEAN.split_once("#2000").unwrap().0;
        assert_eq!(Statistics::read(cut), Statistics { executions: 1979, edges: 134, peak_mib: 0 });
        assert_eq!(Statistics::read(""), Statistics::default());
    }

    #[test]
    fn output_of_a_target_is_no_figure() {
        let noise =
            format!("{CLEAN}# cov: x\n#\u{fffd}7 cov: 9999\nsee stat::peak_rss_mb: 7\nstat::peak_rss_mb:\n");
        assert_eq!(Statistics::read(&noise), Statistics { executions: 2000, edges: 9999, peak_mib: 41 });
    }

    #[test]
    fn panic_is_told_by_its_place_and_message() {
        let finding = Finding::read(PANIC);
        assert_eq!(finding.what, "tdi/src/ea.rs:42:9: index out of bounds: the len is 3 but the index is 3");
        assert_eq!(finding.file, Some("/x/findings/crash-adc8".into()));
        let line = finding.line("attributes");
        assert!(line.ends_with(": cargo xtask fuzz attributes --replay /x/findings/crash-adc8"), "{line}");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn failure_without_a_panic_is_told_by_the_last_summary() {
        let text = "SUMMARY: AddressSanitizer: 384 byte(s) leaked in 3 allocation(s).\n\
            artifact_prefix='./'; Test unit written to ./leak-adc8\n";
        let finding = Finding::read(text);
        assert_eq!(finding.what, "AddressSanitizer: 384 byte(s) leaked in 3 allocation(s).");
        assert_eq!(finding.file, Some("./leak-adc8".into()));
    }

    #[test]
    fn run_that_failed_before_it_ran_anything_has_no_input_to_show() {
        assert_eq!(Finding::read("no such option"), Finding { what: "failed".to_owned(), file: None });
    }
}
