"""Certificates for a cluster: an authority of one's own, and one certificate for each role that it signs.

Whoever holds a certificate of this authority may run code on the workers, so one authority serves one cluster.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from service.errors import RankwardError

ROLES = ("scheduler", "worker", "client")
CLOCK_SKEW = timedelta(minutes=5)

_MODES = {"ca.pem": 0o644} | {
    f"{role}.{kind}": mode for role in ROLES for kind, mode in (("pem", 0o644), ("key", 0o600))
}
"""Files of a set of certificates, and who may read them."""


class AlreadyThere(RankwardError):
    """There are certificates already"""


def make_certificates(directory: Path, hosts: Sequence[str], days: int, keep: bool = False) -> list[Path]:
    """Write ca.pem, and NAME.pem and NAME.key of each role; keys are readable by their owner alone.

    The authority's own key is not kept: new certificates come with a new authority.

    Args:
        hosts: names and addresses of the machines, in the certificates for those who check them.
        days: how long the certificates hold.
        keep: leave a whole set that is there as it is.

    Raises:
        AlreadyThere: nothing is overwritten.
    """
    names = list(_MODES)
    there = [name for name in names if (directory / name).exists()]
    if there and not (keep and there == names):
        raise AlreadyThere(f"{directory / there[0]} exists; give another directory, or remove it first.")
    if there:
        return [directory / name for name in names]
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in new_certificates(hosts, days).items():
        _write(directory / name, content, _MODES[name])
    return [directory / name for name in names]


def new_certificates(hosts: Sequence[str], days: int) -> dict[str, bytes]:
    """The contents of ca.pem, and of NAME.pem and NAME.key of each role, by these names.

    Args:
        hosts: names and addresses of the machines, in the certificates.
        days: how long the certificates hold.
    """
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, days)
    contents = {"ca.pem": authority.public_bytes(serialization.Encoding.PEM)}
    for role in ROLES:
        key = ec.generate_private_key(ec.SECP256R1())
        signed = _signed(role, key, hosts, days, authority, authority_key)
        contents[f"{role}.pem"] = signed.public_bytes(serialization.Encoding.PEM)
        contents[f"{role}.key"] = _pem(key)
    return contents


def _authority(key: ec.EllipticCurvePrivateKey, days: int) -> x509.Certificate:
    name = _name("Rankward cluster authority")
    usage = x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = _builder(name, name, key, days).add_extension(usage, critical=True)
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
        key, hashes.SHA256()
    )


def _signed(
    role: str,
    key: ec.EllipticCurvePrivateKey,
    hosts: Sequence[str],
    days: int,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    """A certificate for both ends of a connection: in a dask cluster everybody listens and everybody calls."""
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = _builder(_name(f"rankward {role}"), authority.subject, key, days)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(both, critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a new file that never was readable by more people than `mode` says."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
