"""Workbooks with an opening password, encrypted by the book ([MS-OFFCRYPTO]) with msoffcrypto's ciphers."""

from __future__ import annotations

import io
from base64 import b64encode
from hashlib import md5, sha1, sha384
from struct import pack, unpack_from

from biff_support import GLOBALS, bof, compound, record
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from msoffcrypto.method import rc4, rc4_cryptoapi
from msoffcrypto.method.container.ecma376_encrypted import ECMA376Encrypted
from msoffcrypto.method.ecma376_agile import ECMA376Agile
from msoffcrypto.method.ecma376_standard import ECMA376Standard

SALT = bytes(range(16))
VERIFIER = b"0123456789abcdef"
_IN_THE_CLEAR = {0x0809, 0x002F, 0x00E1}


def agile(workbook: bytes, password: str) -> bytes:
    """Encrypt an .xlsx as Excel 2010 and later do, with fewer hashes."""
    encrypted: bytes = ECMA376Agile.encrypt(password, io.BytesIO(workbook), spin_count=1_000)
    return encrypted


def agile_by_the_book(workbook: bytes, password: str, *, algorithm: str = "SHA1", bits: int = 128) -> bytes:
    """Encrypt an .xlsx as Excel 2010 and POI do by default (§2.3.4.11 to §2.3.4.13): digests are filled up to whole blocks."""
    make_digest = {"SHA1": sha1, "SHA384": sha384, "MD5": md5}[algorithm]
    size = bits // 8
    secret = bytes(range(100, 100 + size))

    def encrypt(plain: bytes, key: bytes, vector: bytes) -> bytes:
        encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
        return encryptor.update(plain.ljust(-(-len(plain) // 16) * 16, b"\0")) + encryptor.finalize()

    def encode(plain: bytes, block: str) -> str:
        key = make_digest(digest + bytes.fromhex(block)).digest().ljust(size, b"\x36")[:size]
        return b64encode(encrypt(plain, key, SALT)).decode()

    digest = make_digest(SALT + password.encode("utf-16-le")).digest()
    for serial in range(1_000):
        digest = make_digest(pack("<I", serial) + digest).digest()
    payload = pack("<Q", len(workbook))
    for serial, start in enumerate(range(0, len(workbook), 4096)):
        vector = make_digest(SALT + pack("<I", serial)).digest()[:16]
        payload += encrypt(workbook[start : start + 4096], secret, vector)
    cipher = (
        f'saltSize="16" blockSize="16" keyBits="{bits}" hashSize="{len(digest)}" cipherAlgorithm="AES" '
        f'cipherChaining="ChainingModeCBC" hashAlgorithm="{algorithm}" saltValue="{b64encode(SALT).decode()}"'
    )
    office = "http://schemas.microsoft.com/office/2006"
    description = (
        f'<encryption xmlns="{office}/encryption" xmlns:p="{office}/keyEncryptor/password"><keyData {cipher}/>'
        '<dataIntegrity encryptedHmacKey="" encryptedHmacValue=""/><keyEncryptors><keyEncryptor '
        f'uri="{office}/keyEncryptor/password"><p:encryptedKey spinCount="1000" {cipher} '
        f'encryptedVerifierHashInput="{encode(VERIFIER, "fea7d2763b4b9e79")}" '
        f'encryptedVerifierHashValue="{encode(make_digest(VERIFIER).digest(), "d7aa0f6d3061344e")}" '
        f'encryptedKeyValue="{encode(secret, "146e0be7abacd0d6")}"/></keyEncryptor></keyEncryptors></encryption>'
    )
    return described(payload, pack("<2HI", 4, 4, 0x40) + description.encode())


def described(package: bytes, description: bytes) -> bytes:
    """Return a compound file with an encrypted package and the description of its encryption."""
    file = io.BytesIO()
    ECMA376Encrypted(package, description).write_to(file)
    return file.getvalue()


def spinning(workbook: bytes, password: str, spins: int) -> bytes:
    """Encrypt so that a password is hashed that often; the description alone says so."""
    info, secret = ECMA376Agile.generate_encryption_parameters(password, None, 1)
    package = ECMA376Agile.encrypt_payload(
        io.BytesIO(workbook), info.encryptedKey, secret, info.keyData.saltValue
    )
    description = ECMA376Agile.get_encryption_information(info, package, secret)
    return described(package, description.replace(b'spinCount="1"', b'spinCount="%d"' % spins))


def standard(workbook: bytes, password: str, *, tail: bytes = b"") -> bytes:
    """Encrypt an .xlsx as Excel 2007 does (§2.3.4.5): AES-128; ``tail`` follows that Excel does not write."""
    key = ECMA376Standard.makekey_from_password(password, 0x660E, 0x8004, 0x18, 128, 16, SALT)

    def encrypt(plain: bytes) -> bytes:
        encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        return encryptor.update(plain.ljust(-(-len(plain) // 16) * 16, b"\0")) + encryptor.finalize()

    header = pack("<8I", 0x24, 0, 0x660E, 0x8004, 128, 0x18, 0, 0) + "AES\0".encode("utf-16-le")
    verifier = pack("<I", 16) + SALT + encrypt(VERIFIER) + pack("<I", 20) + encrypt(sha1(VERIFIER).digest())
    description = pack("<2H2I", 4, 2, 0x24, len(header)) + header + verifier
    return described(pack("<Q", len(workbook)) + encrypt(workbook) + tail, description)


def biff(make, password: str, *, crypto_api: bool) -> bytes:
    """Encrypt an .xls; ``make(extra)`` returns its records with one more record in the globals."""
    if crypto_api:
        header = pack("<8I", 4, 0, 0x6801, 0x8004, 128, 1, 0, 0)
        key, digest = rc4_cryptoapi._makekey(password, SALT, 128, 0), sha1(VERIFIER).digest()
        lead = pack("<3H2I", 1, 4, 2, 4, len(header)) + header + pack("<I", 16) + SALT
    else:
        key, digest = rc4._makekey(password, SALT, 0), md5(VERIFIER).digest()
        lead = pack("<3H", 1, 1, 1) + SALT
    secret = _rc4(key, VERIFIER + digest)
    body = lead + secret[:16] + (pack("<I", 20) if crypto_api else b"") + secret[16:]
    plain = make(pack("<2H", 0x002F, len(body)) + body)
    assert plain.startswith(bof(GLOBALS))
    plain += record(
        0, bytes(-len(plain) % 4)
    )  # xlwt fills the stream up with records of nothing: none may be cut
    if crypto_api:
        hidden = rc4_cryptoapi.DocumentRC4CryptoAPI.decrypt(
            password, SALT, 128, io.BytesIO(plain), blocksize=1024
        ).read()
    else:
        hidden = rc4.DocumentRC4.decrypt(password, SALT, io.BytesIO(plain), blocksize=1024).read()
    mixed = bytearray(hidden)
    position = 0
    while position < len(plain):
        kind, size = unpack_from("<2H", plain, position)
        clear = 4 + (size if kind in _IN_THE_CLEAR else 4 if kind == 0x0085 else 0)
        mixed[position : position + clear] = plain[position : position + clear]
        position += 4 + size
    return compound(bytes(mixed))


def _rc4(key: bytes, plain: bytes) -> bytes:
    encryptor = Cipher(rc4.ARC4(key), mode=None).encryptor()
    return encryptor.update(plain)
