"""Certificates and placement."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from service.processes.certificates import AlreadyThere, make_certificates
from service.processes.placement import places


def test_certificates_are_signed_by_the_authority_and_keys_are_private(tmp_path: Path):
    made = make_certificates(tmp_path / "certs", ["scheduler.lab", "192.0.2.1"], days=30)
    assert {path.name for path in made if path.stat().st_mode & 0o077} == {
        "ca.pem",
        "scheduler.pem",
        "worker.pem",
        "client.pem",
    }
    authority = x509.load_pem_x509_certificate((tmp_path / "certs/ca.pem").read_bytes())
    for role in ("scheduler", "worker", "client"):
        certificate = x509.load_pem_x509_certificate((tmp_path / f"certs/{role}.pem").read_bytes())
        certificate.verify_directly_issued_by(authority)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["scheduler.lab"]
        assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.1"]
        context = ssl.create_default_context(cafile=str(tmp_path / "certs/ca.pem"))
        context.load_cert_chain(tmp_path / f"certs/{role}.pem", tmp_path / f"certs/{role}.key")


def test_nothing_is_overwritten(tmp_path: Path):
    first = [path.read_bytes() for path in make_certificates(tmp_path, ["localhost"], 1)]
    with pytest.raises(AlreadyThere, match="another directory"):
        make_certificates(tmp_path, ["localhost"], 1)
    assert [path.read_bytes() for path in make_certificates(tmp_path, ["localhost"], 1, keep=True)] == first
    (tmp_path / "worker.key").unlink()
    with pytest.raises(AlreadyThere):
        make_certificates(tmp_path, ["localhost"], 1, keep=True)


@pytest.mark.parametrize(
    ("visible", "workers", "expected"),
    [
        ("0,1", None, ["0", "1"]),
        ("0,1", 3, ["0", "1", "0"]),
        ("GPU-a, GPU-b", None, ["GPU-a", "GPU-b"]),
        ("", 2, [None, None]),
        ("-1", 1, [None]),
    ],
)
def test_workers_are_spread_over_the_gpus(monkeypatch, visible, workers, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [place.get("CUDA_VISIBLE_DEVICES") for place in places(workers)] == expected
