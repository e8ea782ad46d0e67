"""A bag of tiny files, as a folder and as a zip archive beside it: tiny_bag.py COUNT FOLDER"""

import hashlib
import os
import sys
import zipfile

count, root = int(sys.argv[1]), sys.argv[2]


def body(index):
    return b"file number %09d\n" % index


def path(index):
    return f"data/{index // 1000:04}/file-{index:08}.txt"


os.makedirs(root + "/data", exist_ok=True)
with open(root + "/manifest-md5.txt", "w") as md5, open(root + "/manifest-sha256.txt", "w") as sha256:
    for index in range(count):
        if index % 1000 == 0:
            os.makedirs(os.path.dirname(f"{root}/{path(index)}"), exist_ok=True)
        with open(f"{root}/{path(index)}", "wb") as out:
            out.write(body(index))
        md5.write(f"{hashlib.md5(body(index)).hexdigest()}  {path(index)}\n")
        sha256.write(f"{hashlib.sha256(body(index)).hexdigest()}  {path(index)}\n")
tags = {
    "bagit.txt": "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
    "bag-info.txt": f"Payload-Oxum: {count * len(body(0))}.{count}\n",
}
for name, text in tags.items():
    with open(f"{root}/{name}", "w") as out:
        out.write(text)
with zipfile.ZipFile(root + ".zip.partial", "w") as archive:
    for name in [*tags, "manifest-md5.txt", "manifest-sha256.txt"]:
        archive.write(f"{root}/{name}", f"bag/{name}", zipfile.ZIP_DEFLATED)
    for index in range(count):
        archive.writestr(zipfile.ZipInfo("bag/" + path(index)), body(index))
os.rename(root + ".zip.partial", root + ".zip")
