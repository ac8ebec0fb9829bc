//! The text that lies beside the package.

use packager::time::Timestamp;

/// The first facts for a person on a test machine, in Windows' line ends.
pub(super) fn text(time: Timestamp) -> String {
    let text = format!(
        "softndk {version} ({date}): a software RDMA adapter for Windows Server 2022 and later, x64.\n\
         \n\
         This package is test-signed and was made without Windows. It has not been shown that Windows accepts it.\n\
         Use a virtual machine that you can afford to lose, and take a checkpoint first.\n\
         \n\
         softndk.inf, softndk.sys, softndk.cat   the driver package\n\
         softndk-test.cer                        the certificate that signed it\n\
         softndk.pdb                             symbols for WinDbg\n\
         ndkhlk\\ndkhlk.sys, ndkhlk.pdb           the kernel-mode NDK consumer that tests it\n\
         ndkhlk\\ndkhlk.exe                       installs, runs and removes both\n\
         windows.md                              what to type, what to see, and what to do when not\n\
         windbg\\softndk.js                       for WinDbg: which closes are pending, and why\n\
         windbg\\softndk.natvis                   for WinDbg: the views of types, which softndk.pdb has too\n\
         softndk.wprp                            for Windows Performance Recorder: the driver's events\n\
         powershell\\machine.ps1                  does this machine load test-signed drivers?\n\
         powershell\\trust.ps1                    trusts the certificate, and looks at signatures\n\
         powershell\\verifier.ps1                 switches Driver Verifier on without a restart\n\
         powershell\\left.ps1                     is anything left?\n\
         \n\
         In a PowerShell as administrator, with Secure Boot off, and with this folder as C:\\softndk:\n\
         \n\
         \x20   cd C:\\softndk\n\
         \x20   Unblock-File (Get-ChildItem -Recurse -File).FullName\n\
         \x20   bcdedit /set testsigning on\n\
         \x20   certutil -addstore Root softndk-test.cer\n\
         \x20   certutil -addstore TrustedPublisher softndk-test.cer\n\
         \x20   Restart-Computer\n\
         \n\
         Then, in a new PowerShell as administrator:\n\
         \n\
         \x20   cd C:\\softndk\\ndkhlk\n\
         \x20   .\\ndkhlk.exe install     makes two adapters, with addresses of this machine's own\n\
         \x20   .\\ndkhlk.exe diagnose    says why RDMA is not operational, if it is not\n\
         \x20   .\\ndkhlk.exe run         N passed, 0 failed\n\
         \x20   .\\ndkhlk.exe collect     ndkhlk-report.zip: please send it, whatever it says\n\
         \x20   .\\ndkhlk.exe remove      leaves the certificate and test signing, see windows.md\n\
         \n\
         Exit codes: 0 all is well, 1 something was found, 2 it could not be run.\n\
         What to see at each step, and what to do when something else is seen, stands in windows.md, which is\n\
         docs/windows.md of the repository; its links to other pages lead there.\n",
        version = env!("CARGO_PKG_VERSION"),
        date = time.driver_date(),
    );
    text.replace('\n', "\r\n")
}
