"""A client of imgproxy: asks for an image as a PNG that fits into a square, by a signed URL, and prints the size of what it got.

usage: python3 imgproxy.py IMGPROXY-URL KEY SALT SOURCE-URL SIDE
"""
import base64
import hashlib
import hmac
import struct
import sys
import urllib.error
import urllib.request

url, key, salt, source, side = sys.argv[1:]
encoded = base64.urlsafe_b64encode(source.encode()).rstrip(b"=").decode()
path = f"/rs:fit:{side}:{side}/{encoded}.png"
digest = hmac.new(bytes.fromhex(key), bytes.fromhex(salt) + path.encode(), hashlib.sha256).digest()
signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
try:
    with urllib.request.urlopen(f"{url}/{signature}{path}", timeout=20) as answer:
        image = answer.read()
except urllib.error.HTTPError as error:
    sys.exit(f"{error}: {error.read().decode()}")
if not image.startswith(b"\x89PNG\r\n\x1a\n"):
    sys.exit(f"no PNG: {image[:20]!r}")
print("{}x{}".format(*struct.unpack(">II", image[16:24])))
