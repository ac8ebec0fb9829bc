//! How this crate declares what a driver imports.

/// Declares the functions that one system module exports, once for both sides of the call.
///
/// On Windows it yields the functions themselves, linked from the import library that is named after the
/// module. Everywhere it yields `signature`, with one function type per export, so that whoever
/// implements the function (the simulator) is checked against the same declaration.
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
    ) => {
        #[cfg(windows)]
        #[link(name = $library)]
        unsafe extern "win64" {
            $( $(#[$note])* pub fn $name($($argument: $type),*) $(-> $result)?; )*
            $($(
                $(#[$open_note])*
                pub fn $open_name($($open_argument: $open_type),*, ...) $(-> $open_result)?;
            )*)?
        }

        #[doc = concat!("The types of what `", $module, "` exports.")]
        pub mod signature {
            use super::*;
            $(
                $(#[$note])*
                pub type $name = unsafe extern "win64" fn($($argument: $type),*) $(-> $result)?;
            )*
            $($(
                $(#[$open_note])*
                pub type $open_name =
                    unsafe extern "win64" fn($($open_argument: $open_type),*, ...) $(-> $open_result)?;
            )*)?
        }
    };
}
