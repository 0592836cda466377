# SPDX-License-Identifier: Apache-2.0
"""forge.py LAYOUT TAG POSITION

Rewrites the image of TAG so that it claims another position of the master, in annotations, labels and
generation.json, with all digests right. What comes out is a sound image that lies.
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

layout, tag, position = sys.argv[1:]
KEY, EXACT = "io.effigy.position", "io.effigy.position.exact"


def path(digest):
    return os.path.join(layout, "blobs", digest.replace(":", "/"))


def get(digest):
    with open(path(digest), "rb") as file:
        return file.read()


def put(data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    with open(path(digest), "wb") as file:
        file.write(data)
    return {"digest": digest, "size": len(data)}


def forge_identity(data):
    old = tarfile.open(fileobj=io.BytesIO(data))
    out = io.BytesIO()
    new = tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT)
    for entry in old:
        content = old.extractfile(entry).read() if entry.isfile() else b""
        if entry.name.endswith("generation.json"):
            identity = json.loads(content)
            identity["position"] = position
            content = json.dumps(identity).encode()
            entry.size = len(content)
        new.addfile(entry, io.BytesIO(content))
    new.close()
    return out.getvalue()


def forge_manifest(descriptor):
    manifest = json.loads(get(descriptor["digest"]))
    if "manifests" in manifest:
        manifest["manifests"] = [forge_manifest(one) for one in manifest["manifests"]]
    else:
        config = json.loads(get(manifest["config"]["digest"]))
        tar = forge_identity(gzip.decompress(get(manifest["layers"][-1]["digest"])))
        manifest["layers"][-1].update(put(gzip.compress(tar)))
        config["rootfs"]["diff_ids"][-1] = "sha256:" + hashlib.sha256(tar).hexdigest()
        config["config"]["Labels"].update({KEY: position, EXACT: "true"})
        manifest["config"].update(put(json.dumps(config).encode()))
    if KEY in manifest.get("annotations", {}):
        manifest["annotations"].update({KEY: position, EXACT: "true"})
    return dict(descriptor, **put(json.dumps(manifest).encode()))


index_path = os.path.join(layout, "index.json")
index = json.load(open(index_path))
named = [m for m in index["manifests"] if m.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag]
old = named[0]["digest"]
forged = forge_manifest(named[0])
for one in index["manifests"]:
    if one["digest"] == old:
        one.update(digest=forged["digest"], size=forged["size"])
with open(index_path, "w") as file:
    json.dump(index, file)
