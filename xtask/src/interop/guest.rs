//! The guest: Debian's kernel, siw built from Debian's sources for it, and a few programs, all in one initramfs.
//!
//! Debian's kernel is built without siw. Its sources are taken as they are, but for its constants, which become
//! parameters, so that one module can be asked for CRCs, for peer-to-peer and for revision 1.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{failure::CommandError, packages, root, step::Step};

/// Debian's packages of sources, and the archive in it.
const SOURCES: &str = "linux-source-6.1";

/// The folder of siw in the sources.
const SIW: &str = "drivers/infiniband/sw/siw";

/// Modules of the guest; those that they need come before them.
const MODULES: [&str; 9] = [
    "crc32c_generic",
    "virtio_pci",
    "virtio_net",
    "ib_core",
    "ib_uverbs",
    "rdma_cm",
    "rdma_ucm",
    "crc32c-intel",
    "siw",
];

/// The guest's own programs.
const OURS: [&str; 2] = ["peer", "shell"];

/// The port of the guest where its shell is served.
pub(super) const CONTROL: u16 = 7173;

/// The constants of siw that become parameters: name, type in C, type of the parameter.
const PARAMETERS: [(&str, &str); 3] =
    [("mpa_crc_required", "bool"), ("mpa_crc_strict", "bool"), ("peer_to_peer", "bool")];

/// A guest that is built.
pub(super) struct Guest {
    pub(super) kernel: PathBuf,
    pub(super) initramfs: PathBuf,
    /// The release of its kernel, and the version of Debian's package.
    pub(super) release: String,
    pub(super) version: String,
}

/// Builds the guest, or takes the one that was built from the same sources before.
pub(super) fn provide(folder: &Path) -> Result<Guest, CommandError> {
    let (release, version) = versions()?;
    let guest = Guest {
        kernel: folder.join(format!("kernel/boot/vmlinuz-{release}")),
        initramfs: folder.join("initramfs.gz"),
        release,
        version,
    };
    let stamp = guest.stamp()?;
    let stamped = folder.join("stamp");
    let is_built = guest.kernel.exists() && guest.initramfs.exists();
    if is_built && fs::read_to_string(&stamped).is_ok_and(|text| text == stamp) {
        return Ok(guest);
    }
    fs::create_dir_all(folder).map_err(|error| CommandError::file(folder, &error))?;
    let step = Step::start(format!("guest, Linux {}", guest.version));
    guest.unpack_kernel(&step, folder)?;
    guest.build_siw(&step, folder)?;
    guest.pack(&step, folder)?;
    write(&stamped, &stamp)?;
    step.done();
    Ok(guest)
}

/// The release of the newest kernel of Debian that siw can be built for, and the version of its packages.
fn versions() -> Result<(String, String), CommandError> {
    let show = |format: &str, package: &str| {
        let query = Command::new("dpkg-query").args(["--show", "--showformat", format, package]).output();
        let output = query.map_err(|error| CommandError::Usage(format!("dpkg-query: {error}")))?;
        Ok::<_, CommandError>(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let needs = show("${Depends}", "linux-headers-amd64")?;
    let headers = needs.split([' ', ',']).find(|word| word.starts_with("linux-headers-"));
    let release = headers.and_then(|name| name.strip_prefix("linux-headers-")).unwrap_or_default().to_owned();
    let version = show("${Version}", &format!("linux-headers-{release}"))?;
    let sources = show("${Version}", SOURCES)?;
    if version == sources {
        Ok((release, version))
    } else {
        Err(CommandError::Usage(format!(
            "{SOURCES} is of version {sources} and the kernel's headers are of {version}; \
             run: sudo apt-get update && sudo apt-get install -y {SOURCES} linux-headers-amd64"
        )))
    }
}

impl Guest {
    /// All that the guest is built from, as far as it changes.
    fn stamp(&self) -> Result<String, CommandError> {
        let mut stamp = format!("{} {MODULES:?}", self.module_stamp());
        for name in OURS.map(|name| format!("{name}.c")).iter().map(String::as_str).chain(["init.sh"]) {
            stamp.push_str(&read(&ours(name))?);
        }
        Ok(stamp)
    }

    /// All that siw is built from.
    fn module_stamp(&self) -> String {
        format!("{} {} {PARAMETERS:?}", self.release, self.version)
    }

    /// Unpacks Debian's kernel; nothing of it is installed.
    fn unpack_kernel(&self, step: &Step, folder: &Path) -> Result<(), CommandError> {
        if self.kernel.exists() {
            return Ok(());
        }
        let name = format!("linux-image-{}", self.release);
        let package = folder.join(format!("{name}_{}_amd64.deb", self.version));
        if !package.exists() {
            packages::download(step, &name, &self.version, folder)?;
        }
        step.run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(folder.join("kernel")))?;
        fs::remove_file(&package).map_err(|error| CommandError::file(&package, &error))
    }

    fn modules(&self, folder: &Path) -> PathBuf {
        folder.join("kernel/lib/modules").join(&self.release)
    }

    fn build_siw(&self, step: &Step, folder: &Path) -> Result<(), CommandError> {
        let stamped = folder.join("siw-stamp");
        if fs::read_to_string(&stamped).is_ok_and(|stamp| stamp == self.module_stamp()) {
            return Ok(());
        }
        let sources = folder.join(SOURCES);
        let mut unpack = Command::new("tar");
        unpack.arg("-xJf").arg(format!("/usr/src/{SOURCES}.tar.xz")).arg("-C").arg(folder);
        step.run(unpack.arg(format!("{SOURCES}/{SIW}")))?;
        let siw = sources.join(SIW);
        let mut edits = vec![];
        for (name, kind) in PARAMETERS {
            edits.push(("siw.h", format!("extern const {kind} {name};"), format!("extern {kind} {name};")));
            let parameter = format!("{kind} {name};\nmodule_param({name}, {kind}, 0644);");
            edits.push(("siw_main.c", format!("const {kind} {name};"), parameter));
        }
        let version = "u_char mpa_version = MPA_REVISION_2;";
        edits.push((
            "siw_main.c",
            version.into(),
            format!("{version}\nmodule_param(mpa_version, byte, 0644);"),
        ));
        for (file, from, to) in edits {
            let path = siw.join(file);
            let text = read(&path)?;
            if !text.contains(&from) {
                return Err(CommandError::work(format!("Debian's {file} of siw has no `{from}`")));
            }
            write(&path, &text.replace(&from, &to))?;
        }
        let mut make = Command::new("make");
        make.arg("-C").arg(format!("/usr/src/linux-headers-{}", self.release));
        make.arg(format!("M={}", siw.display())).args(["CONFIG_RDMA_SIW=m", "modules"]);
        step.run(&mut make)?;
        step.run(Command::new("strip").arg("--strip-debug").arg(siw.join("siw.ko")))?;
        let extra = self.modules(folder).join("extra");
        fs::create_dir_all(&extra).map_err(|error| CommandError::file(&extra, &error))?;
        copy(&siw.join("siw.ko"), &extra.join("siw.ko"))?;
        step.run(Command::new("depmod").arg("-b").arg(folder.join("kernel")).arg(&self.release))?;
        fs::remove_dir_all(&sources).map_err(|error| CommandError::file(&sources, &error))?;
        write(&stamped, &self.module_stamp())
    }

    /// Packs the initramfs.
    fn pack(&self, step: &Step, folder: &Path) -> Result<(), CommandError> {
        let tree = folder.join("root");
        let _old = fs::remove_dir_all(&tree);
        for name in ["bin", "dev", "proc", "sys", "tmp", "etc/libibverbs.d", "modules"] {
            let path = tree.join(name);
            fs::create_dir_all(&path).map_err(|error| CommandError::file(&path, &error))?;
        }
        let bin = tree.join("bin");
        copy(Path::new("/bin/busybox"), &bin.join("busybox"))?;
        for applet in step.run(Command::new(bin.join("busybox")).arg("--list"))?.lines() {
            if applet != "busybox" {
                link("busybox", &bin.join(applet))?;
            }
        }
        let mut programs = vec![];
        for name in OURS {
            let program = bin.join(name);
            let mut compile = Command::new("gcc");
            compile.args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program);
            step.run(compile.arg(ours(&format!("{name}.c"))).args(["-lrdmacm", "-libverbs"]))?;
            programs.push(program);
        }
        // A port in four hexadecimal digits.
        let listening = "#!/bin/sh\nuntil grep -q \":$1 .* 0A \" /proc/net/tcp; do sleep 0.2; done\n";
        write(&bin.join("listening"), listening)?;
        executable(&bin.join("listening"))?;
        for (name, from) in [("rping", "/usr/bin/rping"), ("rdma", "/usr/bin/rdma")] {
            let to = bin.join(name);
            let _applet = fs::remove_file(&to);
            copy(Path::new(from), &to)?;
            programs.push(to);
        }
        copy(Path::new("/etc/libibverbs.d/siw.driver"), &tree.join("etc/libibverbs.d/siw.driver"))?;
        let provider = siw_provider()?;
        place(&provider, &tree)?;
        programs.push(provider);
        for library in libraries(step, &programs)? {
            place(&library, &tree)?;
        }
        let etc = tree.join("etc");
        write(&tree.join("control"), &format!("{CONTROL}\n"))?;
        write(&etc.join("passwd"), "root:x:0:0:root:/:/bin/sh\n")?;
        write(&etc.join("hosts"), "127.0.0.1 localhost\n")?;
        write(&etc.join("nsswitch.conf"), "hosts: files\n")?;
        self.pack_modules(step, folder, &tree)?;
        let init = tree.join("init");
        copy(&ours("init.sh"), &init)?;
        executable(&init)?;
        let script = "find . -print0 | cpio --null -o -H newc --quiet | gzip -1 > ../initramfs.gz";
        step.run(Command::new("sh").current_dir(&tree).args(["-c", script])).map(drop)
    }

    /// Copies the modules, and lists them in the order in which they are loaded.
    fn pack_modules(&self, step: &Step, folder: &Path, tree: &Path) -> Result<(), CommandError> {
        let mut list: Vec<String> = vec![];
        for module in MODULES {
            let mut order = Command::new("modprobe");
            order.arg("-d").arg(folder.join("kernel")).args(["-S", &self.release, "--show-depends", module]);
            for file in step.run(&mut order)?.lines().filter_map(|line| line.strip_prefix("insmod ")) {
                let file = Path::new(file.trim());
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if !list.contains(&name) {
                    copy(file, &tree.join("modules").join(&name))?;
                    list.push(name);
                }
            }
        }
        write(&tree.join("modules/list"), &(list.join("\n") + "\n"))
    }
}

/// The part of siw in user mode.
fn siw_provider() -> Result<PathBuf, CommandError> {
    let folder = Path::new("/usr/lib/x86_64-linux-gnu/libibverbs");
    let entries = fs::read_dir(folder).map_err(|error| CommandError::file(folder, &error))?;
    let is_siw = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libsiw-rdmav"))
    };
    let found = entries.flatten().map(|entry| entry.path()).find(is_siw);
    found.ok_or_else(|| CommandError::work("ibverbs-providers has no provider of siw"))
}

/// The libraries that programs are loaded with.
fn libraries(step: &Step, programs: &[PathBuf]) -> Result<BTreeSet<PathBuf>, CommandError> {
    let listed = step.run(Command::new("ldd").args(programs))?;
    let paths = listed.split_whitespace().filter(|word| word.starts_with('/') && word.contains(".so"));
    let mut libraries: BTreeSet<PathBuf> = paths.map(|word| word.trim_end_matches(':').into()).collect();
    // Loaded when a thread is cancelled.
    libraries.insert("/lib/x86_64-linux-gnu/libgcc_s.so.1".into());
    Ok(libraries)
}

/// Copies a file of this machine to the same place in `tree`.
fn place(file: &Path, tree: &Path) -> Result<(), CommandError> {
    let to = tree.join(file.strip_prefix("/").unwrap_or(file));
    let folder = to.parent().unwrap_or(tree);
    fs::create_dir_all(folder).map_err(|error| CommandError::file(folder, &error))?;
    copy(file, &to)
}

/// A file of the guest that is ours.
fn ours(name: &str) -> PathBuf {
    root().join("tests/interop/guest").join(name)
}

fn copy(from: &Path, to: &Path) -> Result<(), CommandError> {
    fs::copy(from, to).map(drop).map_err(|error| CommandError::file(from, &error))
}

fn executable(path: &Path) -> Result<(), CommandError> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(|error| CommandError::file(path, &error))
}

fn link(to: &str, at: &Path) -> Result<(), CommandError> {
    symlink(to, at).map_err(|error| CommandError::file(at, &error))
}

fn read(path: &Path) -> Result<String, CommandError> {
    fs::read_to_string(path).map_err(|error| CommandError::file(path, &error))
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    fs::write(path, text).map_err(|error| CommandError::file(path, &error))
}
