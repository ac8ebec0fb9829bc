//! `cargo xtask performance`: docs/performance.md from what the commands print on this machine.

mod floor;

use std::{
    env,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{failure::CommandError, root, step::Step};

/// Bytes of the file that is moved.
const LENGTH: u64 = 1 << 30;

/// The options of the page.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Measure the driver that was built in DIR, a checkout of an earlier commit, beside this one's.
    #[arg(long, value_name = "DIR")]
    before: Option<PathBuf>,
}

/// Runs the commands and writes the page.
pub(crate) fn write(options: &Options) -> Result<(), CommandError> {
    let page = root().join("docs/performance.md");
    let file = random_file()?;
    let name = file.to_string_lossy().into_owned();
    let mut text = format!(
        "# Figures of one run\n\n`cargo xtask performance` writes this page: what the commands printed on {}, at commit {}. \
         The simulator is below the driver, so create and close are mostly its pool, and nothing here says what \
         Windows would measure. FILE has 1 GiB of random bytes.\n",
        machine(),
        root::commit(root())
    );
    let before = options.before.as_ref().map(|folder| folder.to_string_lossy().into_owned());
    let mut bench = vec!["bench"];
    if let Some(folder) = &before {
        text.push_str("BEFORE is a checkout of an earlier commit, in which `cargo xtask build` was run.\n");
        bench.extend(["--before", folder]);
    }
    for (heading, arguments) in [
        ("A file through NDKPI", vec!["run", &name]),
        ("A file through the legacy transport", vec!["run", "--tdi", &name]),
        ("The data path", bench),
        ("Over TCP", vec!["bench", "--wire"]),
    ] {
        let step = Step::start(arguments[..arguments.len().min(2)].join(" "));
        let output = printed(&arguments)?.replace(&name, "FILE");
        step.done();
        let shown = |argument: &&str| match *argument {
            file if file == name => "FILE".to_owned(),
            folder if before.as_deref() == Some(folder) => "BEFORE".to_owned(),
            argument => argument.to_owned(),
        };
        let command = arguments.iter().map(shown).collect::<Vec<_>>().join(" ");
        text.push_str(&format!(
            "\n## {heading}\n\n```console\n$ cargo xtask {command}\n```\n\n```text\n{}\n```\n",
            trimmed(&output)
        ));
    }
    text.push_str(&format!("\n{}\n", floor::paragraph()));
    fs::remove_file(&file).map_err(|error| CommandError::file(&file, &error))?;
    fs::write(&page, text).map_err(|error| CommandError::file(&page, &error))?;
    println!("{}", page.display());
    Ok(())
}

/// A file of random bytes, which no cache or compressor makes faster.
fn random_file() -> Result<PathBuf, CommandError> {
    let path = root().join("target/random.bin");
    let copy = |path: &Path| -> io::Result<u64> {
        let mut random = File::open("/dev/urandom")?.take(LENGTH);
        io::copy(&mut random, &mut File::create(path)?)
    };
    copy(&path).map_err(|error| CommandError::file(&path, &error))?;
    Ok(path)
}

/// Standard output of a command of this program.
fn printed(arguments: &[&str]) -> Result<String, CommandError> {
    let own = env::current_exe().map_err(|error| CommandError::work(error.to_string()))?;
    let output = Command::new(own).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| CommandError::work(error.to_string()))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(CommandError::work(format!("cargo xtask {} failed, see above", arguments.join(" "))))
    }
}

/// The lines without blanks at their ends, and without empty ones around them.
fn trimmed(output: &str) -> String {
    let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// The processor, and how many of it there are.
fn machine() -> String {
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{count} virtual processors of {model}")
}

#[cfg(test)]
mod tests {
    use super::trimmed;

    #[test]
    fn output_loses_blanks_at_ends_of_lines_and_empty_lines_around() {
        assert_eq!(trimmed("\n\n  a  \n\n b\n\n"), "  a\n\n b");
    }
}
