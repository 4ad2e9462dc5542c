"""FFmpeg's WHIP muxer, through PyAV, as a publisher of H264 and Opus.

Its offer is ``setup:passive`` and has no candidates: the server must be the one that begins DTLS.
Environment: VENTEROM_URL, VENTEROM_TOKEN, VENTEROM_SECONDS. The exit code is 0 when everything was sent.
"""

from __future__ import annotations

import datetime
import fractions
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

WIDTH, HEIGHT, FPS = 640, 480, 30
SAMPLE_RATE, SAMPLES = 48_000, 960


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """On P-256: the curve of FFmpeg's own certificate is one that OpenSSL refuses."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stranger")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    paths = directory / "certificate.pem", directory / "key.pem"
    pem = serialization.Encoding.PEM
    paths[0].write_bytes(certificate.public_bytes(pem))
    paths[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return paths


def picture(number: int) -> av.VideoFrame:
    """A white bar that wanders."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, (number * 4) % (WIDTH - 40) :][:, :40] = 255
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    frame.pts, frame.time_base = number, fractions.Fraction(1, FPS)
    return frame


def sound(first_sample: int) -> av.AudioFrame:
    """20 ms of 440 Hz."""
    wave = np.sin(2 * np.pi * 440 * (np.arange(SAMPLES) + first_sample) / SAMPLE_RATE) * 8000
    frame = av.AudioFrame.from_ndarray(wave.astype(np.int16).repeat(2)[np.newaxis, :], format="s16", layout="stereo")
    frame.sample_rate, frame.pts = SAMPLE_RATE, first_sample
    return frame


def publish(url: str, token: str, seconds: float, directory: Path) -> int:
    """Number of pictures sent."""
    certificate, key = make_certificate(directory)
    options = {
        "authorization": token,
        "handshake_timeout": "8000",
        "cert_file": str(certificate),
        "key_file": str(key),
    }
    encoder = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": "30", "bf": "0"}
    with av.open(url, "w", format="whip", options=options) as whip:
        video = whip.add_stream("libx264", rate=FPS, options=encoder)
        video.width, video.height, video.pix_fmt, video.bit_rate = WIDTH, HEIGHT, "yuv420p", 500_000
        audio = whip.add_stream("libopus", rate=SAMPLE_RATE, layout="stereo")
        began, number, samples = time.monotonic(), 0, 0
        while (ahead := began + number / FPS - time.monotonic()) > -seconds and number < seconds * FPS:
            time.sleep(max(0.0, ahead))
            whip.mux(video.encode(picture(number)))
            number += 1
            while samples / SAMPLE_RATE < number / FPS:
                whip.mux(audio.encode(sound(samples)))
                samples += SAMPLES
    return number


def main() -> int:
    av.logging.set_level(av.logging.WARNING)
    with tempfile.TemporaryDirectory() as directory:
        try:
            sent = publish(
                os.environ["VENTEROM_URL"],
                os.environ["VENTEROM_TOKEN"],
                float(os.environ["VENTEROM_SECONDS"]),
                Path(directory),
            )
        except av.FFmpegError as error:
            print(json.dumps({"error": str(error)}), flush=True)
            return 1
    print(json.dumps({"pictures": sent}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
