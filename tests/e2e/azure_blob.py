"""A client of Azure's blobs: asks for one thing with the key of a connection string, signed as the service demands.

usage: python3 azure_blob.py CONNECTION-STRING METHOD CONTAINER[/BLOB] [TEXT]
"""
import base64
import hashlib
import hmac
import http.client
import sys
import urllib.parse
from email.utils import formatdate

connection, method, what, text = (*sys.argv[1:], "")[:4]
told = dict(part.split("=", 1) for part in connection.rstrip(";").split(";"))
url = urllib.parse.urlsplit(told["BlobEndpoint"])
path = f"{url.path}/{what}"
headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
resource = f"/{told['AccountName']}{path}"
if "/" not in what:
    path, resource = f"{path}?restype=container", f"{resource}\nrestype:container"
elif text:
    headers["x-ms-blob-type"] = "BlockBlob"
own = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
length = str(len(text)) if text else ""
signed = f"{method}\n\n\n{length}\n\n\n\n\n\n\n\n\n{own}{resource}"
digest = hmac.new(base64.b64decode(told["AccountKey"]), signed.encode(), hashlib.sha256).digest()
headers["Authorization"] = f"SharedKey {told['AccountName']}:{base64.b64encode(digest).decode()}"
asked = http.client.HTTPConnection(url.netloc, timeout=20)
asked.request(method, path, text or None, headers)
answer = asked.getresponse()
body = answer.read().decode()
if answer.status >= 300:
    sys.exit(f"{answer.status}: {body}")
print(body)
