//! An INF and the rules that it keeps, as far as they can be held without InfVerif.
//!
//! Each rule follows a page of [INF file sections and
//! directives](https://learn.microsoft.com/windows-hardware/drivers/install/inf-file-sections-and-directives); the test of a rule is an
//! INF that breaks it and nothing else. InfVerif on Windows remains the judge: it knows more.

mod event_log;
mod files;
mod install;
mod keywords;
mod parse;
mod structure;
#[cfg(test)]
mod tests;
mod version;

use core::fmt;

pub use parse::{Entry, Inf, ParseError, Section};

use crate::time::Timestamp;

/// The facts that the INF has to agree with.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Names of the files in the package's folder.
    pub files: &'a [&'a str],
    /// Now: the driver's date must not be later.
    pub now: Timestamp,
    /// The KMDF version that the image binds to, if it is a KMDF driver.
    pub kmdf_version: Option<&'a str>,
    /// The kind of driver.
    pub kind: Kind<'a>,
    /// Set if the INF is that of an NDK provider, whose keywords are then checked.
    pub network_direct: bool,
}

/// The kinds of drivers, by what they are for.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// Devices, by the hardware identifiers that tools and documentation use.
    Device(&'a [&'a str]),
    /// No device: a [primitive driver](https://learn.microsoft.com/windows-hardware/drivers/develop/creating-a-primitive-driver).
    Primitive,
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The line, from 1; 0 where something is missing.
    pub line: usize,
    /// The name of the rule.
    pub rule: Rule,
    /// The sentence that says what is wrong.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{:?}: {}", self.rule, self.text),
            line => write!(f, "line {line}: {:?}: {}", self.rule, self.text),
        }
    }
}

/// The rules of an INF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(strum::VariantArray))]
pub enum Rule {
    /// `Signature` is `"$WINDOWS NT$"` or `"$Windows NT$"`.
    Signature,
    /// `Class` and `ClassGuid` name the same setup class.
    Class,
    /// `Provider` and the manufacturer are there, and neither is Microsoft.
    Provider,
    /// `DriverVer` is a date that has come and four numbers.
    DriverVersion,
    /// `CatalogFile` names a file of the package.
    Catalog,
    /// `PnpLockdown = 1`: nothing but servicing writes to the driver's files.
    Lockdown,
    /// Every section that a directive names exists.
    MissingSection,
    /// Every section is named by a directive, or has a name that Windows looks for.
    UnusedSection,
    /// No section stands twice.
    RepeatedSection,
    /// Every `%string%` is defined.
    UndefinedString,
    /// Every string is used.
    UnusedString,
    /// Models are decorated with an architecture and an operating system.
    Decoration,
    /// The hardware identifiers are those that tools and documentation use.
    HardwareId,
    /// A driver without a device has no manufacturer, and an install section for an architecture instead of models.
    Primitive,
    /// Every file that is copied is listed in `SourceDisksFiles`, and every one that is listed is copied.
    CopiedFile,
    /// Every source file is in the package.
    SourceFile,
    /// Files run from the driver store: destination 13, and the service's binary there.
    DriverStore,
    /// A service section has type, start, error control and binary, with values that a kernel driver may have.
    Service,
    /// A device's service has a source in the event log, with its image as a message file and the types of its entries.
    EventLog,
    /// Registry entries stay below HKR.
    RegistryRoot,
    /// No directive that a driver package for Windows 10 may not use.
    Deprecated,
    /// `KmdfLibraryVersion` is what the image binds to.
    Framework,
    /// `*NetworkDirect` and `*NetworkDirectTechnology` are as "INF requirements for NDKPI" asks.
    NetworkDirect,
    /// Each keyword below `Ndi\Params` has a description, a type and a default that its type allows.
    Keyword,
}

/// Checks a stamped INF against every rule.
///
/// # Errors
///
/// [`ParseError`] if it is no INF.
pub fn check(text: &str, expected: &Expected<'_>) -> Result<Vec<Violation>, ParseError> {
    let inf = Inf::parse(text)?;
    let mut report = Report::default();
    version::check(&inf, expected, &mut report);
    structure::check(&inf, &mut report);
    install::check(&inf, expected, &mut report);
    event_log::check(&inf, expected, &mut report);
    files::check(&inf, expected, &mut report);
    keywords::check(&inf, expected, &mut report);
    let Report(mut violations) = report;
    violations.sort_by_key(|violation| violation.line);
    Ok(violations)
}

/// Collects violations.
#[derive(Default)]
struct Report(Vec<Violation>);

impl Report {
    fn add(&mut self, rule: Rule, line: usize, text: impl Into<String>) {
        self.0.push(Violation { line, rule, text: text.into() });
    }
}
