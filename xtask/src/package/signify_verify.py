"""Judges a driver package by signify: signify_verify.py FOLDER UNSIGNED_IMAGE.

Prints how many files were accepted and how many tampered ones refused; exits with 1 at the first surprise.
"""

import io
import pathlib
import re
import sys

# oscrypto 1.3.0 does not know versions of OpenSSL with two digits in their last part.
_compile = re.compile
_search = re.search
re.search = lambda pattern, *rest: _search(
    pattern.replace(r"(\d\.\d\.\d[a-z]*)", r"(\d+\.\d+\.\d+[a-z]*)") if isinstance(pattern, str) else pattern, *rest
)
from signify.authenticode import AuthenticodeFile, AuthenticodeVerificationResult
from signify.x509 import Certificate, CertificateStore

re.search = _search

folder, unsigned = map(pathlib.Path, sys.argv[1:])
trusted = CertificateStore([Certificate.from_der((folder / "softndk-test.cer").read_bytes())], trusted=True)


def judge(name, content, catalog=None):
    """The verdict on a file, by its own signature or by a catalogue."""
    file = AuthenticodeFile.from_stream(io.BytesIO(content), file_name=name, allow_flat=True)
    if catalog is not None:
        file.add_catalog(io.BytesIO(catalog))
    verdict, _ = file.explain_verify(trusted_certificate_store=trusted)
    return verdict


def changed(content, part):
    """The content with one bit changed, at this part of it."""
    content = bytearray(content)
    content[int(len(content) * part)] ^= 1
    return bytes(content)


catalog = (folder / "softndk.cat").read_bytes()
driver = (folder / "softndk.sys").read_bytes()
inf = (folder / "softndk.inf").read_bytes()
consumer = (folder / "ndkhlk" / "ndkhlk.sys").read_bytes()
linked = unsigned.read_bytes()

accepted = {
    "softndk.sys by its signature": ("softndk.sys", driver, None),
    "softndk.sys by the catalogue": ("softndk.sys", linked, catalog),
    "softndk.inf by the catalogue": ("softndk.inf", inf, catalog),
    "softndk.cat": ("softndk.cat", catalog, None),
    "ndkhlk.sys by its signature": ("ndkhlk.sys", consumer, None),
}
refused = {
    "softndk.inf without a catalogue": ("softndk.inf", inf, None),
    "softndk.inf changed": ("softndk.inf", changed(inf, 0.5), catalog),
    "softndk.sys changed, by the catalogue": ("softndk.sys", changed(linked, 0.4), catalog),
    "softndk.sys changed": ("softndk.sys", changed(driver, 0.4), None),
    "ndkhlk.sys changed": ("ndkhlk.sys", changed(consumer, 0.4), None),
    "an entry of the catalogue changed": ("softndk.inf", inf, changed(catalog, 0.15)),
    "the catalogue's signature changed": ("softndk.inf", inf, changed(catalog, 0.99)),
}


def verdict(case):
    try:
        return judge(*case)
    except Exception as error:  # A file that can't be parsed any more is refused, too.
        return error


for expected, cases in ((True, accepted), (False, refused)):
    for name, case in cases.items():
        found = verdict(case)
        if (found == AuthenticodeVerificationResult.OK) != expected:
            print(f"signify: {name}: {found!r}", file=sys.stderr)
            sys.exit(1)
print(f"accepted {len(accepted)}, refused {len(refused)} tampered")
