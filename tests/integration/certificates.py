# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for one run of the tests: an authority, a good server, and servers that must not be trusted.

Each is a pair (certificate file, key file), made by openssl in a folder of the caller's.
"""

import subprocess
import sys
from pathlib import Path

DAYS = 2


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Certificates:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.authority = self._authority("authority")
        self.server = self._server("server", "localhost", "DNS:localhost,IP:127.0.0.1")
        self.expired = self._server("expired", "localhost", "DNS:localhost,IP:127.0.0.1", days=-1)
        self.wrong_name = self._server("wrong-name", "elsewhere.example", "DNS:elsewhere.example")
        self.other_authority = self._authority("other-authority")

    def _key(self, name):
        key = self.folder / f"{name}.key"
        _openssl("ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", key)
        return key

    def make_server(self, name, common_name, alternatives):
        """A good server of another name: (certificate file, key file)."""
        return self._server(name, common_name, alternatives)

    def _authority(self, name):
        certificate, key = self.folder / f"{name}.pem", self._key(name)
        _openssl("req", "-x509", "-new", "-key", key, "-out", certificate, "-days", DAYS,
                 "-subj", f"/CN=Postern test {name}", "-addext", "basicConstraints=critical,CA:TRUE")
        return certificate, key

    def _server(self, name, common_name, alternatives, days=DAYS):
        certificate, key = self.folder / f"{name}.pem", self._key(name)
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\nbasicConstraints=CA:FALSE\n", encoding="ascii")
        _openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={common_name}")
        _openssl("x509", "-req", "-in", request, "-CA", self.authority[0], "-CAkey", self.authority[1],
                 "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", certificate)
        return certificate, key


if __name__ == "__main__":
    Certificates(sys.argv[1])
