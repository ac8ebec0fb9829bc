//! The progress bar of a long phase.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for `length` bytes; it is drawn only on a terminal.
pub(super) fn bar(name: &str, length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length).with_prefix(name.to_owned());
    let template = "{prefix:18} {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
