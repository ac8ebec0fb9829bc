//! The service of a driver without a device, and how its image is replaced while an older one is loaded.

use std::path::Path;

use crate::Error;

/// The service of one driver, as the service manager has it.
pub trait DriverService {
    /// Makes the service for a driver of this image, which is not loaded by that. Returns false, and changes nothing, if there is
    /// one already.
    ///
    /// # Errors
    /// What the service manager says of it, also of one that is being deleted.
    fn make(&self, image: &Path) -> Result<bool, Error>;

    /// Has the driver unloaded, and waits for it. Returns false if it has not been by the end of the time that it gets; one that
    /// is not loaded, or has no service, is unloaded.
    ///
    /// # Errors
    /// What the service manager says of it.
    fn stop(&self) -> Result<bool, Error>;

    /// Gives the service another image.
    ///
    /// # Errors
    /// What the service manager says of it.
    fn set_image(&self, image: &Path) -> Result<(), Error>;

    /// Loads the driver.
    ///
    /// # Errors
    /// What the service manager says of it, such as that the image's signature is not accepted.
    fn start(&self) -> Result<(), Error>;
}

/// Has a driver unloaded.
///
/// # Errors
/// As [`DriverService::stop`]; and if a handle or a request keeps the driver loaded.
pub fn unload_driver(service: &impl DriverService) -> Result<(), Error> {
    if service.stop()? {
        return Ok(());
    }
    let why = "it is in use, and unloads when that ends: end every other ndkhlk.exe, or restart the machine";
    Err(Error::Host { what: "unload the driver", why: why.to_owned() })
}

/// Has a driver of this image loaded, in place of the one that is, if any: that one has perhaps another image, or its file has
/// changed since.
///
/// # Errors
/// The first call that failed; the driver that was there before may be unloaded then.
pub fn load_driver(service: &impl DriverService, image: &Path) -> Result<(), Error> {
    if !service.make(image)? {
        unload_driver(service)?;
        service.set_image(image)?;
    }
    service.start()
}

#[cfg(test)]
mod tests {
    use core::cell::RefCell;

    use super::*;

    /// A service manager with one service, or none: the image that it has, and that which is loaded.
    #[derive(Default)]
    struct Manager {
        image: RefCell<Option<String>>,
        loaded: RefCell<Option<String>>,
        in_use: bool,
    }

    impl DriverService for Manager {
        fn make(&self, image: &Path) -> Result<bool, Error> {
            let made = self.image.borrow().is_none();
            if made {
                self.set_image(image)?;
            }
            Ok(made)
        }

        fn stop(&self) -> Result<bool, Error> {
            let stays = self.in_use && self.loaded.borrow().is_some();
            if !stays {
                *self.loaded.borrow_mut() = None;
            }
            Ok(!stays)
        }

        fn set_image(&self, image: &Path) -> Result<(), Error> {
            *self.image.borrow_mut() = Some(image.display().to_string());
            Ok(())
        }

        /// Refuses a driver that is loaded already, as the service manager does (ERROR_SERVICE_ALREADY_RUNNING).
        fn start(&self) -> Result<(), Error> {
            let mut loaded = self.loaded.borrow_mut();
            if loaded.is_some() {
                return Err(Error::Host { what: "start", why: "already running".to_owned() });
            }
            *loaded = self.image.borrow().clone();
            Ok(())
        }
    }

    #[test]
    fn driver_is_loaded_in_place_of_an_older_one() {
        let manager = Manager::default();
        for image in ["old.sys", "new.sys", "new.sys"] {
            load_driver(&manager, Path::new(image)).unwrap();
            assert_eq!(manager.loaded.borrow().as_deref(), Some(image));
        }
        unload_driver(&manager).unwrap();
        assert_eq!(*manager.loaded.borrow(), None);
    }

    #[test]
    fn driver_in_use_stays_and_is_named_in_one_line() {
        let manager = Manager { in_use: true, ..Manager::default() };
        load_driver(&manager, Path::new("old.sys")).unwrap();
        let error = load_driver(&manager, Path::new("new.sys")).unwrap_err().to_string();
        assert!(error.starts_with("unload the driver: it is in use") && !error.contains('\n'), "{error}");
        assert_eq!(manager.image.borrow().as_deref(), Some("old.sys"));
        assert_eq!(manager.loaded.borrow().as_deref(), Some("old.sys"));
    }
}
