//! A device that adapters and open files share.

/// The references that keep a device, which is there from the first adapter until neither an adapter nor a file needs it.
/// No page says that NDIS dispatches the requests of open files after it is deregistered.
#[derive(Debug)]
pub struct SharedDevice<R> {
    adapters: usize,
    files: usize,
    registered: Option<R>,
}

impl<R> SharedDevice<R> {
    /// No device yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a static needs a constant")]
    pub const fn new() -> Self {
        Self { adapters: 0, files: 0, registered: None }
    }

    /// Counts an adapter, and registers the device if there is none. `register` is called out of this crate.
    ///
    /// # Errors
    ///
    /// That of `register`, or `too_many`; nothing is counted then.
    pub fn adapter_comes<E>(
        &mut self,
        too_many: E,
        register: impl FnOnce() -> Result<R, E>,
    ) -> Result<(), E> {
        let adapters = self.adapters.checked_add(1).ok_or(too_many)?;
        if self.registered.is_none() {
            self.registered = Some(register()?);
        }
        self.adapters = adapters;
        Ok(())
    }

    /// Counts an adapter as gone; [`SharedDevice::take_unused`] is to follow.
    pub const fn adapter_goes(&mut self) {
        self.adapters = self.adapters.saturating_sub(1);
    }

    /// Counts a file that is being opened; `false`, and nothing is counted, if the device that `is_its` looks for is not
    /// this one.
    #[must_use]
    pub fn file_opens(&mut self, is_its: impl FnOnce(&R) -> bool) -> bool {
        let files = self.files.checked_add(1).filter(|_| self.registered.as_ref().is_some_and(is_its));
        self.files = files.unwrap_or(self.files);
        files.is_some()
    }

    /// Counts a file as closed, or as not opened after all. Returns whether [`SharedDevice::take_unused`] is to follow.
    #[must_use]
    pub const fn file_closes(&mut self) -> bool {
        self.files = self.files.saturating_sub(1);
        self.is_unused()
    }

    /// The device, to be deregistered, if it is there and not needed.
    #[must_use]
    pub fn take_unused(&mut self) -> Option<R> {
        if self.is_unused() { self.registered.take() } else { None }
    }

    const fn is_unused(&self) -> bool {
        self.adapters == 0 && self.files == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A device with this many adapters, registered as number 1.
    fn device(adapters: usize) -> SharedDevice<u32> {
        let mut device = SharedDevice::new();
        for _ in 0..adapters {
            device.adapter_comes("too many", || Ok(1)).unwrap();
        }
        device
    }

    #[test]
    fn device_is_registered_by_the_first_adapter_alone() {
        let mut device = device(1);
        assert_eq!(device.adapter_comes("too many", || Err("registered twice")), Ok(()));
        device.adapter_goes();
        assert_eq!(device.take_unused(), None);
        device.adapter_goes();
        assert_eq!(device.take_unused(), Some(1));
        assert_eq!(device.take_unused(), None);
    }

    #[test]
    fn adapter_whose_device_can_not_be_registered_is_not_counted() {
        let mut device = device(0);
        assert_eq!(device.adapter_comes("too many", || Err("refused")), Err("refused"));
        assert_eq!(device.take_unused(), None);
        device.adapter_comes("too many", || Ok(2)).unwrap();
        device.adapter_goes();
        assert_eq!(device.take_unused(), Some(2));
    }

    #[test]
    fn adapter_beyond_the_count_is_refused_before_the_device_is_registered() {
        let mut device = SharedDevice { adapters: usize::MAX, files: 0, registered: None::<u32> };
        assert_eq!(device.adapter_comes("too many", || Err("registered")), Err("too many"));
    }

    #[test]
    fn open_file_keeps_the_device_after_the_last_adapter() {
        let mut device = device(1);
        assert!(device.file_opens(|number| *number == 1));
        device.adapter_goes();
        assert_eq!(device.take_unused(), None);
        assert!(device.file_closes());
        assert_eq!(device.take_unused(), Some(1));
    }

    #[test]
    fn file_that_closes_beside_an_adapter_or_another_file_leaves_the_device_in_use() {
        let mut device = device(1);
        assert!(device.file_opens(|_| true) && device.file_opens(|_| true));
        assert!(!device.file_closes());
        device.adapter_goes();
        assert_eq!(device.take_unused(), None);
        assert!(device.file_closes());
    }

    #[test]
    fn file_of_another_device_or_of_none_is_refused_and_not_counted() {
        let mut device = device(1);
        assert!(!device.file_opens(|number| *number == 2));
        device.adapter_goes();
        assert_eq!(device.take_unused(), Some(1));
        assert!(!device.file_opens(|_| true), "the device is gone");
        assert!(device.file_closes(), "no file is counted");
    }

    #[test]
    fn adapter_that_comes_between_the_last_close_and_the_removal_keeps_the_device() {
        let mut device = device(1);
        assert!(device.file_opens(|_| true));
        device.adapter_goes();
        assert!(device.file_closes());
        device.adapter_comes("too many", || Err("registered twice")).unwrap();
        assert_eq!(device.take_unused(), None);
    }
}
