//! The provider's atomics in its tests: each access is a point, on demand.

use std::sync::atomic::Ordering;

use crate::points::{Point, atomic};

macro_rules! atomics {
    ($($name:ident: $value:ty),*) => {$(
        #[doc = concat!("`core::sync::atomic::", stringify!($name), "`, each access of which is a point on demand.")]
        #[derive(Debug, Default)]
        pub struct $name(std::sync::atomic::$name);

        #[expect(missing_docs, reason = "the operations are those of core's type")]
        impl $name {
            pub const fn new(value: $value) -> Self {
                Self(std::sync::atomic::$name::new(value))
            }

            fn at(&self) -> &std::sync::atomic::$name {
                atomic(Point::Atomic);
                &self.0
            }

            pub fn load(&self, order: Ordering) -> $value {
                self.at().load(order)
            }

            pub fn store(&self, value: $value, order: Ordering) {
                self.at().store(value, order);
            }

            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                self.at().swap(value, order)
            }

            pub fn compare_exchange(
                &self,
                present: $value,
                next: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.at().compare_exchange(present, next, success, failure)
            }

            pub fn compare_exchange_weak(
                &self,
                present: $value,
                next: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.at().compare_exchange_weak(present, next, success, failure)
            }
        }
    )*};
}

atomics!(AtomicBool: bool, AtomicU32: u32, AtomicU64: u64);

macro_rules! arithmetic {
    ($($name:ident: $value:ty { $($operation:ident),* }),*) => {$(
        #[expect(missing_docs, reason = "the operations are those of core's type")]
        impl $name {
            $(pub fn $operation(&self, value: $value, order: Ordering) -> $value {
                self.at().$operation(value, order)
            })*

            pub fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                mut next: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut present = self.load(fetch);
                while let Some(value) = next(present) {
                    match self.compare_exchange(present, value, set, fetch) {
                        Ok(earlier) => return Ok(earlier),
                        Err(now) => present = now,
                    }
                }
                Err(present)
            }
        }
    )*};
}

arithmetic!(
    AtomicU32: u32 { fetch_add, fetch_sub, fetch_or, fetch_and, fetch_max },
    AtomicU64: u64 { fetch_add, fetch_sub, fetch_or, fetch_and, fetch_max }
);
