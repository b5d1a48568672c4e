"""Checks an export of Tightrope's audit log (folder or zip). Needs Python 3.9 or newer and nothing else.

    python verify.py BUNDLE [--policy FILE] [--strict] [--late-minutes 10] [--json]

Written from audit-formats.md, RFC 6962, 8032, 3161 and C2SP's tlog specifications; it shares no code with the program that writes the log.
Exit code 0: nothing missing or altered; 1: something is (with --strict also late or unwitnessed); 2: cannot be read. A whole log: verify_log.py.
"""
from __future__ import annotations
import argparse, base64, bisect, contextlib, datetime, functools, hashlib, json, os, re, sys, zipfile
from typing import Any, Iterator, NoReturn
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # Ed25519, RFC 8032 section 5.1
D, BASE_Y = -121665 * pow(121666, P - 2, P) % P, (4 * pow(5, P - 2, P) % P).to_bytes(32, "little")
HEX, UUID, TEXT = '(?:null|"[0-9a-f]{64}")', '"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"', r'"[^"\\]{0,255}"'
LEAF = re.compile(rf'{{"build":{TEXT},"cls":{TEXT},"commit":{HEX},"content":{{.*}},"conv":(?:null|{UUID}),"ct_sha256":{HEX},(?:"ct_sm3":{HEX},)?"event":'
                  rf'"[a-z]+:[a-z_]+:[a-z_]+","facts":{{.*}},"host":{TEXT},"id":{UUID},"kid":(?:null|{UUID}),"release":{TEXT},"ts":"\d{{4}}-\d\d-\d\dT'
                  rf'\d\d:\d\d:\d\d\.\d{{3}}Z","turn":(?:null|\d{{1,16}}),"until":"\d{{4}}-\d\d-\d\d","v":[12]}}')
ABSENT, MANIFEST = "is not there", {"v", "kind", "made", "log", "masked", "selection", "shards", "records", "files"}
KINDS = {"altered": "被改", "missing": "缺失", "late": "过迟", "unwitnessed": "无见证", "destroyed": "已销毁"}
RESULTS = "nothing missing or altered 无缺失、无篡改", "see the findings above: this is not what the log holds, or not all of it 有缺失或被改"
def fail(text: str) -> NoReturn: raise ValueError(text)
def sha(data: bytes) -> bytes: return hashlib.sha256(data).digest()
def seconds(text: str) -> float: return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
def need(holds: object, otherwise: str) -> None:
    if not holds: fail(otherwise)
def iso(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat(timespec="milliseconds")[:23] + "Z"
def b64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    return data if base64.b64encode(data).decode() == text else fail("base64 that is not in its one form")
def parse(data: bytes) -> Any:
    return json.loads(data.decode(), object_pairs_hook=lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else fail("JSON with a key twice"),
                      parse_float=lambda text: fail(f"JSON with {text[:20]}, which is no integer"), parse_constant=fail)

def add(a: Any, b: Any) -> Any:
    e, f, g, h = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0]), 2 * D * a[3] * b[3], 2 * a[2] * b[2]
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P
def point(data: bytes) -> Any:
    sign, y = divmod(int.from_bytes(data, "little"), 1 << 255)
    u, v = y * y - 1, D * y * y + 1
    x = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    x = x * pow(2, (P - 1) // 4, P) % P if (v * x * x - u) % P else x
    need(len(data) == 32 and y < P and (v * x * x - u) % P == 0 and (x or not sign), "a key that is no point of the curve")
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P
def ed25519(key: bytes, message: bytes, signature: bytes) -> bool:
    a, base, q, s = point(key), point(BASE_Y), (0, 1, 1, 0), int.from_bytes(signature[32:], "little")
    minus, four = (P - a[0], a[1], 1, P - a[3]), add(add(a, a), add(a, a))
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    table = (q, base, minus, add(base, minus))
    for bit in range(252, -1, -1):
        q = add(add(q, q), table[(s >> bit & 1) + 2 * (k >> bit & 1)])
    x, y = (value * pow(q[2], P - 2, P) % P for value in q[:2])  # [S]B - [k]A must be R; S has one form only; no key of small order
    return signature == (y | (x & 1) << 255).to_bytes(32, "little") + signature[32:64] and s < L and add(four, four)[0] != 0

def climb(at: int, last: int, node: bytes, proof: list[bytes]) -> bytes:  # the root that an inclusion proof leads to (RFC 9162, 2.1.3.2)
    need(0 <= at <= last and len(proof) <= 64, "not a place in the checkpoint's tree, or a proof of more than 64 hashes")
    for other in proof:
        need(last, "the inclusion proof is too long")
        node = sha(b"\1" + (other + node if at & 1 or at == last else node + other))
        while at == last and at and not at & 1: at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    return fail("the inclusion proof is too short") if last else node
def stamped(body: bytes, note: bytes) -> float:  # genTime of the RFC 3161 token whose imprint is SHA-256 of the note (DER of TSTInfo)
    found = re.search(rb"`\x86H\x01e\x03\x04\x02\x01(?:\x05\0)?\x04 " + re.escape(sha(note)) + rb"\x02(.)", body, re.S)
    at = found.end() + found[1][0] if found else fail("a time stamp over something else")
    return seconds(re.sub(rb"\x18.(....)(..)(..)(..)(..)(..)(\.\d+)?Z.*", rb"\1-\2-\3T\4:\5:\6+00:00", body[at:], flags=re.S).decode())

class Check:
    OPTIONS: tuple[str, ...] = ()
    def __init__(self, path: str, late: float, given: Any) -> None:
        self.late, self.quorum, self.given, self.now, archive = late, "", given, 0.0, None if os.path.isdir(path) else zipfile.ZipFile(path)
        infos = [info for info in archive.infolist() if not info.is_dir()] if archive else []
        walk = [] if archive else [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
        self.files: dict[str, Any] = {info.filename: functools.partial(archive.open, info) for info in infos if archive}
        self.files.update({os.path.relpath(at, path).replace(os.sep, "/"): functools.partial(open, at, "rb") for at in walk if not os.path.islink(at)})
        need(len(self.files) == len(infos) + len(walk), "a link in the folder, or two files of one name in the zip")
        need(sum(info.file_size for info in infos) <= 1 << 32, "a zip of more than 4 GiB: unpack it with care and check the folder")
        self.findings, self.keys, self.groups = dict[Any, list[list[int]]](), dict[Any, Any](), dict[str, Any](none=(0, []))
        self.tops, self.heads, self.times, self.marks = dict[int, Any](), dict[int, Any](), dict[int, Any](), dict[int, Any]()
        self.turns, self.seen, self.destroyed, self.claims, self.notes = dict[str, Any](), dict[str, Any](), dict[str, Any](), list[Any](), list[str]()
    def find(self, kind: str, what: str, shard: Any = None, first: int = -1, last: int = -1) -> None:
        ranges = self.findings.setdefault((kind, what, shard), [])
        if ranges and ranges[-1][1] + 1 == first: ranges[-1][1] = max(first, last)  # neighbours become one range
        else: ranges.append([first, max(first, last)])
    @contextlib.contextmanager
    def guard(self, what: str, place: Any = ()) -> Iterator[None]:  # what cannot be read as the formats say has been altered
        try: yield
        except Exception as error:
            text = f"{what}: {error if isinstance(error, ValueError) else repr(error)}"[:300]
            self.find("missing" if text.endswith(ABSENT) else "altered", text, *place)
    def read(self, name: str) -> bytes:
        with self.files[name]() if name in self.files else fail(f"{name} {ABSENT}") as file:
            return bytes(file.read())

    def policy(self, text: str) -> None:  # C2SP tlog-policy
        for word in (line.split() for line in text.split("\n") if line.strip() and line.strip()[0] != "#"):
            need(word[0] in ("log", "quorum") or word[0] in ("witness", "group") and word[1] not in self.groups, f"policy: {word}")
            members = word[3:] if word[0] == "group" else []
            if word[0] in ("log", "witness"):
                name, key_id, key = word[1 + (word[0] == "witness")].split("+", 2)
                need(sha(name.encode() + b"\n" + b64(key)).hex()[:8] == key_id, f"policy: the key of {name} has another id")
                need(all(b64(key) != other for *_, other in self.keys.values()), f"policy: the key of {name} stands twice")
                self.keys[name, bytes.fromhex(key_id)] = word[0], word[1], b64(key)
            if word[0] in ("group", "witness"):
                count = {"all": len(members), "any": 1}.get(word[2]) or int(word[2]) if members else 1
                need(set(members) <= set(self.groups) - {"none"} and 0 < count <= max(1, len(set(members))), f"policy: group {word[1]}")
                self.groups[word[1]] = count, members
            if word[0] == "quorum": self.quorum = word[1] if word[1] in self.groups and not self.quorum else fail("policy: not one known quorum")
        need(self.quorum, "policy: no quorum line")
    def enough(self, name: str, cosigned: Any) -> bool:
        return name in cosigned or sum(self.enough(member, cosigned) for member in self.groups[name][1]) >= self.groups[name][0]

    def checkpoint(self, note: bytes) -> Any:  # C2SP signed-note, tlog-checkpoint, tlog-cosignature; signatures of unknown keys are ignored
        text, tail, signed, cosigned = note[:note.rfind(b"\n\n") + 1], note[note.rfind(b"\n\n") + 2:], False, dict[str, int]()
        origin, digits, root = text.decode().split("\n")[:3]
        need(re.fullmatch("0|[1-9][0-9]{0,18}", digits) and len(b64(root)) == 32 and tail[-1:] == b"\n", "not a checkpoint")
        for dash, name, blob in (line.split(" ") for line in tail.decode()[:-1].split("\n")):
            role, who, key = self.keys.get((name, b64(blob)[:4]), ("", "", b"\0"))
            need(dash == "\u2014", "not a signature line")
            if role == "log" and key[0] == 1 and name == origin:
                signed = ed25519(key[1:], text, b64(blob)[4:]) or fail(f"the signature of {name} does not hold")
            if role == "witness" and key[0] == 4:
                cosigned[who] = int.from_bytes(b64(blob)[4:12], "big")
                said = b"cosignature/v1\ntime %d\n" % cosigned[who] + text
                need(ed25519(key[1:], said, b64(blob)[12:]), f"the cosignature of {who} does not hold")
        shard, size = int(origin.rsplit("/", 1)[1]) if signed else fail("not signed by a log key of the policy"), int(digits)
        self.heads.setdefault(shard, {}).setdefault((size, b64(root)), set()).update(cosigned)
        self.times.setdefault(shard, []).extend((size, at) for at in cosigned.values())
        return shard, size, b64(root), cosigned, origin
    def top(self, name: str) -> None:  # the checkpoint of a shard; where it does not hold, the whole shard does not
        claim = re.match(rb"[^\n]*/(\d{1,9})\n(\d{1,19})\n", self.read(name))
        with self.guard(name, (int(claim[1]), 0, int(claim[2]) - 1) if claim else ()):
            head = self.checkpoint(self.read(name))
            self.tops[head[0]] = head
            need(len(name) < 12 or name == f"{head[0]}/checkpoint", f"is the checkpoint of {head[4]}")

    def anchors(self) -> None:
        for item in parse(self.read("anchors.json")) if "anchors.json" in self.files else []:
            shard, size, kind, note = item["shard"], item["size"], item["kind"], item["checkpoint"].encode()
            with self.guard(f"anchor {item['anchor']}", (shard, 0, size - 1)):
                body, at, how, clock = b64(item["body"]), item["asserted"] and seconds(item["asserted"]), "asserted, not checked here", None
                head = self.checkpoint(note + (body if kind == "witness-c2sp" else b""))
                need(head[:2] == (shard, size), "holds the checkpoint of another shard or size")
                if kind == "witness-c2sp": clock, how = min(head[3].values(), default=None), "checked" if head[3] else "no witness of the policy"
                if kind == "rfc3161":
                    clock, how = stamped(body, note), "imprint checked; NOT its signature: openssl ts -verify -data CHECKPOINT -in BODY -CAfile TSA"
                need(None in (clock, at) or abs(clock - at) < 1, "asserts another time than its body")
                at = at if clock is None else clock
                self.times[shard] += [(size, at)] if at and kind != "worm-folder" else []
                self.notes.append(f"anchor 锚 {shard} size {size}  {item['anchor']} ({kind})  {iso(at) if at else '-'}  {how}")
        for shard, heads in self.heads.items():
            roots = dict(heads.keys())
            for size in {size for size, root in heads if roots[size] != root}:
                self.find("altered", "a fork: two trees of one size were signed", shard, 0, size - 1)
    def outside(self, shard: int, index: int) -> float | None:  # when the first outside clock saw this leaf
        if shard not in self.marks:
            self.marks[shard] = sorted(self.times.get(shard, []))
            for at in reversed(range(len(self.marks[shard]) - 1)):
                self.marks[shard][at] = (self.marks[shard][at][0], min(self.marks[shard][at][1], self.marks[shard][at + 1][1]))
        after = bisect.bisect(self.marks[shard], (index, float("inf")))
        return self.marks[shard][after][1] if after < len(self.marks[shard]) else None
    def clock(self, shard: int, index: int, ts: str) -> None:  # a leaf's time against it
        at = self.outside(shard, index)
        if seconds(ts) + self.late < (self.now if at is None else at):
            self.find("late", "no outside anchor" if at is None else "the first outside anchor came later than the limit", shard, index)
        if at is not None and seconds(ts) > at + self.late:
            self.find("altered", "the leaf's time lies after an outside clock that already saw it", shard, index)

    def leaf(self, shard: int, index: int, data: bytes) -> Any:
        leaf = parse(data)
        need(json.dumps(leaf, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == data and len(data) < 65536, "no canonical leaf")
        need(LEAF.fullmatch(data.decode()) and seconds(leaf["ts"]), "the leaf has not the fields of version 1 or 2")
        need({leaf[name] is None for name in ("kid", "ct_sha256", "commit")} == {leaf["v"] == 2 and leaf["event"][:4] == "log:"}, "leaf without key")
        need(index or leaf["event"] == "log:shard:opened", "the first leaf does not open the shard")
        need(self.seen.setdefault(leaf["id"], (shard, index)) == (shard, index), f"record {leaf['id']} stands twice")
        if leaf["turn"] is not None: self.turns.setdefault(leaf["conv"], {}).setdefault(leaf["turn"], [(shard, index), ()])[1] = (shard, index)
        return leaf
    def record(self, item: Any, place: list[int], masked: bool) -> None:
        text, ct, (shard, index) = item["leaf"].encode(), None if item["ct"] is None else b64(item["ct"]), place
        leaf, (_, size, root, cosigned, _) = self.leaf(shard, index, text), self.tops[shard]
        need(climb(index, size - 1, sha(b"\0" + text), [b64(other) for other in item["proof"]]) == root, "the proof does not lead to the checkpoint")
        receipt = ["c2sp.org/tlog-proof@v1", f"index {index}", *item["proof"], "", self.read(f"{shard}/checkpoint").decode()]
        need("\n".join(receipt).encode() == self.read(f"proofs/{shard}-{index}.tlog-proof"), "its tlog-proof is not this proof and checkpoint")
        need(ct is not None or leaf["ct_sha256"] is None, f"the ciphertext {ABSENT}")
        need(ct is None or sha(ct).hex() == leaf["ct_sha256"], "the ciphertext is not the one that the leaf names")
        if leaf["event"] == "audit:key:destroyed": self.destroyed[leaf["facts"].get("kid")] = f"{shard}/{index}"
        if item["state"] == "destroyed": self.claims.append((shard, index, leaf["kid"]))
        if "payload" in item:
            payload, salt = b64(item["payload"]), b64(item["salt"])
            need(sha(b"audit-payload-v1\0" + salt + payload).hex() == leaf["commit"] and len(salt) == 32, "the payload is not the one committed to")
        need(item["state"] in ("active", "restricted", "destroyed") and not (masked and "payload" in item), "a state or payload that may not be")
        need(masked or item["state"] != "active" or ct is None or "payload" in item, f"the payload {ABSENT}")
        self.clock(shard, index, leaf["ts"])
        if not self.enough(self.quorum, self.heads[shard][size, root]): self.find("unwitnessed", "no quorum of witnesses", shard, index)

    def run(self) -> str:  # an export
        need("manifest.json" in self.files, "no manifest.json, so no export; a whole log is checked with verify_log.py")
        data, seen, count = self.read("manifest.json"), {(0, -1)}, 0
        manifest = parse(data)
        files, selection, self.now = manifest["files"], manifest["selection"], seconds(manifest["made"])
        for name in [name for name in sorted(self.files) if re.fullmatch(r"\d+/checkpoint", name)]: self.top(name)
        self.anchors()
        with self.guard("manifest.json"):
            need(manifest.keys() == MANIFEST and manifest["v"] == 1 and manifest["kind"] == "tightrope-audit-bundle", "not a manifest of version 1")
            tops = [{"shard": n, "origin": f"{manifest['log']}/{n}", "size": head[1], "checkpoint": f"{n}/checkpoint"} for n, head in self.tops.items()]
            need(manifest["shards"] == tops and type(manifest["masked"]) is bool, "names other shards than the checkpoints that hold")
        for name in sorted((self.files.keys() | files.keys()) - {"manifest.json"}):
            with self.guard(f"file {name}"): need(sha(self.read(name)).hex() == files.get(name), "not in the manifest, or with another SHA-256")
        for line in self.read("records.jsonl").split(b"\n")[:-1]:
            place: list[int] = []
            with self.guard("record", place):
                item = parse(line)
                count, place[:] = count + 1, [item["shard"], item["index"]]
                need({type(number) for number in place} == {int} and max(seen) < tuple(place), "stands twice or out of order")
                seen.add((place[0], place[1]))
                need(item.keys() - {"payload", "salt"} == {"shard", "index", "leaf", "ct", "state", "proof"}, "has other fields")
                self.record(item, place, manifest["masked"])
        for proof in filter(None, (re.fullmatch(r"proofs/(\d+)-(\d+)\.tlog-proof", name) for name in sorted(self.files.keys() | files.keys()))):
            if (int(proof[1]), int(proof[2])) not in seen: self.find("missing", "a record whose proof is there", int(proof[1]), int(proof[2]))
        with self.guard("manifest.json"): need(manifest["records"] == count, f"counts {manifest['records']} records, found {count}")
        for shard, index, kid in self.claims:
            if kid in self.destroyed: self.find("destroyed", f"its key was destroyed by policy, see record {self.destroyed[kid]}", shard, index)
            else: self.find("altered", "said to be destroyed, but no audit:key:destroyed record names its key", shard, index)
        if {name for name, value in selection.items() if value} in ({"conversation"}, {"conversations"}, {"customer"}): self.gaps(1)
        self.notes.append(f"manifest SHA-256 {sha(data).hex()}: the log's audit:export:made record names it")
        return f"export 导出 of {manifest['made']}, {count} records 条记录, selection 选择 {json.dumps(selection, ensure_ascii=False)}"
    def gaps(self, start: int) -> None:  # turns of a conversation must follow each other (start 0: from the first that is there)
        for conv, turns in self.turns.items():
            due, before = start or min(turns), (0, -1)
            for turn, ((shard, index), last) in sorted(turns.items()):
                first = before[1] + 1 if before[0] == shard else 0
                if turn > due: self.find("missing", f"turns {due} to {turn - 1} of conversation {conv}", shard, first, max(first, index - 1))
                due, before = turn + 1, last

def main(kind: Any = Check, argv: Any = None) -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    options.add_argument("bundle")
    options.add_argument("--policy", help="the log's and the witnesses' keys, from a source that is not the bundle (C2SP tlog-policy)")
    options.add_argument("--late-minutes", type=float, default=10)
    for name in ("--strict", "--json", *kind.OPTIONS): options.add_argument(name, action="store_true")
    given = options.parse_args(argv)
    try:
        check = kind(given.bundle, given.late_minutes * 60, given)
        with open(given.policy, "rb") if given.policy else check.files.get("policy.txt", lambda: fail("no policy.txt: name one with --policy"))() as file:
            check.policy(file.read().decode())
        what = check.run()
    except Exception as error:
        print(f"CANNOT BE READ 无法读取: {error if isinstance(error, ValueError) else repr(error)}", file=sys.stderr)
        return 2
    rows = [{"kind": word, "shard": shard, "first": None if first < 0 else first, "last": None if first < 0 else last, "what": text}
            for (word, text, shard), ranges in check.findings.items() for first, last in ranges]
    code = int(any(row["kind"] in list(KINDS)[: 4 if given.strict else 2] for row in rows))
    keys = "from --policy" if given.policy else "THEY CAME WITH THE BUNDLE, whoever made it chose them: get them elsewhere and use --policy! 公钥须另行取得"
    tops = [{"origin": head[4], "size": head[1], "root": head[2].hex(), "cosigned": head[3]} for _, head in sorted(check.tops.items())]
    if given.json:
        print(json.dumps({"exit": code, "what": what, "keys": keys, "checkpoints": tops, "findings": rows, "notes": check.notes}, indent=1))
        return code
    getattr(sys.stdout, "reconfigure", print)(encoding="utf-8", errors="replace")
    lines = [what, f"keys 公钥: {keys}", *(f"checkpoint 检查点 {top['origin']} size {top['size']} cosigned 见证 {', '.join(top['cosigned']) or '-'}" for top in tops)]
    rows = [f"{KINDS[row['kind']]} {row['kind']:12} {row['shard'] or '-'}/{row['first']}..{row['last']}  {row['what']}".replace("None..None", "-") for row in rows]
    print("\n".join([*lines, *check.notes[:99], *rows[:999], f"({len(rows)} findings)", "RESULT 结论: " + RESULTS[code]]))
    return code

if __name__ == "__main__":
    sys.exit(main())
