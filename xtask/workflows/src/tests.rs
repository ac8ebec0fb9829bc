//! The repository's own workflows and scripts keep every rule, and for each rule there is a change that breaks it.

use std::{collections::BTreeSet, fs, path::PathBuf};

use strum::VariantArray as _;

use super::{Rule, check, script};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names and texts of the files of a folder.
fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

fn workflow(name: &str) -> String {
    fs::read_to_string(root().join(".github/workflows").join(name)).unwrap()
}

#[test]
fn own_workflows_break_no_rule() {
    let workflows = files(".github/workflows", "yml");
    assert!(workflows.len() >= 3);
    for (name, text) in workflows {
        let violations: Vec<String> = check(&text, &root()).iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "{name}:\n{}", violations.join("\n"));
    }
}

#[test]
fn own_powershell_scripts_parse() {
    let scripts = files(".github/scripts", "ps1");
    assert!(scripts.len() >= 5);
    for (name, text) in scripts {
        assert_eq!(script::check(script::Shell::PowerShell, &text), Ok(()), "{name}");
    }
}

/// A workflow, a text in it, and the text in its place that breaks a rule.
const MISTAKES: &[(Rule, &str, &str, &str)] = &[
    (Rule::Form, "linux.yml", "jobs:\n", "jobs: [\n"),
    (Rule::Form, "linux.yml", "timeout-minutes: 120", "timeout-minuts: 120"),
    (Rule::Form, "linux.yml", "    runs-on: ubuntu-24.04\n", ""),
    (Rule::Form, "linux.yml", "name: linux\n", "name: linux\nname: twice\n"),
    (Rule::Permissions, "linux.yml", "permissions:\n  contents: read\n", ""),
    (Rule::Permissions, "linux.yml", "contents: read", "contents: write"),
    (Rule::Permissions, "linux.yml", "contents: read", "contents: read\n  id-token: write"),
    (Rule::Pinned, "linux.yml", "@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7"),
    (Rule::Pinned, "linux.yml", " # v7.0.1", ""),
    (Rule::Pinned, "linux.yml", "./.github/workflows/package.yml", "other/name/.github/workflows/a.yml@v1"),
    (Rule::Timeout, "linux.yml", "    timeout-minutes: 120\n", ""),
    (Rule::Timeout, "linux.yml", "timeout-minutes: 120", "timeout-minutes: 500"),
    (Rule::Needs, "windows.yml", "needs: [package, build]", "needs: [package, bild]"),
    (Rule::Step, "linux.yml", "run: cargo xtask test", "shell: cmd\n        run: cargo xtask test"),
    (Rule::Step, "linux.yml", "run: cargo xtask test", "if: always()"),
    (Rule::Step, "linux.yml", "- name: Run every check\n        run", "- run"),
    (Rule::Expression, "linux.yml", "run: cargo xtask test", "run: echo ${{ github.head_ref }}"),
    (Rule::Script, "linux.yml", "run: cargo xtask test", "run: if true; then cargo xtask test"),
    (Rule::Script, "windows.yml", "          cargo --version\n", "          if (cargo --version {\n"),
    (Rule::File, "windows.yml", "scripts/machine.ps1", "scripts/machina.ps1"),
    (Rule::File, "linux.yml", "workflows/package.yml", "workflows/packge.yml"),
    (Rule::Target, "linux.yml", "rustup target add x86_64-pc-windows-msvc", "rustup show"),
    (
        Rule::Evidence,
        "windows.yml",
        "- name: Collect\n        if: ${{ !cancelled() }}",
        "- name: Collect\n        if: ${{ !cancelled() && steps.install.outcome != 'skipped' }}",
    ),
    (
        Rule::Evidence,
        "windows.yml",
        "- name: Gather dumps and logs\n        if: ${{ !cancelled() }}\n",
        "- name: Gather dumps and logs\n",
    ),
    (
        Rule::Evidence,
        "windows.yml",
        "- name: Hand them over\n        if: ${{ !cancelled() }}\n",
        "- name: Hand them over\n        if: ${{ success() }}\n",
    ),
    (Rule::Target, "windows.yml", "rustup target add aarch64-pc-windows-msvc", "rustup show"),
];

#[test]
fn each_mistake_breaks_its_rule_and_no_other() {
    for (rule, name, right, wrong) in MISTAKES {
        let text = workflow(name);
        assert!(text.contains(right), "{name} has no {right:?}");
        let found: BTreeSet<Rule> =
            check(&text.replacen(right, wrong, 1), &root()).iter().map(|violation| violation.rule).collect();
        assert_eq!(found, BTreeSet::from([*rule]), "{name}: {right:?} -> {wrong:?}");
    }
}

/// ARM64 is built nowhere but there, so that it is has to be seen to.
#[test]
fn windows_workflow_builds_both_drivers_for_arm64() {
    let text = workflow("windows.yml");
    let builds = text.lines().filter(|line| line.contains("cargo build"));
    let of_arm64: Vec<&str> = builds.filter(|line| line.contains("aarch64-pc-windows-msvc")).collect();
    let [build] = of_arm64[..] else { panic!("{of_arm64:?}") };
    for part in ["--release", "--package softndk", "--package ndkhlk", "--config .cargo/drivers.toml"] {
        assert!(build.contains(part), "no {part} in {build}");
    }
}

/// A machine that takes no check without a restart, or no certificate, has a run to show all the same; what the run is not
/// stands in a warning.
#[test]
fn scripts_before_installation_warn_and_do_not_end_the_job() {
    for (name, warning) in
        [("verifier.ps1", "::warning::NOT verified"), ("trust.ps1", "::warning::NOT trusted")]
    {
        let text = fs::read_to_string(root().join(".github/scripts").join(name)).unwrap();
        let exits: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("exit ")).collect();
        assert!(text.contains(warning) && !text.contains("::error::"), "{name} has no warning or an error");
        assert!(
            exits.iter().all(|line| *line == "exit 0") && text.ends_with("exit 0\n"),
            "{name}: {exits:?}"
        );
    }
}

/// Checks are on before the drivers are loaded, and what Driver Verifier answers to a query counts, not its exit code.
#[test]
fn verifier_script_adds_drivers_first_and_judges_by_query() {
    let text = fs::read_to_string(root().join(".github/scripts/verifier.ps1")).unwrap();
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part}"));
    assert!(at("/adddriver @Driver") < at("verifier @($set.Arguments)"));
    assert!(at("verifier @($set.Arguments)") < at("verifier /query | Out-String"));
    assert!(!text.contains("$LASTEXITCODE -eq") && !text.contains("$code -eq"), "an exit code is judged");
}

/// A workflow whose job downloads what it does not upload.
const ARTIFACT: &str = "
name: a
on:
  push:
permissions: {}
jobs:
  a:
    runs-on: ubuntu-24.04
    timeout-minutes: 1
    steps:
      - uses: actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0
        with: { name: one, path: x }
      - uses: actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1
        with: { name: one, path: y }
";

#[test]
fn artifact_that_no_job_uploads_is_found() {
    assert_eq!(check(ARTIFACT, &root()), []);
    let broken = ARTIFACT.replace("name: one, path: y", "name: two, path: y");
    let rules: Vec<Rule> = check(&broken, &root()).iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, [Rule::Artifact]);
}

#[test]
fn each_rule_has_a_mistake() {
    let mut shown: BTreeSet<Rule> = MISTAKES.iter().map(|(rule, ..)| *rule).collect();
    shown.insert(Rule::Artifact);
    assert_eq!(shown, Rule::VARIANTS.iter().copied().collect());
}

/// Changes that make a script of the repository none.
#[test]
fn broken_powershell_is_refused_with_its_line() {
    for (right, wrong) in [
        ("if ($checks -eq 0 -or $missing.Count -ne 0)", "if $checks -eq 0 -or $missing.Count -ne 0"),
        (
            "param([Parameter(Mandatory)] [string[]] $Driver)",
            "param([Parameter(Mandatory] [string[]] $Driver)",
        ),
        ("        break\n    }", "        break\n"),
        ("    $checks\n}", "    $checks\n}}"),
    ] {
        let text = fs::read_to_string(root().join(".github/scripts/verifier.ps1")).unwrap();
        assert!(text.contains(right), "{right}");
        let result = script::check(script::Shell::PowerShell, &text.replacen(right, wrong, 1));
        assert!(result.as_ref().is_err_and(|fault| fault.contains("line ")), "{wrong}: {result:?}");
    }
}

#[test]
fn broken_shell_script_is_refused() {
    assert_eq!(script::check(script::Shell::Bash, "cd \"$HOME\"\n"), Ok(()));
    assert!(script::check(script::Shell::Bash, "cd \"$HOME\n").is_err());
}
