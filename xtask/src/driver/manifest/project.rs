//! A driver's project file for Visual Studio (.vcxproj), as far as a build of its Release configuration for x64 needs it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use roxmltree::{Document, Node};

/// The configuration that is built, as conditions name it.
const CONFIGURATION: &str = "Release|x64";

/// The parts of a project that are understood.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Project {
    /// The sources in C.
    pub(super) sources: Vec<PathBuf>,
    /// The definitions, as `NAME` or `NAME=VALUE`.
    pub(super) definitions: Vec<String>,
    /// The trace functions that WPP is told of.
    pub(super) trace_functions: Vec<String>,
    /// True if the project says that the driver uses KMDF.
    pub(super) framework: bool,
}

impl Project {
    /// Reads the project file at `path`.
    ///
    /// # Errors
    ///
    /// The file can't be read, is no XML, or names no source in C.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let project = Self::parse(text.trim_start_matches('\u{FEFF}'), folder)?;
        if project.sources.is_empty() { Err("the project has no source in C".into()) } else { Ok(project) }
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let document = Document::parse(text).map_err(|error| error.to_string())?;
        let mut project = Self::default();
        for node in document.descendants().filter(|node| node.is_element() && applies(*node)) {
            let text = node.text().unwrap_or_default().trim();
            let compiles =
                node.parent_element().is_some_and(|parent| parent.tag_name().name() == "ClCompile");
            match node.tag_name().name() {
                "ClCompile" => project.sources.extend(sources(node.attribute("Include"), folder)),
                "PreprocessorDefinitions" if compiles => project.definitions.extend(list(text)),
                "WppTraceFunction" if compiles => {
                    project.trace_functions.extend(text.split('(').next().map(|name| name.trim().to_owned()));
                }
                "DriverType" => project.framework |= text == "KMDF",
                _ => {}
            }
        }
        project.definitions.dedup();
        project.trace_functions.dedup();
        Ok(project)
    }
}

/// Returns true if no condition of the node, or above it, is about another configuration.
fn applies(node: Node<'_, '_>) -> bool {
    let conditions = node.ancestors().filter_map(|above| above.attribute("Condition"));
    conditions
        .filter(|condition| condition.contains("$(Configuration)"))
        .all(|condition| condition.contains(CONFIGURATION))
}

/// The entries of a list, but for those that continue an inherited one.
fn list(text: &str) -> Vec<String> {
    let entries = text.split(';').map(str::trim);
    entries
        .filter(|entry| !entry.is_empty() && !entry.contains("%(") && !entry.contains("$("))
        .map(str::to_owned)
        .collect()
}

fn sources(include: Option<&str>, folder: &Path) -> Vec<PathBuf> {
    let named = list(include.unwrap_or_default());
    named
        .iter()
        .filter(|name| name.to_lowercase().ends_with(".c"))
        .map(|name| folder.join(name.replace('\\', "/")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = r#"<Project xmlns="http://schemas.microsoft.com/developer/msbuild/2003">
      <PropertyGroup Condition="'$(Configuration)|$(Platform)'=='Release|x64'"><DriverType>WDM</DriverType></PropertyGroup>
      <PropertyGroup Condition="'$(Configuration)|$(Platform)'=='Debug|x64'"><DriverType>KMDF</DriverType></PropertyGroup>
      <ItemGroup><ClCompile Include="..\a.c; b.C; c.cpp"><WppTraceFunction>TRACE(LEVEL,MSG,...)</WppTraceFunction></ClCompile></ItemGroup>
      <ItemDefinitionGroup Condition="'$(Configuration)|$(Platform)'=='Release|x64'">
        <ClCompile><PreprocessorDefinitions>%(PreprocessorDefinitions);ONE=1;TWO</PreprocessorDefinitions></ClCompile>
        <Midl><PreprocessorDefinitions>NOT=1</PreprocessorDefinitions></Midl>
      </ItemDefinitionGroup>
      <ItemDefinitionGroup Condition="'$(Configuration)|$(Platform)'=='Debug|x64'">
        <ClCompile><PreprocessorDefinitions>DBG=1</PreprocessorDefinitions></ClCompile>
      </ItemDefinitionGroup></Project>"#;

    #[test]
    fn project_has_what_its_release_configuration_compiles() {
        let project = Project::parse(PROJECT, Path::new("/at/project")).unwrap();
        let expected = Project {
            sources: vec!["/at/project/../a.c".into(), "/at/project/b.C".into()],
            definitions: vec!["ONE=1".into(), "TWO".into()],
            trace_functions: vec!["TRACE".into()],
            framework: false,
        };
        assert_eq!(project, expected);
    }

    #[test]
    fn file_that_is_no_project_is_refused() {
        assert!(Project::parse("<Project>", Path::new(".")).is_err());
    }
}
