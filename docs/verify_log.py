#!/usr/bin/env python3
"""Verifies logs of grunddata, from docs/log.md, RFC 9162 and RFC 8032 alone. Needs nothing but Python 3.8.

  verify_log.py entries LINES.ndjson --head HEAD --keys KEYS      every entry, the root over all, the signature
  verify_log.py inclusion PROOF.json --keys KEYS                  one entry is in the log
  verify_log.py consistency OLD-HEAD PROOF.json --keys KEYS       the log continues the one of an earlier head

LINES   GET /changes?owner=KEY&content=states&proof=true&format=ndjson
HEAD    GET /changes/head?owner=KEY (its JSON, or the note in it)
PROOF   GET /changes/N/proof?owner=KEY, GET /changes/consistency?owner=KEY&from=N
KEYS    GET /.well-known/grunddata-log-keys, or a file with publicKey alone

The entries may be more than the head covers: then the root over the first ones is compared. Exit status 0 = all holds.
"""

import argparse
import base64
import hashlib
import json
import sys

PARTS = ["entry", "actor", "reason", "source", "period", "timeline", "public", "internal", "personal", "protected"]


class Wrong(Exception):
    """Something does not hold."""


def sha256(*pieces):
    return hashlib.sha256(b"".join(pieces)).digest()


# RFC 9162, section 2.1

def leaf_hash(data):
    return sha256(b"\x00", data)


def node_hash(left, right):
    return sha256(b"\x01", left, right)


class Tree:
    """The complete subtrees of a growing tree, from left to right, each with its height."""

    def __init__(self):
        self.size = 0
        self.nodes = []

    def add(self, leaf):
        height = 0
        while self.nodes and self.nodes[-1][0] == height:
            leaf = node_hash(self.nodes.pop()[1], leaf)
            height += 1
        self.nodes.append((height, leaf))
        self.size += 1

    def root(self):
        if not self.nodes:
            return sha256()
        root = self.nodes[-1][1]
        for _, left in reversed(self.nodes[:-1]):
            root = node_hash(left, root)
        return root


def check_inclusion(index, size, leaf, path, root):
    """Section 2.1.3.2."""
    if index >= size:
        raise Wrong("the entry is outside the log")
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            raise Wrong("the proof is too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn or r != root:
        raise Wrong("the proof leads to another root")


def check_consistency(first, second, first_root, second_root, path):
    """Section 2.1.4.2."""
    if first == second:
        if path or first_root != second_root:
            raise Wrong("two heads of one size have different roots")
        return
    if not 0 < first < second:
        raise Wrong("the earlier head covers more than the later one")
    path = list(path)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        raise Wrong("the proof is too short")
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise Wrong("the proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn or fr != first_root or sr != second_root:
        raise Wrong("the log does not continue the one of the earlier head: its history was written anew")


# docs/log.md, the leaf

def entry_leaf(owner, position, proof):
    parts = proof["parts"]
    if sorted(parts) != sorted(PARTS):
        raise Wrong("position %d: the proof has other parts" % position)
    data = b"grunddata-log/1\n%s\n%d\n" % (owner.encode(), position)
    for number, name in enumerate(PARTS):
        part = parts[name]
        if "content" not in part:
            data += bytes.fromhex(part["hash"])
            continue
        if "secret" in proof:
            salt = sha256(b"\x02", bytes.fromhex(proof["secret"]), bytes([number]))
        else:
            salt = bytes.fromhex(part["salt"])
        data += sha256(b"\x03", salt, part["content"].encode())
    leaf = leaf_hash(data)
    if leaf.hex() != proof["leaf"]:
        raise Wrong("position %d is not what its leaf commits to" % position)
    return leaf


def number_text(number):
    """A number as RFC 8785 writes it (ECMAScript)."""
    if isinstance(number, int) or number == 0:
        return str(int(number))
    sign, (digits, exponent) = "-" if number < 0 else "", shortest(abs(number))
    point = exponent + len(digits)
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    tail = "." + digits[1:] if len(digits) > 1 else ""
    return "%s%s%se%+d" % (sign, digits[0], tail, point - 1)


def shortest(number):
    text, _, exponent = repr(number).partition("e")
    whole, _, rest = text.partition(".")
    digits, power = whole + rest, int(exponent or 0) - len(rest)
    stripped = digits.rstrip("0")
    power += len(digits) - len(stripped)
    return stripped.lstrip("0"), power


def canonical(value):
    """RFC 8785."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(canonical(name) + ":" + canonical(value[name]) for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number_text(value)
    return json.dumps(value, ensure_ascii=False)


def agrees(said, shown, whole=True):
    """Whether committed data says what is shown, whole or part of it; a list that came in pieces is a dict by the numbers of its
    items."""
    if isinstance(said, str) and isinstance(shown, dict):
        return said == "geometry:sha256-" + sha256(canonical(shown).encode()).hex()
    if isinstance(said, dict) and isinstance(shown, list):
        shown = {str(index): item for index, item in enumerate(shown)}
    if isinstance(said, dict):
        return (isinstance(shown, dict) and (not whole or said.keys() == shown.keys())
                and all(name in shown and agrees(said[name], shown[name], whole) for name in said))
    if isinstance(said, list):
        return isinstance(shown, list) and len(said) == len(shown) and all(agrees(*pair, whole) for pair in zip(said, shown))
    return isinstance(said, bool) == isinstance(shown, bool) and said == shown


def put(tree, pointer, value):
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
    if not tokens:
        return value
    for token in tokens[:-1]:
        tree = tree.setdefault(token, {})
    tree[tokens[-1]] = value
    return None


# What an entry may show of a part that cannot be opened: nothing.
SILENT = {"actor": [None], "reason": [None], "source": [None], "period": [["unknown", None], [None, None]], "timeline": [[]]}


def check_entry(owner, entry):
    """The leaf of an entry, which says what the leaf commits to, and the classes of which it shows data without proof."""
    position, proof = entry["position"], entry["proof"]
    leaf = entry_leaf(owner, position, proof)
    said = {name: json.loads(part["content"]) for name, part in proof["parts"].items() if "content" in part}
    shown = {
        "entry": [entry.get(name) for name in
                  ("record", "domain", "kind", "version", "recordedAt", "transaction", "changeKind", "corrects")],
        "actor": entry.get("actor"), "reason": entry.get("reason"), "source": entry.get("source"),
        "period": [entry.get("validFrom"), entry.get("validTo")],
        "timeline": [[state["validFrom"], state["validTo"], state["model"]] for state in entry["states"]],
    }
    for name, value in shown.items():
        if not (canonical(said[name]) == canonical(value) if name in said else value in SILENT.get(name, [])):
            raise Wrong("position %d says something else of %s than its leaf commits to" % (position, name))
    classes = [name for name in PARTS[6:] if name in said]
    unproven = [name for name in PARTS[6:] if name not in said] if entry["states"] else []
    for index, state in enumerate(entry["states"]):
        data = {}
        for name in classes:
            for pointer, value in said[name][index]:
                whole = put(data, pointer, value)
                data = data if whole is None else whole
        if not agrees(data, state["data"], not unproven):
            raise Wrong("position %d: a state says something else than its leaf commits to" % position)
    return leaf, unproven


# RFC 8032, Ed25519: verification alone, where speed does not matter

P = 2 ** 255 - 19
Q = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    A, B = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    C, E = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = B - A, E - C, E + C, B + A
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign):
        raise Wrong("this is no key or no signature")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def check_signature(key, message, signature):
    if len(signature) != 64 or len(key) != 32:
        raise Wrong("the signature has another length")
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    left, right = times(s, BASE), add(point(signature[:32]), times(h, point(key)))
    same = all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1))
    if s >= Q or not same:
        raise Wrong("the signature does not hold")


# C2SP signed-note and tlog-checkpoint

def open_note(note, keys):
    """Owner, epoch, size and root of a head that was signed with one of the keys."""
    text, empty, signatures = note.rpartition("\n\n")
    if not empty:
        raise Wrong("this is no signed note")
    text += "\n"
    origin, size, root, epoch, at = text.splitlines()[:5]
    if not origin.startswith("grunddata/") or not epoch.startswith("epoch ") or not at.startswith("at "):
        raise Wrong("this is no head of a log of grunddata")
    known = {sha256(origin.encode(), b"\n\x01", key)[:4]: key for key in keys}
    for line in signatures.splitlines():
        dash, name, encoded = line.split(" ")
        signature = base64.b64decode(encoded)
        if dash == "\u2014" and name == origin and signature[:4] in known:
            check_signature(known[signature[:4]], text.encode(), signature[4:])
            return origin[len("grunddata/"):], int(epoch[6:]), int(size), base64.b64decode(root)
    raise Wrong("the head was not signed with one of these keys")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def read_head(path, keys):
    text = read(path)
    return open_note(json.loads(text)["note"] if text.lstrip().startswith("{") else text, keys)


def read_keys(path):
    text = read(path).strip()
    found = [key["publicKey"] for key in json.loads(text)["keys"]] if text.startswith("{") else text.split()
    return [base64.b64decode(key) for key in found]


def entries(arguments, keys):
    owner, epoch, size, root = read_head(arguments.head, keys)
    tree, erased, unproven = Tree(), 0, []
    with open(arguments.lines, encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if "_meta" in entry or tree.size == size:
                break
            if entry["position"] != tree.size + 1:
                raise Wrong("position %d follows on %d" % (entry["position"], tree.size))
            leaf, withheld = check_entry(owner, entry)
            tree.add(leaf)
            if withheld:
                unproven.append("position %d shows data of the classes %s of which not all is told" % (entry["position"], ", ".join(withheld)))
            erased += any("content" not in part for part in entry["proof"]["parts"].values())
    if tree.size != size:
        raise Wrong("the head covers %d entries, and there are %d" % (size, tree.size))
    if tree.root() != root:
        raise Wrong("the entries have another root than the signed head")
    print("%s, epoch %d: %d entries, of which %d are partly withheld or erased, have the root that is signed" % (owner, epoch, size, erased))
    for line in unproven:
        print("NOT PROVEN: " + line)


def inclusion(arguments, keys):
    proof = json.loads(read(arguments.proof))
    owner, epoch, size, root = open_note(proof["head"]["note"], keys)
    path = [bytes.fromhex(node) for node in proof["path"]]
    check_inclusion(proof["position"] - 1, size, bytes.fromhex(proof["leaf"]), path, root)
    print("%s, epoch %d: position %d is in the log of %d entries that is signed" % (owner, epoch, proof["position"], size))


def consistency(arguments, keys):
    proof = json.loads(read(arguments.proof))
    old, new = read_head(arguments.old, keys), open_note(proof["head"]["note"], keys)
    if old[0] != new[0]:
        raise Wrong("the heads are of different owners")
    check_consistency(old[2], new[2], old[3], new[3], [bytes.fromhex(node) for node in proof["path"]])
    print("%s: the log of %d entries continues that of %d" % (new[0], new[2], old[2]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    for name, run, places in (("entries", entries, ["lines"]), ("inclusion", inclusion, ["proof"]), ("consistency", consistency, ["old", "proof"])):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        for place in places:
            command.add_argument(place)
        command.add_argument("--keys", required=True)
        if name == "entries":
            command.add_argument("--head", required=True)
    arguments = parser.parse_args()
    try:
        arguments.run(arguments, read_keys(arguments.keys))
    except Wrong as wrong:
        print("DOES NOT HOLD: %s" % wrong)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
