//! Declarations of functions of the framework's table.

/// Declares functions of the table: `signature` holds their types, `index` their places.
///
/// Every function takes the driver's globals before the parameters that are written.
macro_rules! table_functions {
    ($(
        $(#[$note:meta])*
        $index:literal => fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;
    )*) => {
        /// The types of these functions.
        pub mod signature {
            use super::*;
            use crate::wdf::WDF_DRIVER_GLOBALS;
            $(
                $(#[$note])*
                pub type $name = unsafe extern "efiapi" fn(
                    DriverGlobals: *mut WDF_DRIVER_GLOBALS,
                    $($argument: $type),*
                ) $(-> $result)?;
            )*
        }

        /// Indices of these functions in the table.
        pub mod index {
            $(
                #[doc = concat!("The place of `", stringify!($name), "`.")]
                pub const $name: usize = $index;
            )*
        }
    };
}
