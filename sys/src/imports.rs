//! Macros that declare what a driver imports.

/// Declares the functions and variables that one system module exports, once for both sides of the import.
///
/// On Windows it yields the functions and variables themselves, linked from the import library that is named after
/// the module. Everywhere it yields `signature`, with the type of each export, so that an implementation (the
/// simulator's) is checked against the same declaration. The loader writes a variable's address into the import
/// table, and rustc reads the variable through that (`dllimport`).
macro_rules! imports {
    (
        $module:literal, $library:literal;
        $(
            $(#[$note:meta])*
            fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;
        )*
        $(variadic {$(
            $(#[$open_note:meta])*
            fn $open_name:ident($($open_argument:ident: $open_type:ty),*) $(-> $open_result:ty)?;
        )*})?
        $(data {$(
            $(#[$data_note:meta])*
            static $data_name:ident: $data_type:ty;
        )*})?
    ) => {
        #[cfg(windows)]
        #[link(name = $library)]
        #[expect(unsafe_code, reason = "the functions are those of the module")]
        unsafe extern "efiapi" {
            $( $(#[$note])* pub fn $name($($argument: $type),*) $(-> $result)?; )*
            $($(
                $(#[$open_note])*
                pub fn $open_name($($open_argument: $open_type),*, ...) $(-> $open_result)?;
            )*)?
            $($( $(#[$data_note])* pub static $data_name: $data_type; )*)?
        }

        #[doc = concat!("The types of what `", $module, "` exports.")]
        pub mod signature {
            use super::*;
            $(
                $(#[$note])*
                pub type $name = unsafe extern "efiapi" fn($($argument: $type),*) $(-> $result)?;
            )*
            $($(
                $(#[$open_note])*
                pub type $open_name =
                    unsafe extern "efiapi" fn($($open_argument: $open_type),*, ...) $(-> $open_result)?;
            )*)?
            $($( $(#[$data_note])* pub type $data_name = $data_type; )*)?
        }
    };
}
