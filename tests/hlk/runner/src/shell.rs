//! Questions to PowerShell, which knows what no documented function tells, and to other programs of Windows.

use core::fmt::Write as _;

use serde::Deserialize;

/// A PowerShell of the machine.
pub trait Shell {
    /// Runs a script, and returns what it wrote to its output.
    ///
    /// # Errors
    /// What PowerShell says of it.
    fn run(&self, script: &str) -> Result<String, String>;
}

/// A machine whose programs can be run.
pub trait Programs {
    /// Runs a program of the system, and returns what it printed.
    ///
    /// # Errors
    /// What it printed on standard error, or that it could not be started.
    fn program(&self, program: &str, arguments: &[&str]) -> Result<String, String>;
}

/// An answer of PowerShell about one thing.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Row {
    /// The name of the thing.
    pub name: String,
    /// The answer.
    pub value: String,
}

/// Asks for the rows of a pipeline whose objects have `name` and `value`.
///
/// # Errors
/// What PowerShell says of it, or that its answer is none.
pub fn rows(shell: &impl Shell, pipeline: &str) -> Result<Vec<Row>, String> {
    let script = format!(
        "$ErrorActionPreference = 'Stop'; $ProgressPreference = 'SilentlyContinue'; \
         ConvertTo-Json -Compress -InputObject @({pipeline})"
    );
    let text = shell.run(&script)?;
    serde_json::from_str(text.trim()).map_err(|error| format!("{error} in {text:?}"))
}

/// A script as powershell.exe's `-EncodedCommand` takes it, in Base64 of UTF-16: no quoting stands in its way.
#[must_use]
pub fn encoded(script: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.chunks(3).fold(String::new(), |mut text, chunk| {
        let group = chunk
            .iter()
            .enumerate()
            .fold(0_u32, |group, (at, byte)| group | u32::from(*byte) << (16 - 8 * at));
        let digit = |at: u32| char::from(DIGITS[(group >> (18 - 6 * at)) as usize & 63]);
        let padded = |at: u32| if at as usize <= chunk.len() { digit(at) } else { '=' };
        let _ = write!(text, "{}{}{}{}", digit(0), digit(1), padded(2), padded(3));
        text
    })
}

/// A text as a literal of PowerShell.
#[must_use]
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_is_encoded_as_powershell_takes_it() {
        // [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes('dir "c:\program files"')), from Microsoft's page
        // "about_PowerShell_exe".
        let page = "ZABpAHIAIAAiAGMAOgBcAHAAcgBvAGcAcgBhAG0AIABmAGkAbABlAHMAIgAgAA==";
        assert_eq!(encoded("dir \"c:\\program files\" "), page);
        assert_eq!(
            (encoded(""), encoded("ab"), encoded("abc")),
            (String::new(), "YQBiAA==".into(), "YQBiAGMA".into())
        );
    }

    #[test]
    fn literal_ends_where_the_text_ends() {
        assert_eq!(literal("Bob's NIC"), "'Bob''s NIC'");
    }

    #[test]
    fn answer_that_is_no_list_is_an_error() {
        struct Says(&'static str);
        impl Shell for Says {
            fn run(&self, _: &str) -> Result<String, String> {
                Ok(self.0.to_owned())
            }
        }
        let row = Row { name: "Ethernet 4".to_owned(), value: "1".to_owned() };
        assert_eq!(rows(&Says("[{\"name\":\"Ethernet 4\",\"value\":\"1\"}]\r\n"), "x"), Ok(vec![row]));
        assert_eq!(rows(&Says("[]"), "x"), Ok(vec![]));
        assert!(rows(&Says("Get-NetAdapter : Access denied"), "x").is_err());
    }
}
