//! One machine: the images loaded, used as their kinds allow, and unloaded.

use core::fmt;
use std::path::Path;

use ntsim::ex::{self, Faults};
use ntsim::io::{PnpDevice, StatusError};
use ntsim::loader::LoadError;
use ntsim::sched::{Schedule, Strategy};
use ntsim::{Driver, Machine};
use object::LittleEndian as LE;
use object::read::pe::PeFile64;
use serde::{Deserialize, Serialize};

use super::adapters::{self, Adapters, code};
use super::options::Options;

/// The difference between two plays of the same images.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Variant {
    /// The number of the allocation that fails.
    pub(super) failing: Option<u64>,
    /// The seed of the schedule.
    pub(super) seed: Option<u64>,
}

impl fmt::Display for Variant {
    /// As the arguments that repeat the play.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("boot")?;
        if let Some(number) = self.failing {
            write!(f, " --fail-allocation {number}")?;
        }
        self.seed.map_or(Ok(()), |seed| write!(f, " --seed {seed}"))
    }
}

/// The outcome of a play in which no driver crashed.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Outcome {
    pub(super) drivers: Vec<Loaded>,
    /// Allocations of the last image that could have failed.
    pub(super) allocations: u64,
    /// The stack of the allocation that was made to fail, innermost first.
    pub(super) failed_allocation: Vec<String>,
    pub(super) findings: Vec<String>,
    pub(super) pool_left: Vec<String>,
    /// The text that the drivers printed for the debugger.
    pub(super) log: Vec<String>,
}

/// A driver of a play.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Loaded {
    pub(super) image: String,
    pub(super) kind: String,
    /// The status of its entry point.
    pub(super) entry: u32,
    pub(super) missing_imports: Vec<String>,
    /// The life of a device that was added, if one was.
    pub(super) device: Option<Life>,
    /// The life of the adapters, if it runs any.
    pub(super) adapters: Option<Adapters>,
    pub(super) devices: Vec<Device>,
}

/// The life of a device that was added to a driver.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Life {
    /// The status of AddDevice.
    pub(super) add: u32,
    /// The status of its start; `None` if it was not added.
    pub(super) start: Option<u32>,
    /// The status of its removal.
    pub(super) remove: Option<u32>,
}

/// A named device of a driver, and what was done with it.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Device {
    pub(super) name: String,
    /// The status of opening it.
    pub(super) open: u32,
    pub(super) controls: Vec<Control>,
    /// The status of reading 64 bytes, and of writing them.
    pub(super) transfers: Option<(u32, u32)>,
}

/// A device control that was sent.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Control {
    pub(super) code: u32,
    pub(super) status: u32,
    pub(super) information: u64,
}

impl Outcome {
    /// Writes it to standard output, for the process that asked for it; returns the exit code.
    pub(super) fn tell(&self) -> i32 {
        match serde_json::to_string(self) {
            Ok(text) => {
                println!("{text}");
                0
            }
            Err(_) => 1,
        }
    }

    /// The outcome that a process wrote as the last line of its output.
    pub(super) fn of(text: &str) -> Option<Self> {
        serde_json::from_str(text.lines().last()?).ok()
    }

    /// Returns true if there was no allocation with this number.
    pub(super) fn is_beyond(&self, number: u64) -> bool {
        self.allocations <= number
    }

    /// Returns true if no rule was broken and nothing was left.
    pub(super) fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.pool_left.is_empty()
    }
}

/// Plays one variant.
///
/// # Errors
///
/// An image can't be loaded. An entry point that fails is one of the outcomes where an allocation was made to fail.
pub(super) fn play(options: &Options, variant: Variant) -> Result<Outcome, LoadError> {
    let mut builder = Machine::builder();
    if options.allow_missing {
        builder = builder.allow_missing_imports();
    }
    if let Some(seed) = variant.seed {
        builder = builder.schedule(Schedule::seeded(seed, Strategy::of_seed(seed)));
    }
    let machine = builder.boot();
    let last = options.images.last().and_then(|path| path.file_name()).map(|name| name.to_string_lossy());
    let faults = variant.failing.map_or(Faults::None, Faults::Nth);
    ex::inject(faults, last.as_deref());

    let mut drivers = Vec::new();
    let mut running = Vec::new();
    let mut added = Vec::new();
    for path in &options.images {
        match load(&machine, path, options) {
            Ok((loaded, driver, device)) => {
                added.extend(device.map(|device| (drivers.len(), device)));
                drivers.push(loaded);
                running.push(driver);
            }
            Err(LoadError::Entry { status, .. }) if variant.failing.is_some() => {
                drivers.push(Loaded::failed(path, status));
            }
            Err(error) => return Err(error),
        }
    }
    machine.settle();
    drivers
        .iter_mut()
        .filter_map(|loaded| loaded.adapters.as_mut())
        .for_each(|adapters| adapters.end(&machine));
    for (number, device) in added.into_iter().rev() {
        let removed = device.remove();
        let life = drivers.get_mut(number).and_then(|loaded: &mut Loaded| loaded.device.as_mut());
        if let Some(life) = life {
            life.remove = Some(code(removed.map_err(|(_, status)| status)));
        }
    }
    running.into_iter().rev().for_each(Driver::unload);
    let (allocations, _) = ex::injected();
    let failed_allocation = ex::struck().iter().map(ToString::to_string).collect();
    let log = machine.log();
    let report = machine.shutdown();
    Ok(Outcome {
        drivers,
        allocations,
        failed_allocation,
        findings: report.findings.iter().map(ToString::to_string).collect(),
        pool_left: report.pool.iter().map(ToString::to_string).collect(),
        log,
    })
}

/// Loads one image, and does with it what its kind allows.
fn load(
    machine: &Machine,
    path: &Path,
    options: &Options,
) -> Result<(Loaded, Driver, Option<PnpDevice>), LoadError> {
    let known = machine.device_names();
    let mut driver = machine.load(path)?;
    let mut loaded = Loaded::failed(path, 0);
    loaded.missing_imports = driver.image().missing_imports().to_vec();
    if is_miniport(path) {
        let count = options.adapters.unwrap_or(1);
        loaded.adapters = adapters::start(machine, &mut driver, count, options.start);
    }
    let added = (options.start && driver.adds_devices()).then(|| start(&mut driver));
    let (life, added) = added.map_or((None, None), |(life, device)| (Some(life), device));
    loaded.device = life;
    let new = machine.device_names().into_iter().filter(|name| !known.contains(name));
    loaded.devices = new.map(|name| device(machine, name, options)).collect();
    Ok((loaded, driver, added))
}

/// Adds a device to a driver, and starts it.
fn start(driver: &mut Driver) -> (Life, Option<PnpDevice>) {
    match driver.add_device() {
        Ok(mut device) => {
            let start = Some(code(device.start()));
            (Life { add: 0, start, remove: None }, Some(device))
        }
        Err(StatusError(status)) => (Life { add: status.cast_unsigned(), ..Life::default() }, None),
    }
}

/// Opens a device, sends it the controls, and closes it.
fn device(machine: &Machine, name: String, options: &Options) -> Device {
    let file = match machine.open(&name, &[]) {
        Ok(file) => file,
        Err(StatusError(status)) => {
            return Device { name, open: status.cast_unsigned(), controls: Vec::new(), transfers: None };
        }
    };
    let send = |code: &u32| {
        let (input, mut output) = ([0; 64], [0; 64]);
        let outcome = file.ioctl(*code, &input, &mut output);
        let status = outcome.status.cast_unsigned();
        Control { code: *code, status, information: outcome.information as u64 }
    };
    let transfers = options.start.then(|| {
        let mut data = [0; 64];
        let read = file.read(0, &mut data).status.cast_unsigned();
        (read, file.write(0, &data).status.cast_unsigned())
    });
    Device { name, open: 0, controls: options.ioctl.iter().map(send).collect(), transfers }
}

impl Loaded {
    /// A driver whose entry point returned `entry`, of which nothing else is known.
    fn failed(path: &Path, entry: u32) -> Self {
        Self {
            image: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            kind: kind(path).into(),
            entry,
            missing_imports: Vec::new(),
            device: None,
            adapters: None,
            devices: Vec::new(),
        }
    }
}

/// The model of a driver, by the modules that its image imports.
fn kind(path: &Path) -> &'static str {
    match (imports(path, "wdfldr.sys", None), is_miniport(path)) {
        (true, true) => "NDIS miniport, KMDF",
        (true, false) => "KMDF",
        (false, true) => "NDIS miniport",
        (false, false) => "WDM",
    }
}

fn is_miniport(path: &Path) -> bool {
    imports(path, "ndis.sys", Some("NdisMRegisterMiniportDriver"))
}

/// Returns true if the image at `path` imports `function`, or anything, of `module`.
fn imports(path: &Path, module: &str, function: Option<&str>) -> bool {
    let search = || -> Option<bool> {
        let data = std::fs::read(path).ok()?;
        let file = PeFile64::parse(&*data).ok()?;
        let table = file.import_table().ok()??;
        let mut descriptors = table.descriptors().ok()?;
        while let Some(descriptor) = descriptors.next().ok()? {
            let name = table.name(descriptor.name.get(LE)).ok()?;
            if !name.eq_ignore_ascii_case(module.as_bytes()) {
                continue;
            }
            let Some(function) = function else { return Some(true) };
            let mut thunks = table.thunks(descriptor.original_first_thunk.get(LE)).ok()?;
            while let Some(thunk) = thunks.next::<object::pe::ImageNtHeaders64>().ok()? {
                let import = table.import::<object::pe::ImageNtHeaders64>(thunk).ok()?;
                if matches!(import, object::read::pe::Import::Name(_, name) if name == function.as_bytes()) {
                    return Some(true);
                }
            }
        }
        Some(false)
    };
    search().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(allocations: u64, findings: &[&str]) -> Outcome {
        let findings = findings.iter().map(|&finding| finding.into()).collect();
        let (drivers, failed_allocation) = (vec![Loaded::failed(Path::new("none.sys"), 7)], Vec::new());
        Outcome { drivers, allocations, failed_allocation, findings, pool_left: Vec::new(), log: Vec::new() }
    }

    #[test]
    fn outcome_comes_back_from_the_last_line_of_a_process() {
        let text = serde_json::to_string(&outcome(3, &["Irql: wrong"])).unwrap();
        let read = Outcome::of(&format!("what a driver said\n{text}\n")).unwrap();
        assert_eq!((read.drivers[0].entry, read.allocations, read.is_clean()), (7, 3, false));
        assert!(Outcome::of("no outcome").is_none());
    }

    #[test]
    fn sweep_is_over_with_the_first_number_that_no_allocation_has() {
        assert!(!outcome(3, &[]).is_beyond(2) && outcome(3, &[]).is_beyond(3));
    }

    #[test]
    fn variant_reads_as_the_arguments_that_repeat_it() {
        let variant = Variant { failing: Some(3), seed: Some(9) };
        assert_eq!(variant.to_string(), "boot --fail-allocation 3 --seed 9");
    }
}
