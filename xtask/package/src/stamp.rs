//! Stamping: the INF from the INX, as stampinf makes it
//! ([Stampinf command options](https://learn.microsoft.com/windows-hardware/drivers/devtest/stampinf-command-options)).

use thiserror::Error;

use crate::time::Timestamp;

/// The values that are stamped into an INX.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// The date of the driver.
    pub time: Timestamp,
    /// Its version: four numbers of 16 bits, with dots between.
    pub version: &'a str,
    /// The architecture, `amd64` or `arm64`.
    pub architecture: &'a str,
    /// The KMDF version that the image binds to, `1.33`.
    pub kmdf_version: &'a str,
}

/// An INX can't be stamped.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StampError {
    /// The version is malformed.
    #[error("{0:?} is no driver version: four numbers up to 65535 with dots between")]
    Version(String),
    /// The INX has no line that takes date and version.
    #[error("the INX has no DriverVer line")]
    NoDriverVersion,
    /// A variable stays that stampinf does not know.
    #[error("line {line} of the INX: unknown variable {name}")]
    Variable {
        /// The line, from 1.
        line: usize,
        /// The variable with its dollar signs.
        name: String,
    },
}

impl Stamp<'_> {
    /// Makes the INF, with Windows' line ends.
    ///
    /// # Errors
    ///
    /// [`StampError`].
    pub fn apply(&self, inx: &str) -> Result<String, StampError> {
        let numbers: Vec<_> = self.version.split('.').map(str::parse::<u16>).collect();
        if numbers.len() != 4 || numbers.iter().any(Result::is_err) {
            return Err(StampError::Version(self.version.to_owned()));
        }
        let mut stamped = false;
        let mut inf = String::new();
        for (number, line) in (1..).zip(inx.lines()) {
            let is_comment = line.trim_start().starts_with(';');
            let line = if is_comment { line.to_owned() } else { self.line(line, number, &mut stamped)? };
            inf.push_str(&line);
            inf.push_str("\r\n");
        }
        if stamped { Ok(inf) } else { Err(StampError::NoDriverVersion) }
    }

    fn line(&self, line: &str, number: usize, stamped: &mut bool) -> Result<String, StampError> {
        let key = line.split('=').next().unwrap_or_default().trim();
        if key.eq_ignore_ascii_case("DriverVer") {
            *stamped = true;
            return Ok(format!("DriverVer   = {},{}", self.time.driver_date(), self.version));
        }
        let line = line.replace("$ARCH$", self.architecture).replace("$KMDFVERSION$", self.kmdf_version);
        // `$CHICAGO$` and `$WINDOWS NT$` are values of Signature.
        if !key.eq_ignore_ascii_case("Signature")
            && let [_, name, _, ..] = line.split('$').collect::<Vec<_>>().as_slice()
        {
            return Err(StampError::Variable { line: number, name: format!("${name}$") });
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(inx: &str, version: &str) -> Result<String, StampError> {
        let time = Timestamp::from_unix(1_700_000_000).unwrap();
        Stamp { time, version, architecture: "amd64", kmdf_version: "1.33" }.apply(inx)
    }

    #[test]
    fn date_version_architecture_and_framework_are_filled_in() {
        let inx = "; $ANY$\n[Version]\nSignature = \"$WINDOWS NT$\"\nDriverVer   =\n[softndk.NT$ARCH$.10.0]\n\
                   KmdfLibraryVersion = $KMDFVERSION$\n";
        let inf = "; $ANY$\r\n[Version]\r\nSignature = \"$WINDOWS NT$\"\r\nDriverVer   = 11/14/2023,0.1.0.0\r\n\
                   [softndk.NTamd64.10.0]\r\nKmdfLibraryVersion = 1.33\r\n";
        assert_eq!(stamp(inx, "0.1.0.0").as_deref(), Ok(inf));
    }

    #[test]
    fn inx_without_driver_version_or_with_unknown_variable_is_refused() {
        assert_eq!(stamp("[Version]\n", "0.1.0.0"), Err(StampError::NoDriverVersion));
        let unknown = StampError::Variable { line: 2, name: "$UMDF$".to_owned() };
        assert_eq!(stamp("DriverVer=\nx = $UMDF$", "0.1.0.0"), Err(unknown));
    }

    #[test]
    fn malformed_version_is_refused() {
        for version in ["0.1.0", "0.1.0.65536", "", "1.2.3.x"] {
            assert_eq!(stamp("DriverVer=", version), Err(StampError::Version(version.to_owned())));
        }
    }
}
