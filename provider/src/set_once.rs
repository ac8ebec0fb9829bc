//! A value that is set once, and then read without a lock.

#![expect(unsafe_code, reason = "the value is written while no thread reads it")]

use crate::sync::{AtomicU32, Ordering, UnsafeCell};

const EMPTY: u32 = 0;
const WRITING: u32 = 1;
const SET: u32 = 2;

/// See the module's head.
pub(crate) struct SetOnce<T> {
    state: AtomicU32,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is written by the one thread that moved the state from EMPTY, and read after it is SET.
unsafe impl<T: Send + Sync> Send for SetOnce<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for SetOnce<T> {}

impl<T> SetOnce<T> {
    /// The offsets of the state, of four bytes, and of the value, an option, for a debugger.
    pub(crate) const PLACES: [usize; 2] =
        [core::mem::offset_of!(Self, state), core::mem::offset_of!(Self, value)];

    /// The state in which there is a value, for a debugger.
    pub(crate) const SET: u32 = SET;

    /// Not set.
    pub(crate) fn new() -> Self {
        Self { state: AtomicU32::new(EMPTY), value: UnsafeCell::new(None) }
    }

    /// Sets the value; if it was set before, `value` is dropped.
    pub(crate) fn set(&self, value: T) {
        if self.state.compare_exchange(EMPTY, WRITING, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        self.value.with_mut(|cell| {
            // SAFETY: this thread alone moved the state from EMPTY, and there is no reader before it is SET.
            unsafe { *cell = Some(value) };
        });
        self.state.store(SET, Ordering::Release);
    }

    /// The value, if it was set.
    pub(crate) fn get(&self) -> Option<&T> {
        if self.state.load(Ordering::Acquire) != SET {
            return None;
        }
        // SAFETY: it is SET, so it is not written any more until `self` is dropped.
        self.value.with(|cell| unsafe { (*cell).as_ref() })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn set_twice_keeps_the_first_value() {
        let (first, second) = (Arc::new(1), Arc::new(2));
        let once = SetOnce::new();
        assert!(once.get().is_none());
        once.set(first.clone());
        once.set(second.clone());
        assert_eq!(once.get().map(|value| **value), Some(1));
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (2, 1));
        drop(once);
        assert_eq!(Arc::strong_count(&first), 1);
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn set_by_two_threads_is_read_whole_or_not_at_all() {
        loom::model(|| {
            let once = Arc::new(SetOnce::new());
            let setters: Vec<_> = [1, 2]
                .map(|value| {
                    let once = once.clone();
                    thread::spawn(move || once.set(value))
                })
                .into_iter()
                .collect();
            let early = once.get().copied();
            for setter in setters {
                setter.join().unwrap();
            }
            let late = once.get().copied();
            assert!(late == Some(1) || late == Some(2));
            assert!(early.is_none() || early == late);
        });
    }
}
