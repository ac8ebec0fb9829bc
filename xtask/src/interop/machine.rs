//! The guest that runs: QEMU without KVM, a connection of TCP for each command, and a capture of what its adapter sends
//! and receives.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::guest::{CONTROL, Guest};
use crate::failure::CommandError;

/// The first port of the guest that a port of this machine leads to, behind that of its shell.
const FIRST_PORT: u16 = CONTROL + 1;

/// The number of such ports: each meeting has one of its own.
const PORTS: u16 = 64;

/// The time in which the guest has to be up; it takes ten seconds where nothing else runs.
const BOOT: Duration = Duration::from_secs(180);

/// The time that the guest's shell has to answer.
const SHELL: Duration = Duration::from_secs(20);

/// The mark before the code with which a command ends.
const END: &str = "@@@ ended with ";

/// A guest that runs. It ends with its owner.
pub(super) struct Machine {
    child: Child,
    shell: SocketAddr,
    /// The ports of this machine that lead to the guest's, the next one last.
    ports: Vec<(u16, u16)>,
    pub(super) capture: PathBuf,
    log: PathBuf,
}

/// A command that runs in the guest.
pub(super) struct Running {
    command: String,
    ended: Receiver<Ended>,
}

/// A command that has ended.
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) lines: Vec<String>,
}

impl Machine {
    /// Boots the guest.
    pub(super) fn boot(guest: &Guest, folder: &Path) -> Result<Self, CommandError> {
        let (control, ports) = free_ports()?;
        let forwards: String = std::iter::once(&(control, CONTROL))
            .chain(&ports)
            .map(|(host, guest)| format!(",hostfwd=tcp:127.0.0.1:{host}-10.0.2.15:{guest}"))
            .collect();
        let capture = folder.join("capture.pcap");
        let console = folder.join("console.txt");
        // The guest ends with this process, however that ends.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "nice", "qemu-system-x86_64", "-nodefaults", "-no-user-config"]);
        // Instructions that the emulator is slow at are not offered.
        command.args(["-accel", "tcg,thread=multi", "-cpu", "max,-erms,-fsrm,-pclmulqdq"]);
        command.args(["-smp", "1", "-m", "512", "-display", "none", "-monitor", "none", "-no-reboot"]);
        command.arg("-serial").arg(format!("file:{}", console.display()));
        command.args(["-netdev", &format!("user,id=net{forwards}")]);
        command.args(["-device", "virtio-net-pci,netdev=net,romfile="]);
        command.arg("-object").arg(format!("filter-dump,id=dump,netdev=net,file={}", capture.display()));
        command.arg("-kernel").arg(&guest.kernel).arg("-initrd").arg(&guest.initramfs);
        command.args(["-append", "console=ttyS0 panic=-1 edd=off quiet clearcpuid=112 tsc=reliable"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| CommandError::Usage(format!("setpriv: {error}")))?;
        let shell = (Ipv4Addr::LOCALHOST, control).into();
        let mut machine = Self { child, shell, ports, capture, log: folder.join("guest.txt") };
        let _former = std::fs::remove_file(&machine.log);
        let until = Instant::now() + BOOT;
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(500));
            if let Ok(Some(status)) = machine.child.try_wait() {
                return Err(CommandError::work(format!("qemu-system-x86_64: {status}")));
            }
            let state = machine.run(5, "cat /sys/class/infiniband/siw0/ports/1/state");
            let state = state.and_then(|running| running.end(Duration::from_secs(2)));
            if state.is_ok_and(|ended| ended.lines.iter().any(|line| line.contains("ACTIVE"))) {
                return Ok(machine);
            }
        }
        Err(CommandError::work(format!(
            "siw did not come up in {} s; the guest's console is in {}",
            BOOT.as_secs(),
            console.display()
        )))
    }

    /// An address of this machine that leads to a port of the guest, and that port. No port is given twice.
    pub(super) fn port(&mut self) -> Result<(SocketAddr, u16), CommandError> {
        let (host, guest) = self.ports.pop().ok_or_else(|| CommandError::work("no more ports"))?;
        Ok(((Ipv4Addr::LOCALHOST, host).into(), guest))
    }

    /// Sets a parameter of siw.
    pub(super) fn set(&self, name: &str, value: &str) -> Result<(), CommandError> {
        let path = format!("/sys/module/siw/parameters/{name}");
        let now = self.run(5, &format!("sh -c 'echo {value} > {path}; cat {path}'"))?.end(SHELL)?;
        let now = now.lines.join(" ");
        let is_set = now == value || (value == "1" && now == "Y") || (value == "0" && now == "N");
        if is_set { Ok(()) } else { Err(CommandError::work(format!("siw's {name} is {now}, not {value}"))) }
    }

    /// Starts a command in the guest, which has `seconds`.
    pub(super) fn run(&self, seconds: u32, command: &str) -> Result<Running, CommandError> {
        let failed = |error: std::io::Error| CommandError::work(format!("the guest's shell: {error}"));
        let mut shell = TcpStream::connect_timeout(&self.shell, SHELL).map_err(failed)?;
        writeln!(shell, "timeout {seconds} {command} </dev/null 2>&1; echo \"{END}$?\"").map_err(failed)?;
        shell.shutdown(Shutdown::Write).map_err(failed)?;
        let (ends, ended) = mpsc::channel();
        let (log, named) = (self.log.clone(), command.to_owned());
        std::thread::spawn(move || {
            let mut lines = Vec::new();
            for line in BufReader::new(shell).lines().map_while(Result::ok) {
                if let Some(code) = line.strip_prefix(END).and_then(|code| code.trim().parse().ok()) {
                    note(&log, &named, &lines, code);
                    // A caller that has given up does not listen any more.
                    let _told = ends.send(Ended { code, lines });
                    return;
                }
                lines.push(line);
            }
        });
        Ok(Running { command: command.to_owned(), ended })
    }

    /// Ends the guest; the capture is then whole.
    pub(super) fn halt(mut self) -> PathBuf {
        self.stop();
        self.capture.clone()
    }

    fn stop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

impl Running {
    /// Waits for the end of the command.
    pub(super) fn end(self, patience: Duration) -> Result<Ended, CommandError> {
        self.ended.recv_timeout(patience).map_err(|error| {
            CommandError::work(match error {
                RecvTimeoutError::Timeout => format!("`{}` did not end in the guest", self.command),
                RecvTimeoutError::Disconnected => format!("the guest's shell did not run `{}`", self.command),
            })
        })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Adds a command and its output to the log.
fn note(log: &Path, command: &str, lines: &[String], code: i32) {
    let text = format!("$ {command}\n{}\n! {code}\n", lines.join("\n"));
    // The log is for people who look into a failure.
    let _logged = File::options()
        .create(true)
        .append(true)
        .open(log)
        .and_then(|mut log| log.write_all(text.as_bytes()));
}

/// Ports of this machine that are free: one for the shell, and others each with the one of the guest that it is to
/// lead to.
fn free_ports() -> Result<(u16, Vec<(u16, u16)>), CommandError> {
    let failed = |error: std::io::Error| CommandError::work(format!("no port of this machine: {error}"));
    // All are held until each is known, so that none is found twice.
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners: Vec<TcpListener> = (0..=PORTS).map(bind).collect::<Result<_, _>>().map_err(failed)?;
    let port = |listener: &TcpListener| listener.local_addr().map(|at| at.port());
    let mut found: Vec<u16> = listeners.iter().map(port).collect::<Result<_, _>>().map_err(failed)?;
    let control = found.pop().unwrap_or_default();
    let mut ports: Vec<(u16, u16)> = found.into_iter().zip(FIRST_PORT..).collect();
    ports.reverse();
    Ok((control, ports))
}
