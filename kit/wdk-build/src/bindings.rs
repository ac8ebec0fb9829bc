//! The options with which bindgen reads the headers.

use core::borrow::Borrow;

use bindgen::{
    Builder, EnumVariation, Formatter, RustEdition,
    callbacks::{ItemInfo, ItemKind, ParseCallbacks},
};

use crate::{Config, ConfigError, headers, host::CLANG_TARGET};

/// The target for the headers of a WDK.
const WDK_TARGET: &str = "--target=x86_64-pc-windows-msvc";

/// Parts of a WDK's headers that bindgen can not express; the original leaves them out, too.
const INEXPRESSIBLE: &[&str] = &[
    ".*MCG_CAP(?:__bindgen.*)?",
    ".*WHEA_XPF_MCA_SECTION",
    ".*WHEA_ARM_BUS_ERROR(?:__bindgen.*)?",
    ".*WHEA_ARM_PROCESSOR_ERROR",
    ".*WHEA_ARM_CACHE_ERROR",
];

/// Types that a WDK's headers name and do not define.
const UNDEFINED: &[&str] = &["_KGDTENTRY64", "_KIDTENTRY64"];

/// Functions that the original leaves out of the bindings because Windows deprecates them.
const DEPRECATED: &[&str] = &[
    "ExAllocatePool",
    "ExAllocatePoolWithTag",
    "ExAllocatePoolWithQuotaTag",
    "ExAllocatePoolWithTagPriority",
];

/// Functions that mingw-w64's headers declare and the bindings over a WDK's do not have, one a line: a driver that builds
/// here builds there.
const ABSENT: &str = include_str!("absent.txt");

/// AMX tile types in clang's intrinsics, wider than bindgen can lay out.
const TOO_WIDE: &str = "_.*tile1024i.*";

/// Makes a [`Builder`] that is set for the DDK headers.
pub trait BuilderExt {
    /// A builder with the settings of the original, but for what only Microsoft's headers need.
    ///
    /// # Errors
    ///
    /// clang cannot be asked for its own headers.
    fn wdk_default(config: impl Borrow<Config>) -> Result<Builder, ConfigError>;
}

impl BuilderExt for Builder {
    fn wdk_default(config: impl Borrow<Config>) -> Result<Builder, ConfigError> {
        let config = config.borrow();
        let includes = config.include_paths()?.map(|path| format!("-I{}", path.display()));
        let definitions = config.preprocessor_definitions().map(|(name, value)| match value {
            Some(value) => format!("-D{name}={value}"),
            None => format!("-D{name}"),
        });
        let (target, inexpressible, undefined) = match headers::wdk() {
            Some(_) => (WDK_TARGET, INEXPRESSIBLE, UNDEFINED),
            None => (CLANG_TARGET, &[][..], &[][..]),
        };
        let builder = DEPRECATED
            .iter()
            .chain(inexpressible)
            .fold(Builder::default(), |builder, item| builder.blocklist_item(*item));
        let absent = match headers::wdk() {
            Some(_) => "",
            None => ABSENT,
        };
        let builder = absent.lines().fold(builder, |builder, name| builder.blocklist_function(name));
        let builder = undefined
            .iter()
            .fold(builder, |builder, undefined| builder.opaque_type(*undefined))
            .blocklist_item(TOO_WIDE)
            .use_core()
            .derive_default(true)
            .generate_cstr(true)
            .detect_include_paths(false)
            .clang_args([target, "-fms-extensions", "-fno-builtin", "-w"])
            .clang_args(includes)
            .clang_args(definitions)
            .must_use_type("NTSTATUS")
            .must_use_type("HRESULT")
            .default_enum_style(EnumVariation::ModuleConsts)
            .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()))
            .parse_callbacks(Box::new(FunctionTable(config.compute_wdffunctions_symbol_name())))
            .formatter(Formatter::Prettyplease)
            .rust_edition(RustEdition::Edition2024);
        Ok(builder)
    }
}

/// Gives KMDF's function table, whose symbol carries the version, the name that wdk-sys uses.
#[derive(Debug)]
struct FunctionTable(Option<String>);

impl ParseCallbacks for FunctionTable {
    fn generated_name_override(&self, item: ItemInfo<'_>) -> Option<String> {
        let is_table =
            matches!(item.kind, ItemKind::Var) && self.0.as_deref().is_some_and(|name| name == item.name);
        is_table.then(|| "WdfFunctions".to_owned())
    }
}
