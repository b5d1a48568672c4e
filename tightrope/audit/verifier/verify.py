"""Checks an export of Tightrope's audit log (folder or zip). Needs Python 3.9 or newer, the verify_… files that lie beside it, nothing else.

    python verify.py BUNDLE [--policy FILE] [--custodians FILE] [--chain-nodes FILE] [--strict] [--late-minutes 10] [--json]

Written from audit-formats.md, RFC 6962, 8032, 3161 and C2SP's tlog specifications; it shares no code with the program that writes the log.
Exit code 0: nothing missing or altered; 1: something is (with --strict also late or unwitnessed); 2: cannot be read. A whole log: verify_log.py.
"""
from __future__ import annotations
import argparse, functools, json, os, re, sys
from typing import Any
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from verify_anchors import ABSENT, parse
from verify_custody import Custody, text_of
from verify_notes import b64, climb, fail, need, seconds, sha, sm3

HEX, UUID, TEXT = '(?:null|"[0-9a-f]{64}")', '"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"', r'"[^"\\]{0,255}"'
LEAF = re.compile(rf'{{"build":{TEXT},"cls":{TEXT},"commit":{HEX},"content":{{}},"conv":(?:null|{UUID}),"ct_sha256":{HEX},(?:"ct_sm3":{HEX},)?"event":'
                  rf'"[a-z]+:[a-z_]+:[a-z_]+","facts":{{}},"host":{TEXT},"id":{UUID},"kid":(?:null|{UUID}),"release":{TEXT},"ts":"\d{{4}}-\d\d-\d\dT'
                  rf'\d\d:\d\d:\d\d\.\d{{3}}Z","turn":(?:null|\d{{1,16}}),"until":"\d{{4}}-\d\d-\d\d","v":[12]}}')
MANIFEST = {"v", "kind", "made", "log", "masked", "selection", "conversations", "shards", "records", "files"}
KINDS = {"altered": "被改", "missing": "缺失", "late": "过迟", "unwitnessed": "无见证", "destroyed": "已销毁"}
RESULTS = "nothing missing or altered 无缺失、无篡改", "see the findings above: this is not what the log holds, or not all of it 有缺失或被改"
class Check(Custody):
    OPTIONS: tuple[str, ...] = ()
    def __init__(self, path: str, late: float, given: Any) -> None:
        super().__init__(late, given)
        archive = None
        if not os.path.isdir(path):
            import zipfile  # not above: what checks a folder begins sooner
            archive = zipfile.ZipFile(path)
        infos = [info for info in archive.infolist() if not info.is_dir()] if archive else []
        walk = [] if archive else [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
        self.files: dict[str, Any] = {info.filename: functools.partial(archive.open, info) for info in infos if archive}
        cut = len(os.path.join(path, ""))
        self.files.update({at[cut:].replace(os.sep, "/"): functools.partial(open, at, "rb", 0) for at in walk if os.path.isfile(at) and not os.path.islink(at)})
        need(len(self.files) == len(infos) + len(walk) and sum(info.file_size for info in infos) <= 1 << 32,
             "a link or no plain file in the folder, two files of one name in the zip, or a zip of more than 4 GiB: check the unpacked folder")
        self.tops, self.turns, self.seen, self.claims = dict[int, Any](), dict[Any, Any](), dict[str, Any](), list[Any]()
        self.convs = dict[Any, bool]()  # of each conversation that the manifest lists: whether a record of it is there
    def read(self, name: str) -> bytes:
        with self.files[name]() if name in self.files else fail(f"{name} {ABSENT}") as file:
            return bytes(file.read())
    def top(self, name: str) -> None:  # the checkpoint of a shard; where it does not hold, the whole shard does not
        claim = re.match(rb"[^\n]*/(\d{1,9})\n(\d{1,19})\n", self.read(name))
        with self.guard(name, (int(claim[1]), 0, int(claim[2]) - 1) if claim else ()):
            head = self.checkpoint(self.read(name))
            self.tops[head[0]] = head
            need(len(name) < 12 or name == f"{head[0]}/checkpoint", f"is the checkpoint of {head[4]}")
    def known(self, names: list[str]) -> None:  # the checkpoints, and what others attest of them
        for name in names: self.top(name)
        self.anchors(self.read("anchors.json") if "anchors.json" in self.files else b"[]")
    def clock(self, shard: int, index: int, ts: str) -> None:  # a leaf's time against it
        at = self.outside(shard, index)
        if seconds(ts) + self.late < (self.now if at is None else at):
            self.find("late", "no outside anchor" if at is None else "the first outside anchor came later than the limit", shard, index)
        if at is not None and seconds(ts) > at + self.late:
            self.find("altered", "the leaf's time lies after an outside clock that already saw it", shard, index)
    def leaf(self, shard: int, index: int, data: bytes) -> Any:
        leaf = parse(data)
        need(text_of(leaf) == data and len(data) < 65536, "no canonical leaf")
        form = text_of({**leaf, "content": {}, "facts": {}}).decode()  # these two are free
        free = type(leaf["content"]) is type(leaf["facts"]) is dict
        need(free and LEAF.fullmatch(form) and seconds(leaf["ts"]), "the leaf has not the fields of version 1 or 2")
        need({leaf[name] is None for name in ("kid", "ct_sha256", "commit")} == {leaf["v"] == 2 and leaf["event"][:4] == "log:"}, "leaf without key")
        need(index or leaf["v"] == 1 or leaf["event"] == "log:shard:opened", "the first leaf does not open the shard")
        need(self.seen.setdefault(leaf["id"], (shard, index)) == (shard, index), f"record {leaf['id']} stands twice")
        if leaf["turn"] is not None: self.turns.setdefault(leaf["conv"], {}).setdefault(leaf["turn"], [(shard, index), ()])[1] = (shard, index)
        return leaf
    def record(self, item: Any, place: list[int], masked: bool) -> None:
        text, ct, (shard, index) = item["leaf"].encode(), None if item["ct"] is None else b64(item["ct"]), place
        leaf, (_, size, root, *_) = self.leaf(shard, index, text), self.tops[shard]
        need(climb(index, size - 1, sha(b"\0" + text), [b64(other) for other in item["proof"]]) == root, "the proof does not lead to the checkpoint")
        need(leaf["conv"] is None or leaf["conv"] in self.convs, "is of a conversation that the manifest does not list")
        if leaf["conv"]: self.convs[leaf["conv"]] = True
        receipt = ["c2sp.org/tlog-proof@v1", f"index {index}", *item["proof"], "", self.read(f"{shard}/checkpoint").decode()]
        need("\n".join(receipt).encode() == self.read(f"proofs/{shard}-{index}.tlog-proof"), "its tlog-proof is not this proof and checkpoint")
        need(ct is not None or leaf["ct_sha256"] is None, f"the ciphertext {ABSENT}")
        need(ct is None or sha(ct).hex() == leaf["ct_sha256"], "the ciphertext is not the one that the leaf names")
        need(ct is None or leaf.get("ct_sm3") in (None, sm3(ct).hex()), "the ciphertext has not the SM3 that the leaf names")
        need(item["state"] in ("active", "restricted", "destroyed"), "a state that does not exist")
        need("payload" in item or masked or item["state"] != "active" or ct is None, f"the payload {ABSENT}")
        if "payload" in item:
            need(not masked and item["state"] == "active" and len(b64(item["salt"])) == 32, "a payload where none may be, or without salt")
            need(sha(b"audit-payload-v1\0" + b64(item["salt"]) + b64(item["payload"])).hex() == leaf["commit"], "the payload is not the one committed to")
        self.act(leaf, shard, index, b64(item["payload"]) if "payload" in item else None)
        if item["state"] != "active": self.claims.append((shard, index, leaf["kid"], item["state"]))
        self.clock(shard, index, leaf["ts"])
        if not self.enough(self.quorum, self.heads[shard][size, root]): self.find("unwitnessed", "no quorum of witnesses", shard, index)
    def run(self) -> str:  # an export
        need("manifest.json" in self.files, "no manifest.json, so no export; a whole log is checked with verify_log.py")
        data, manifest, seen, last, count = self.read("manifest.json"), parse(self.read("manifest.json")), set(), (0, -1), 0
        files, selection, self.now = manifest["files"], manifest["selection"], seconds(manifest["made"])
        self.known([name for name in sorted(self.files) if re.fullmatch(r"\d+/checkpoint", name)])
        self.convs = dict.fromkeys(manifest["conversations"], False)
        with self.guard("manifest.json"):
            need(manifest.keys() == MANIFEST and manifest["v"] == 1 and manifest["kind"] == "tightrope-audit-bundle", "not a manifest of version 1")
            tops = [{"shard": n, "origin": f"{manifest['log']}/{n}", "size": head[1], "checkpoint": f"{n}/checkpoint"} for n, head in self.tops.items()]
            need(manifest["shards"] == tops and type(manifest["masked"]) is bool, "names other shards than the checkpoints that hold")
        for name in sorted((self.files.keys() | files.keys()) - {"manifest.json"}):
            with self.guard(f"file {name}"): need(sha(self.read(name)).hex() == files.get(name), "not in the manifest, or with another SHA-256")
        *lines, rest = self.read("records.jsonl").split(b"\n")
        if rest: self.find("altered", "file records.jsonl: after its last line stands more, which is no record")
        for line in lines:
            place: list[int] = []
            with self.guard("record", place):
                item = parse(line)
                count, place[:] = count + 1, [item["shard"], item["index"]]
                last = (place[0], place[1]) if {type(number) for number in place} == {int} and last < tuple(place) else fail("stands twice or out of order")
                seen.add(last)
                need(item.keys() - {"payload", "salt"} == {"shard", "index", "leaf", "ct", "state", "proof"}, "has other fields")
                self.record(item, place, manifest["masked"])
        for proof in filter(None, (re.fullmatch(r"proofs/(\d+)-(\d+)\.tlog-proof", name) for name in sorted(self.files.keys() | files.keys()))):
            if (int(proof[1]), int(proof[2])) not in seen: self.find("missing", "a record whose proof is there", int(proof[1]), int(proof[2]))
        if not count: self.find("missing", "there is no record in it")
        with self.guard("manifest.json"): need(manifest["records"] == count, f"counts {manifest['records']} records, found {count}")
        self.custody(self.claims)
        for conv in (conv for conv, there in self.convs.items() if not there):
            self.find("missing", f"every record of conversation {conv}, which the manifest lists")
        asked = {name for name, value in selection.items() if value}
        if asked in ({"conversation"}, {"customer"}): self.whole(selection)
        elif asked & {"conversation", "customer"}: self.notes.append("turns: NOT looked at for gaps, the selection asks for a part 只选了一部分")
        self.notes.append(f"manifest SHA-256 {sha(data).hex()}: the log's audit:export:made record names it")
        return f"export 导出 of {manifest['made']}, {count} records 条记录, selection 选择 {json.dumps(selection, ensure_ascii=False)}"
    def whole(self, selection: Any) -> None:  # an export that claims whole conversations
        asked, listed = selection.get("conversation"), sorted(self.convs, key=str)
        with self.guard("manifest.json"):
            need(not asked or len(self.convs) == 1, "asks for one conversation and lists another number of them")
            need(not re.fullmatch(UUID, json.dumps(asked)) or asked in self.convs, "lists another conversation than the one asked for")
        names = ", ".join(map(str, listed[:9])) + " …" * (len(listed) > 9)
        self.notes.append(f"conversations 会话 {names}: turns from 1 without a gap. NOT checked here: that these are the ones asked for "
                          "(a leaf names its conversation by a keyed hash), and that nothing follows the last turn")
        self.gaps(1)
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
    options.add_argument("--policy", help="the log's and the witnesses' keys (C2SP tlog-policy), from a source that is not the bundle")
    options.add_argument("--custodians", help="custody/custodians.json: whose signatures destroy a key; from the approved release or another source")
    options.add_argument("--chain-nodes", help="keys of a consortium chain's nodes, a C2SP vkey a line; from the chain's operators")
    options.add_argument("--late-minutes", type=float, default=10)
    for name in ("--strict", "--json", *kind.OPTIONS): options.add_argument(name, action="store_true")
    given = options.parse_args(argv)
    try:
        check = kind(given.bundle, given.late_minutes * 60, given)
        with open(given.policy, "rb") if given.policy else check.files.get("policy.txt", lambda: fail("no policy.txt: name one with --policy"))() as file:
            check.policy(file.read().decode())
        what = check.run()
        check.notes += [f"a signature of {name} that is not Ed25519 was NOT checked here 未核验" for name in sorted(check.passed)]
    except Exception as error:
        text = f"CANNOT BE READ 无法读取: {error if isinstance(error, ValueError) else repr(error)}"
        print(text if text.isprintable() else ascii(text), file=sys.stderr)
        return 2
    rows = [{"kind": word, "shard": shard, "first": None if first < 0 else first, "last": None if first < 0 else last, "what": text}
            for (word, text, shard), ranges in check.findings.items() for first, last in ranges]
    code = int(any(row["kind"] in list(KINDS)[: 4 if given.strict else 2] for row in rows))
    keys = "from --policy" if given.policy else "THEY CAME WITH THE BUNDLE, whoever made it chose them: get them elsewhere and use --policy! 公钥须另行取得"
    tops = [{"origin": head[4], "size": head[1], "root": head[2].hex(), "cosigned": head[3]} for _, head in sorted(check.tops.items())]
    if given.json:
        print(json.dumps({"exit": code, "what": what, "keys": keys, "checkpoints": tops, "findings": rows, "notes": check.notes}, indent=1))
        return code
    if hasattr(sys.stdout, "reconfigure"): sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    lines = [what, f"keys 公钥: {keys}"]
    lines += [f"checkpoint 检查点 {top['origin']} size {top['size']} cosigned 见证 {', '.join(top['cosigned']) or '-'}" for top in tops] + check.notes[:99]
    lines += [f"{KINDS[row['kind']]} {row['kind']:11} {row['shard']}/{row['first']}..{row['last']}  {row['what']}".replace("None/None..None", "-")
              for row in rows[:999]]
    lines += [f"{len(rows)} findings 项", f"RESULT 结论: {RESULTS[code]}"]
    print("\n".join(line if line.isprintable() else ascii(line) for line in lines))  # no text of the bundle moves the cursor or feigns a line
    return code

if __name__ == "__main__":
    sys.exit(main())
