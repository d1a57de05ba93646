#!/usr/bin/env python3
"""Verifies an audit log, a proof or the public corpora, independently of Sallyport's own code.

RFC 9162 section 2.1 (hashes, proofs), RFC 8032 section 5.1 (Ed25519), C2SP signed-note, tlog-checkpoint, tlog-proof.
Python's standard library only. Ends with 0 where all holds, 1 where something does not, 2 where it is called otherwise.

  verify.py log FOLDER VKEY            every record, every root, every signature
  verify.py proof FILE RECORD VKEY     one record
  verify.py consistency FILE OLD VKEY  one checkpoint after another
  verify.py corpora FOLDER             the cases of transparency-dev/merkle
"""
import base64, glob, gzip, hashlib, json, os, sys

sha = lambda data: hashlib.sha256(data).digest()
leaf_hash = lambda data: sha(b"\0" + data)
node_hash = lambda left, right: sha(b"\1" + left + right)

# Ed25519: RFC 8032 section 5.1.7, points as (x, y, z, t) with x = X/Z, y = Y/Z, xy = T/Z.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def point_of(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign):
        raise ValueError("no point of the curve")
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, message, signature):
    a, r = point_of(key), point_of(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    left, right = times(s, BASE), add(r, times(h, a))
    same = (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0
    return len(signature) == 64 and s < ORDER and same


def read_vkey(text):
    name, key_id, encoded = text.strip().split("+", 2)
    typed = base64.b64decode(encoded, validate=True)
    if sha(name.encode() + b"\n" + typed)[:4].hex() != key_id or typed[0] != 1 or len(typed) != 33:
        raise ValueError("no key of a log")
    return name, bytes.fromhex(key_id), typed[1:]


def note_text(note, *vkeys):
    """The text of a signed note, if one of the keys signed it."""
    text, lines = note[: note.rindex("\n\n") + 1], note[note.rindex("\n\n") + 2 :].splitlines()
    for name, key_id, key in map(read_vkey, vkeys):
        for line in lines:
            dash, signer, encoded = line.split(" ")
            signature = base64.b64decode(encoded, validate=True)
            if dash == "—" and signer == name and signature[:4] == key_id:
                if signed(key, text.encode(), signature[4:]):
                    return text
    raise ValueError("not signed by the key of its time")


def parsed(text):
    origin, size, root = text.split("\n")[:3]
    return origin, int(size), base64.b64decode(root, validate=True)


def checkpoint(note, *vkeys):
    return parsed(note_text(note, *vkeys))


def is_subtree(start, end):
    """draft-ietf-plants-merkle-tree-certs section 4.1: it begins at a multiple of its size, rounded up to a power of 2."""
    return 0 <= start < end and start % (1 << (end - start - 1).bit_length()) == 0


def included(index, size, leaf, proof, root, start=0):
    """RFC 9162 section 2.1.3.2; with `start`, of the subtree from there to `size`."""
    if not is_subtree(start, size) or not start <= index < size:
        return False
    fn, sn, r = index - start, size - start - 1, leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistent(first, second, first_root, second_root, proof, start=0):
    """RFC 9162 section 2.1.4.2; with `start`, of the subtree from there to `first` (draft as above, section 4.4)."""
    if not is_subtree(start, first) or first > second:
        return False
    if start == 0 and first == second:
        return not proof and first_root == second_root
    # Nodes of one level: of the subtree's first leaf, of its last one, of the tree's last one.
    bn, fn, sn = start, first - 1, second - 1
    while bn != fn and (fn == sn or fn & 1):
        bn, fn, sn = bn >> 1, fn >> 1, sn >> 1
    path = ([first_root] if bn == fn else []) + proof
    if not path:
        return False
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr) if bn < fn else fr, node_hash(c, sr)
            while not fn & 1 and fn:
                bn, fn, sn = bn >> 1, fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        bn, fn, sn = bn >> 1, fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root


class Tree:
    """A tree that grows: the complete subtrees at its right edge, largest first."""

    def __init__(self):
        self.size, self.peaks = 0, []

    def add(self, leaf):
        self.size += 1
        self.peaks.append(leaf)
        rest = self.size
        while not rest & 1:
            right = self.peaks.pop()
            self.peaks.append(node_hash(self.peaks.pop(), right))
            rest >>= 1

    def root(self):
        result = None
        for peak in reversed(self.peaks):
            result = peak if result is None else node_hash(peak, result)
        return sha(b"") if result is None else result


def records(folder, segment):
    path = os.path.join(folder, segment)
    with open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz", "rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


class Segments:
    """Reads each file in step with the checkpoints, and keeps few open: a log may have more than one may open."""

    def __init__(self, folder):
        self.folder, self.open, self.taken = folder, {}, {}

    def take(self, segment, number):
        lines = self.open.pop(segment, None)
        if lines is None:
            lines = records(self.folder, segment)
            for _ in range(self.taken.get(segment, 0)):
                next(lines)
        self.open[segment] = lines
        if len(self.open) > 64:
            self.open.pop(next(iter(self.open))).close()
        self.taken[segment] = self.taken.get(segment, 0) + number
        return [next(lines) for _ in range(number)]


def keys_from(folder, vkey):
    """Every key of the log, each with the size from which on it signs, and which of them was given."""
    keys, given = [], None
    for line in open(os.path.join(folder, "tree/keys.jsonl"), encoding="utf8"):
        entry = json.loads(line)
        if keys:
            name = entry["vkey"].split("+")[0]
            if note_text(entry["note"], keys[-1][1]) != f"{name}\nkey from {entry['from']}\n{entry['vkey']}\n":
                raise ValueError("a key is not vouched for")
        if given is None and entry["vkey"] == vkey.strip():
            given = len(keys)
        keys.append((entry["from"], entry["vkey"]))
    if given is None:
        raise ValueError("the key is none of this log")
    return keys, given


def signer_of(note, size, keys):
    """Which key signed it: that of its time, or at the very size of a change the one before it."""
    last = max(index for index, (start, _) in enumerate(keys) if start <= size)
    for index in range(last, max(-1, last - 1 - (keys[last][0] == size)), -1):
        try:
            return index, checkpoint(note, keys[index][1])
        except ValueError:
            continue
    raise ValueError("not signed by the key of its time")


def check_log(folder, vkey):
    keys, given = keys_from(folder, vkey)
    tree, segments, count, signer = Tree(), Segments(folder), 0, -1
    for text in open(os.path.join(folder, "tree/checkpoints.jsonl"), encoding="utf8"):
        entry = json.loads(text)
        for segment, number, _ in entry["parts"]:
            for line in segments.take(segment, number):
                tree.add(leaf_hash(line))
        signer, (_, size, root) = signer_of(entry["note"], entry["size"], keys)
        if (size, root) != (tree.size, tree.root()):
            raise ValueError(f"the records do not make the root of checkpoint {count + 1}")
        count += 1
    if count == 0:
        raise ValueError("nothing is sealed: there is no checkpoint")
    # Keys of before it say nothing by themselves; it vouches for what it signed over.
    if signer < given:
        raise ValueError("the last checkpoint is not signed by the key that was given, or one after it")
    print(f"{tree.size} records under {count} checkpoints")


def read_proof(path):
    head, note = open(path, encoding="utf8").read().split("\n\n", 1)
    return head.splitlines(), note


def check_proof(path, record, vkey):
    (first, index, *hashes), note = read_proof(path)
    _, size, root = checkpoint(note, vkey)
    # A record never ends with a line feed: one is of whoever cut the line out of an export.
    leaf = leaf_hash(open(record, "rb").read().removesuffix(b"\n"))
    if first != "c2sp.org/tlog-proof@v1" or not included(int(index.split(" ")[1]), size, leaf, [base64.b64decode(h) for h in hashes], root):
        raise ValueError("the record is not in the log")
    print(f"{record} is in the log of {size} records")


def check_consistency(path, old, vkey):
    (first, *hashes), note = read_proof(path)
    _, size, root = checkpoint(note, vkey)
    _, old_size, old_root = checkpoint(open(old, encoding="utf8").read(), vkey)
    if first != f"old {old_size}" or not consistent(old_size, size, old_root, root, [base64.b64decode(h) for h in hashes]):
        raise ValueError("the log does not begin with that checkpoint")
    print(f"the log of {size} records begins with that of {old_size}")


def corpus_case(case, kind):
    proof = [base64.b64decode(h) for h in case["proof"] or []]
    value = lambda name: base64.b64decode(case[name]) if case[name] else b""
    start = case.get("start", 0)
    if kind.endswith("inclusion"):
        end = case["end" if "end" in case else "treeSize"]
        return len(value("root")) == 32 and included(case["leafIdx"], end, value("leafHash"), proof, value("root"), start)
    if kind == "consistency":
        return consistent(case["size1"], case["size2"], value("root1"), value("root2"), proof)
    # There is one root that a subtree without a leaf can have.
    if start == case["end"] <= case["size"]:
        return not proof and value("root1") == sha(b"")
    return consistent(case["end"], case["size"], value("root1"), value("root2"), proof, start)


def check_corpora(folder):
    tried = 0
    for kind in ("inclusion", "consistency", "subtreeinclusion", "subtreeconsistency"):
        for path in glob.glob(os.path.join(folder, kind, "**", "*.json"), recursive=True):
            case = json.load(open(path, encoding="utf8"))
            if corpus_case(case, kind) == case["wantErr"]:
                raise ValueError(f"{path}: {case['desc']}")
            tried += 1
    print(f"{tried} cases")


USAGE = "usage: verify.py log FOLDER VKEY | proof FILE RECORD VKEY | consistency FILE OLD VKEY | corpora FOLDER"
CHECKS = {"log": (check_log, 2), "proof": (check_proof, 3), "consistency": (check_consistency, 3), "corpora": (check_corpora, 1)}

if __name__ == "__main__":
    check, count = CHECKS.get(sys.argv[1] if len(sys.argv) > 1 else "", (None, 0))
    if check is None or len(sys.argv) != count + 2:
        print(USAGE, file=sys.stderr)
        sys.exit(2)
    try:
        check(*sys.argv[2:])
    except Exception as error:  # What was changed may be of any form: nothing of it holds, and no trace helps.
        print(f"DOES NOT HOLD: {str(error) or 'records are missing'}")
        sys.exit(1)
