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
         \n\
         As administrator, then restart:\n\
         \n\
         \x20   bcdedit /set testsigning on\n\
         \x20   certutil -addstore Root softndk-test.cer\n\
         \x20   certutil -addstore TrustedPublisher softndk-test.cer\n\
         \n\
         What follows, and what to do when it does not work, stands in docs/windows.md of the repository.\n",
        version = env!("CARGO_PKG_VERSION"),
        date = time.driver_date(),
    );
    text.replace('\n', "\r\n")
}
