//! Macros that declare structures and enumerations.

/// Declares C structures and unions together with their published layout.
///
/// The number after the type's name is its size, the one before each member its offset, both as the
/// debugger's `dt` prints them; either being wrong is a compile error.
macro_rules! layout {
    ($(
        $(#[$attribute:meta])*
        $kind:ident $name:ident: $size:literal {
            $( $(#[$note:meta])* $offset:literal => $field:ident: $type:ty ),* $(,)?
        }
    )*) => {$(
        $(#[$attribute])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub $kind $name {
            $( $(#[$note])* pub $field: $type, )*
        }

        const _: () = {
            assert!(core::mem::size_of::<$name>() == $size);
            $( assert!(core::mem::offset_of!($name, $field) == $offset); )*
        };
    )*};
}

/// Declares a C enumeration as a transparent integer with named constants.
macro_rules! open_enum {
    ($(
        $(#[$attribute:meta])*
        enum $name:ident: $integer:ty {
            $( $(#[$note:meta])* $constant:ident = $value:expr ),* $(,)?
        }
    )*) => {$(
        $(#[$attribute])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub struct $name(pub $integer);

        impl $name {
            $( $(#[$note])* pub const $constant: Self = Self($value); )*
        }
    )*};
}

/// Declares several constants of one type.
macro_rules! constants {
    ($type:ty: $( $(#[$note:meta])* $name:ident = $value:expr; )*) => {
        $( $(#[$note])* pub const $name: $type = $value; )*
    };
}
