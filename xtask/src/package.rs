//! `cargo xtask package`: what is copied to a Windows machine, stamped, signed and checked, under
//! target/softndk/package.

mod message_table;
pub(crate) mod program;
mod readme;
mod verify;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use packager::{
    catalog::{self, Member},
    identity::Identity,
    image::Image,
    inf::{self, Expected, Kind},
    kmdf,
    stamp::Stamp,
    time::Timestamp,
};

use crate::{
    build::{self, Images},
    failure::CommandError,
    files, root,
    step::Step,
};

/// The hardware identifier of the adapter, as INF, tools and pages have it.
const HARDWARE_ID: &str = "Root\\softndk";
/// The name of the certificate in the package.
const CERTIFICATE: &str = "softndk-test.cer";

/// The scripts of the hosted machines that serve on any.
const SCRIPTS: &[&str] = &["machine.ps1", "trust.ps1", "verifier.ps1", "left.ps1"];

/// The files for WinDbg: the extension, and the views of types for a PDB that has none.
const DEBUGGER: &[&str] = &["softndk.js", "softndk.natvis"];

/// The profile for Windows Performance Recorder, at the root of the repository and of the package.
const PROFILE: &str = "softndk.wprp";

/// The page of the first steps on Windows, out of the repository's documents.
const PAGE: &str = "windows.md";

/// The folder of the package, and its signer.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder of the package.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The test-signing key in PKCS #8; it is made on first use, with its certificate beside it.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Have foreign tools verify the package, and refuse tampered ones: osslsigncode and signify, which are installed.
    #[arg(long)]
    verify: bool,
}

/// Makes the package.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    let out = options.out.clone().unwrap_or_else(|| root().join("target/softndk/package"));
    let key = match &options.key {
        Some(key) => key.clone(),
        None => default_key()?,
    };
    let images = make(&out, &key)?;
    println!("{}", out.display());
    println!("signed by {}", key.display());
    if options.verify {
        program::lint()?;
        let again = root().join("target/softndk/verify/again");
        write(&images, &read(&out.join("ndkhlk/ndkhlk.exe"))?, &again, &key)?;
        println!("{} files, the same in a second package", verify::same(&out, &again)?);
        verify::run(&out, &images)?;
        message_table::verify(&images, &root().join("target/softndk/verify"))?;
    }
    Ok(())
}

/// Builds what goes into the package, and makes it in a folder.
pub(crate) fn make(out: &Path, key: &Path) -> Result<Images, CommandError> {
    let images = build::build()?;
    let program = program::build()?;
    let step = Step::start("package");
    write(&images, &program, out, key)?;
    step.done();
    Ok(images)
}

fn write(images: &Images, program: &[u8], out: &Path, key: &Path) -> Result<(), CommandError> {
    Package { images, program, out, time: time()?, identity: identity(key)? }.write()
}

/// A package that is being made.
struct Package<'a> {
    images: &'a Images,
    /// ndkhlk.exe
    program: &'a [u8],
    out: &'a Path,
    time: Timestamp,
    identity: Identity,
}

impl Package<'_> {
    fn write(&self) -> Result<(), CommandError> {
        if self.out.exists() {
            fs::remove_dir_all(self.out).map_err(|error| CommandError::file(self.out, &error))?;
        }
        let harness = self.out.join("ndkhlk");
        fs::create_dir_all(&harness).map_err(|error| CommandError::file(&harness, &error))?;

        let linked = read(&self.images.image("softndk"))?;
        let framework = kmdf::bound_version(&linked);
        let inf = self.inf(framework.as_deref())?;
        let driver = image("softndk.sys", linked)?;
        let members = [Member::flat("softndk.inf", inf.as_bytes()), Member::image("softndk.sys", &driver)];
        let catalog = catalog::sign(&self.identity, &members, &[HARDWARE_ID.to_owned()], self.time);
        self.put("softndk.inf", inf.as_bytes())?;
        self.put("softndk.sys", &self.sign("softndk.sys", driver)?)?;
        self.put("softndk.cat", &catalog)?;
        self.put(CERTIFICATE, &self.identity.certificate())?;
        self.check(&inf, framework.as_deref())?;

        let consumer = image("ndkhlk.sys", read(&self.images.image("ndkhlk"))?)?;
        self.put("ndkhlk/ndkhlk.exe", self.program)?;
        self.put("ndkhlk/ndkhlk.sys", &self.sign("ndkhlk.sys", consumer)?)?;
        for driver in ["softndk", "ndkhlk"] {
            let symbols = read(&self.images.folder.join(format!("{driver}.pdb")))?;
            let place = if driver == "softndk" { "softndk.pdb" } else { "ndkhlk/ndkhlk.pdb" };
            self.put(place, &symbols)?;
        }
        let scripts = self.out.join("powershell");
        fs::create_dir_all(&scripts).map_err(|error| CommandError::file(&scripts, &error))?;
        for name in SCRIPTS {
            let script = read(&root().join(".github/scripts").join(name))?;
            self.put(&format!("powershell/{name}"), &script)?;
        }
        let debugger = self.out.join("windbg");
        fs::create_dir_all(&debugger).map_err(|error| CommandError::file(&debugger, &error))?;
        for name in DEBUGGER {
            self.put(&format!("windbg/{name}"), &read(&root().join("windbg").join(name))?)?;
        }
        self.put(PROFILE, &read(&root().join(PROFILE))?)?;
        self.put(PAGE, &read(&root().join("docs").join(PAGE))?)?;
        let readme = readme::text(self.time);
        self.put("README.txt", readme.as_bytes())?;
        self.is_listed_in(&readme)
    }

    /// Sees that the text names each file of the package.
    fn is_listed_in(&self, readme: &str) -> Result<(), CommandError> {
        let files = files::files(self.out)?;
        let names = files.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy());
        match names.into_iter().find(|name| name != "README.txt" && !readme.contains(&**name)) {
            None => Ok(()),
            Some(name) => Err(CommandError::work(format!("README.txt does not name {name}"))),
        }
    }

    /// The INF of the INX, for the framework that the image binds to.
    fn inf(&self, framework: Option<&str>) -> Result<String, CommandError> {
        let path = root().join("softndk.inx");
        let inx = fs::read_to_string(&path).map_err(|error| CommandError::file(&path, &error))?;
        let version = concat!(env!("CARGO_PKG_VERSION"), ".0");
        let stamp = Stamp {
            time: self.time,
            version,
            architecture: "amd64",
            kmdf_version: framework.ok_or_else(|| CommandError::work("softndk.sys binds to no framework"))?,
        };
        stamp.apply(&inx).map_err(|error| CommandError::work(format!("{}: {error}", path.display())))
    }

    /// Holds the INF against its rules and against what the package has.
    fn check(&self, inf: &str, framework: Option<&str>) -> Result<(), CommandError> {
        let names: Vec<String> = fs::read_dir(self.out)
            .and_then(|folder| {
                folder.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
            })
            .map_err(|error| CommandError::file(self.out, &error))?;
        let files: Vec<&str> = names.iter().map(String::as_str).collect();
        let expected = Expected {
            files: &files,
            now: self.time,
            kmdf_version: framework,
            kind: Kind::Device(&[HARDWARE_ID]),
            network_direct: true,
        };
        let violations = inf::check(inf, &expected)
            .map_err(|error| CommandError::work(format!("softndk.inf: {error}")))?;
        if violations.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = violations.iter().map(|violation| format!("  {violation}")).collect();
        Err(CommandError::work(format!("softndk.inf breaks rules:\n{}", lines.join("\n"))))
    }

    fn sign(&self, name: &str, image: Image) -> Result<Vec<u8>, CommandError> {
        image.sign(&self.identity, self.time).map_err(|error| CommandError::work(format!("{name}: {error}")))
    }

    fn put(&self, name: &str, content: &[u8]) -> Result<(), CommandError> {
        let path = self.out.join(name);
        fs::write(&path, content).map_err(|error| CommandError::file(&path, &error))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    fs::read(path).map_err(|error| CommandError::file(path, &error))
}

fn image(name: &str, bytes: Vec<u8>) -> Result<Image, CommandError> {
    Image::parse(bytes).map_err(|error| CommandError::work(format!("{name}: {error}")))
}

fn identity(key: &Path) -> Result<Identity, CommandError> {
    Identity::load_or_create(key).map_err(|error| CommandError::Usage(error.to_string()))
}

/// The path of the key, if the caller does not give one: with the user's data, outside the repository.
fn default_key() -> Result<PathBuf, CommandError> {
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let data = data
        .or_else(home)
        .ok_or_else(|| CommandError::Usage("no HOME: say where the key is with --key".to_owned()))?;
    Ok(data.join("softndk/test-signing.key"))
}

/// The time of the package: that of SOURCE_DATE_EPOCH, or else of the commit, so that it does not change from run to
/// run.
fn time() -> Result<Timestamp, CommandError> {
    let seconds = match env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => seconds,
        Err(_) => commit_time()?,
    };
    let time = seconds.trim().parse().ok().and_then(Timestamp::from_unix);
    time.ok_or_else(|| CommandError::Usage(format!("SOURCE_DATE_EPOCH: {seconds:?} is no time in seconds")))
}

fn commit_time() -> Result<String, CommandError> {
    let output = Command::new("git")
        .args(["log", "-1", "--format=%ct"])
        .current_dir(root())
        .output()
        .ok()
        .filter(|output| output.status.success())
        .ok_or_else(|| CommandError::Usage("not a git checkout: set SOURCE_DATE_EPOCH".to_owned()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
