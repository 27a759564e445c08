# SPDX-License-Identifier: Apache-2.0
"""The stages of a LogQL pipeline over one line, by the book.  A query is a tree of tuples; parse.py
tells its forms.  Regular expressions are Python's: callers keep to those on which Go agrees."""
import ipaddress
import re
from fractions import Fraction

import template

ERROR, DETAILS = "__error__", "__error_details__"


class Line:
    """One entry on its way through the pipeline, with the three label categories."""

    def __init__(self, ts, line, base, metadata):
        self.ts, self.line, self.base = ts, line, base
        self.deleted, self.parsed, self.once = set(), {}, set()
        self.metadata, self.error, self.parser_error = {}, None, False
        for name, value in metadata.items():
            self.metadata[name + "_extracted" if name in base else name] = value

    def get(self, name):
        if name == ERROR:
            return self.error or ""
        if name == DETAILS:
            return ""
        if name in self.parsed:
            return self.parsed[name]
        if name in self.metadata:
            return self.metadata[name]
        if name in self.base and name not in self.deleted:
            return self.base[name]
        return None

    def claimed(self, name):
        return name + "_extracted" if name in self.base or name in self.metadata else name

    def extract(self, name, value, overwrite=False):
        name = self.claimed(name)
        if name in (ERROR, DETAILS) or (name in self.once and not overwrite):
            return
        self.metadata.pop(name, None)
        self.parsed[name] = value
        self.once.add(name)

    def assign(self, name, value):
        """label_format: the result is parsed, whatever the name was before."""
        self.metadata.pop(name, None)
        self.deleted.add(name)
        self.parsed[name] = value
        self.once.add(name)

    def drop(self, name):
        self.parsed.pop(name, None)
        self.metadata.pop(name, None)
        self.deleted.add(name)

    def labels(self):
        out = {k: v for k, v in self.base.items() if k not in self.deleted}
        out.update(self.metadata)
        out.update(self.parsed)
        if self.error:
            out[ERROR] = self.error
        return out

    def fail(self, error):
        self.error = error


# --- values ---


def number(text):
    sign = -1.0 if text[:1] == "-" else 1.0
    body = text[1:] if text[:1] in ("-", "+") else text
    if body.lower() in ("inf", "infinity") or (body == text and body.lower() == "nan"):
        return sign * float(body)
    digits = r"\d+(?:_\d+)*"
    if re.fullmatch(rf"(?:{digits}\.?(?:{digits})?|\.{digits})(?:[eE][+-]?{digits})?", body, re.A) and "_" not in body:
        value = float(body)
    elif re.fullmatch(rf"(?:{digits}\.?(?:{digits})?|\.{digits})(?:[eE][+-]?{digits})?", body, re.A):
        value = float(body.replace("_", ""))
    elif re.fullmatch(r"0[xX](?:[\da-fA-F]+\.?[\da-fA-F]*|\.[\da-fA-F]+)[pP][+-]?\d+", body, re.A):
        value = float.fromhex(body)
    else:
        raise ValueError(text)
    if value == float("inf"):
        raise ValueError(text)
    return sign * value


UNITS = {"ns": 1, "us": 10**3, "\u00b5s": 10**3, "\u03bcs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
PART = r"(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)"


def duration(text):
    """Go notation, in ns."""
    body = text[1:] if text[:1] in ("-", "+") else text
    if body == "0":
        return 0
    if not re.fullmatch(rf"(?:{PART})+", body, re.A):
        raise ValueError(text)
    total = sum(int(Fraction(n.strip(".") if n.endswith(".") else n) * UNITS[u]) for n, u in re.findall(PART, body, re.A))
    return -total if text[0] == "-" else total


def size(text):
    found = re.fullmatch(r"([\d.,]+) *(?:([kmgtpe])(i?))?(b?)", text, re.I | re.A)
    if not found:
        raise ValueError(text)
    n = float(found[1].replace(",", ""))
    power = "kmgtpe".index(found[2].lower()) + 1 if found[2] else 0
    return int(n * (1024 if found[3] else 1000) ** power)


# --- filters ---


class Beyond(Exception):
    """A regular expression that Python reads otherwise than Go."""


def rx(pattern, flags=re.A):
    if re.search(r"\[\[:|\\[QxzpPC]|\(\?[a-zA-Z-]*U|\\$", pattern) or ("(?i)" in pattern and not pattern.isascii()):
        raise Beyond(pattern)
    return re.compile(re.sub(r"\(\?<(\w+)>", r"(?P<\1>", pattern), flags)


def search(pattern, text):
    return rx(re.sub(r"(?<!\\)\$(?=$|\))", "(?!.|\n)", pattern)).search(text)


def address(text):
    """None unless strictly an address."""
    try:
        if ":" in text:
            return ipaddress.IPv6Address(text)
        if re.fullmatch(r"(?:(?:0|[1-9]\d*)\.){3}(?:0|[1-9]\d*)", text, re.A):
            return ipaddress.IPv4Address(text)
    except ValueError:
        pass
    return None


def ip_range(text):
    if "-" in text:
        return tuple(address(part) for part in text.split("-"))
    if "/" in text:
        net = ipaddress.ip_network(text, strict=False)
        return net[0], net[-1]
    return address(text), address(text)


def ip_in_text(text, line):
    """From left to right: runs that begin like an address are taken whole."""
    low, high = ip_range(text)
    at = 0
    while at < len(line):
        rest = line[at:]
        if re.match(r"\d", rest, re.A) and len(rest) > 3 and "." in rest[1:4]:
            run = re.match(r"[\d.]+", rest, re.A)[0]
        elif re.match(r"::[\da-fA-F]|[\da-fA-F]{1,4}:", rest, re.A):
            run = re.match(r"[\da-fA-F:.]+", rest, re.A)[0]
        else:
            at += 1
            continue
        found = address(run)
        if found is not None and found.version == low.version and low <= found <= high:
            return True
        at += len(run) + 1
    return False


def pattern_filter(parts, line):
    if not parts or not line:
        return not parts and not line
    at = 0
    for i, part in enumerate(parts):
        if not isinstance(part, str):
            continue
        found = line.find(part, at)
        if found < 0 or (i > 0 and found == at):
            return False
        at = found + len(part)
    return (at < len(line)) == (not isinstance(parts[-1], str))


def finds(op, operand, line):
    kind, text = operand
    if kind == "ip":
        return ip_in_text(text, line)
    if op in ("|=", "!="):
        return text in line
    if op in ("|>", "!>"):
        return pattern_filter([p if p != "<_>" else ("capture", "_") for p in re.split(r"(<_>)", text) if p], line)
    return search(text, line) is not None


def line_filter(stage, x):
    _, op, operands = stage
    hit = any(finds(op, operand, x.line) for operand in operands)
    return hit if op.startswith("|") else not hit


def matches(op, pattern, value, dotall=False):
    if op in ("=", "!="):
        return (value == pattern) == (op == "=")
    hit = rx(pattern, re.A | (re.S if dotall else 0)).fullmatch(value) is not None
    return hit if op == "=~" else not hit


COMPARE = {"==": lambda a, b: a == b, "=": lambda a, b: a == b, "!=": lambda a, b: a != b,
           ">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b}


def ip_label(name, op, text, x):
    have = x.get(name)
    if x.error:
        return True
    if have is None:
        return False
    hit = ip_in_text(text, have)
    return hit if op == "=" else not hit


def label_filter(tree, x):
    kind = tree[0]
    if kind == "and":
        left = label_filter(tree[1], x)
        right = label_filter(tree[2], x)
        return left and right
    if kind == "or":
        return label_filter(tree[1], x) or label_filter(tree[2], x)
    _, name, op, value = tree
    if kind == "ip":
        return ip_label(name, op, value, x)
    have = x.get(name)
    if kind == "string":
        return matches(op, value, have or "")
    if have is None or name in (ERROR, DETAILS):
        return False
    convert = {"number": number, "duration": duration, "bytes": size}[kind]
    try:
        return COMPARE[op](convert(have), value)
    except ValueError:
        if not x.error:
            x.fail("LabelFilterErr")
        return True


# --- JSON, as leniently as the stage reads it ---


class Fault(Exception):
    """The line breaks off; the argument, if there is one: in the value of that member."""


STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S)
BLANK = re.compile(r"[ \t\r\n]*")
SCALAR = re.compile(r"[^ \t\r\n,}\]]+")


def unescape(raw):
    """None for an escape that is none."""
    try:
        out, at = "", 0
        for found in re.finditer(r'\\(u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|.|$)', raw, re.S):
            e = found[1]
            out += raw[at:found.start()]
            at = found.end()
            if e[:1] == "u" and len(e) == 11:
                out += chr(0x10000 + (int(e[1:5], 16) - 0xd800) * 1024 + int(e[7:], 16) - 0xdc00)
            elif e[:1] == "u" and len(e) == 5 and not 0xd800 <= int(e[1:], 16) < 0xe000:
                out += chr(int(e[1:], 16))
            elif e and e in '"\\/bfnrt':
                out += dict(zip("bfnrt", "\b\f\n\r\t")).get(e, e)
            else:
                return None
        return out + raw[at:]
    except ValueError:
        return None


def clean(value):
    return "".join(" " if c == "\ufffd" or "\udc80" <= c <= "\udcff" else c for c in value)


def string_value(raw):
    value = unescape(raw)
    return "" if value is None else clean(value)


def container_end(text, at):
    opening, closing, depth = text[at], "}" if text[at] == "{" else "]", 0
    while at < len(text):
        if text[at] == '"':
            found = STRING.match(text, at)
            if not found:
                raise Fault
            at = found.end()
            continue
        depth += (text[at] == opening) - (text[at] == closing)
        at += 1
        if depth == 0:
            return at
    raise Fault


def value_at(text, at):
    """(kind, text, end)"""
    if at >= len(text):
        raise Fault
    if text[at] == '"':
        found = STRING.match(text, at)
        if not found:
            raise Fault
        return "string", found[1], found.end()
    if text[at] in "{[":
        end = container_end(text, at)
        return ("object" if text[at] == "{" else "array"), text[at:end], end
    found = SCALAR.match(text, at)
    word = found[0] if found else ""
    kind = {"true": "bool", "false": "bool", "null": "null"}.get(word)
    if kind is None and not re.match(r"-|\d", word, re.A):
        raise Fault
    return kind or "number", word, found.end()


def members(text, at=0):
    """(name, kind, text of the value) of the object that begins at `at`, until a fault."""
    at = BLANK.match(text, at).end()
    if text[at:at + 1] != "{":
        raise Fault
    at += 1
    while True:
        at = BLANK.match(text, at).end()
        if text[at:at + 1] == "}":
            return
        found = STRING.match(text, at) if text[at:at + 1] == '"' else None
        if not found:
            raise Fault
        at = BLANK.match(text, found.end()).end()
        if text[at:at + 1] != ":":
            raise Fault
        name = unescape(found[1])
        if name is None:
            raise Fault
        at = BLANK.match(text, at + 1).end()
        try:
            kind, value, at = value_at(text, at)
        except Fault:
            raise Fault(name) from None
        yield name, kind, value
        at = BLANK.match(text, at).end()
        if text[at:at + 1] == "}":
            return
        if text[at:at + 1] != ",":
            raise Fault
        at += 1
        if BLANK.match(text, at).end() == len(text):
            raise Fault


def sanitise(key, first=True):
    out = "".join(c if re.fullmatch(r"[A-Za-z0-9_]", c) else "_" for c in key.strip(" \t\n\v\f\r"))
    return "_" + out if first and out[:1].isdigit() else out


def flatten(text, prefix, emit):
    for name, kind, value in members(text):
        part = sanitise(name, first=not prefix)
        full = "_".join(p for p in (prefix, part) if p)
        if kind == "object":
            flatten(value, full, emit)
        elif kind == "string" and full:
            emit(full, string_value(value))
        elif kind in ("number", "bool") and full:
            emit(full, value)


class Enough(Exception):
    """All labels that are needed were found."""


def limited(x, need):
    """How a parser stores what it finds; `need` None: everything."""
    missing = None if need is None else set(need)

    def emit(name, value):
        target = x.claimed(name)
        if missing is None:
            x.extract(name, value)
        elif target in missing and target not in x.once:
            x.extract(name, value)
            missing.discard(target)
            if not missing:
                raise Enough
    return emit


def do_json(stage, x, need):
    try:
        flatten(x.line, "", limited(x, need))
    except Fault:
        x.fail("JSONParserErr")
    except Enough:
        pass


def elements(text):
    at, items = 1, []
    at = BLANK.match(text, at).end()
    while at < len(text) and text[at] != "]":
        kind, value, at = value_at(text, at)
        items.append((kind, value))
        at = BLANK.match(text, at).end()
        if text[at:at + 1] != ",":
            break
        at = BLANK.match(text, at + 1).end()
    return items


def step_into(kind, text, step):
    """(kind, text) of a member or element, or None; a Fault when it is there and broken."""
    if kind == "object" and isinstance(step, str):
        try:
            return next(((k, v) for name, k, v in members(text) if name == step), None)
        except Fault as fault:
            if fault.args == (step,):
                raise
            return None
    if kind == "array" and isinstance(step, int):
        items = elements(text)
        return items[step] if step < len(items) else None
    return None


def follow(text, path):
    """(kind, text) of what the path leads to, or None."""
    found = ("object" if text[0] == "{" else "array", text)
    for step in path:
        found = found and step_into(*found, step)
    return found


def do_json_paths(stage, x, need):
    if x.line == "":
        return
    if x.line[0] not in '{["':
        x.fail("JSONParserErr")
        return
    missing = []
    for name, path in stage[1]:
        try:
            found = follow(x.line, path) if x.line[0] != '"' else None
        except Fault:
            x.fail("JSONParserErr")
            found = None
        if found is None:
            missing.append(name)
            continue
        kind, value = found
        value = "" if kind == "null" else string_value(value) if kind in ("string", "array") else value
        x.extract(name, value, overwrite=True)
    for name in missing:
        if x.get(name) is None:
            x.assign(name, "")


# --- logfmt and the other parsers ---


def logfmt_value(raw):
    raw = re.sub(r"\\(.)", lambda m: m[0] if m[1] != "'" else "'", raw, flags=re.S)
    return unescape(raw)


def logfmt_pairs(line, strict):
    """(key, value); strict raises at the first fault."""
    at, n = 0, len(line)
    while at < n:
        if line[at] <= " ":
            at += 1
            continue
        start = at
        while at < n and line[at] > " " and line[at] not in '="':
            at += 1
        key, fault, value = line[start:at], False, ""
        if at < n and line[at] == "=":
            fault = not key
            at += 1
            if not fault and at < n and line[at] == '"':
                found = STRING.match(line, at)
                if not found:
                    if strict:
                        raise Fault
                    return
                value, at = logfmt_value(found[1]), found.end()
                fault = value is None
            elif not fault:
                start = at
                while at < n and line[at] > " ":
                    fault = fault or line[at] in '="'
                    at += 1
                value = line[start:at]
        elif at < n and line[at] == '"':
            fault = True
        if fault:
            if strict:
                raise Fault
            while at < n and line[at] > " ":
                at += 1
            continue
        yield key, clean(value)


def do_logfmt(stage, x, need):
    _, strict, keep_empty = stage
    emit = limited(x, need)
    try:
        for key, value in logfmt_pairs(x.line, strict):
            name = sanitise(key)
            if name and (value or keep_empty):
                emit(name, value)
    except Fault:
        x.fail("LogfmtParserErr")
    except Enough:
        pass


def do_logfmt_keys(stage, x, need):
    _, strict, wanted = stage
    found = {}
    try:
        for key, value in logfmt_pairs(x.line, strict):
            for dst, source in wanted:
                if sanitise(key) in (source, dst):
                    found[dst] = value
    except Fault:
        x.fail("LogfmtParserErr")
    for dst, _ in wanted:
        if dst in found:
            x.extract(dst, found[dst], overwrite=True)
        elif x.claimed(dst) == dst:
            x.extract(dst, "", overwrite=True)


def do_regexp(stage, x, need):
    found = search(stage[1], x.line)
    emit = limited(x, need)
    try:
        for name in sorted(found.re.groupindex, key=found.re.groupindex.get) if found else ():
            emit(sanitise(name), found[name] or "")
    except Enough:
        pass


def do_pattern(stage, x, need):
    """stage[1]: alternating literals and ("capture", name)."""
    at, parts, emit = 0, stage[1], limited(x, need)
    if x.line == "":
        return
    try:
        for i, part in enumerate(parts):
            if isinstance(part, str):
                if i == 0:
                    if not x.line.startswith(part):
                        return
                    at = len(part)
                continue
            literal = parts[i + 1] if i + 1 < len(parts) else None
            end = x.line.find(literal, at) if literal is not None else -1
            if part[1] != "_":
                emit(part[1], x.line[at:end] if end >= 0 else x.line[at:])
            if end < 0:
                return
            at = end + len(literal)
    except Enough:
        pass


def do_unpack(stage, x, need):
    if x.line == "":
        return
    try:
        if x.line[0] != "{":
            raise Fault
        found = [(n, v) for n, kind, v in members(x.line) if kind == "string"]
    except Fault:
        x.fail("JSONParserErr")
        return
    entries = [v for n, v in found if n == "_entry"]
    if not entries:
        return
    emit = limited(x, need)
    x.line = string_value(entries[-1])
    try:
        for name, value in found:
            if name != "_entry" and sanitise(name):
                emit(sanitise(name), string_value(value))
    except Enough:
        pass


def do_decolorize(stage, x, need):
    x.line = re.sub(r"[\x1b\x9b][\[\]()#;?]*(?:(?:[a-zA-Z\d]*(?:;[a-zA-Z\d]*)*)?\x07"
                    r"|(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PRZcf-ntqry=><~])", "", x.line, flags=re.A)


# --- formatting ---

TEMPLATES = {}


def execute(source, x, labels):
    if source not in TEMPLATES:
        TEMPLATES[source] = template.Template(source)
    line = x.line
    return TEMPLATES[source].execute(labels, line, {
        "__line__": lambda: line,
        "duration": lambda s: duration(s) / 1e9, "duration_seconds": lambda s: duration(s) / 1e9,
        "bytes": lambda s: float(size(s))})


def do_line_format(stage, x, need):
    try:
        x.line = execute(stage[1], x, x.labels())
    except template.Failed:
        x.fail("TemplateFormatErr")


def do_label_format(stage, x, need):
    seen = None
    for name, kind, source in stage[1]:
        if kind == "template":
            seen = x.labels() if seen is None else seen
            try:
                x.assign(name, execute(source, x, seen))
            except template.Failed:
                x.fail("TemplateFormatErr")
        elif source not in (ERROR, DETAILS) and x.get(source) is not None:
            value = x.get(source)
            x.assign(name, value)  # x=x removes x, and claims its name
            x.drop(source)


def do_drop(stage, x, need):
    for name, op, value in stage[1]:
        if op is None or matches(op, value, x.get(name) or ""):
            if name == ERROR:
                x.error = None
            elif name != DETAILS:
                x.drop(name)


def do_keep(stage, x, need):
    for name in list(x.labels()):
        if name != ERROR and not any(
                name == n and (op is None or matches(op, value, x.get(name) or "")) for n, op, value in stage[1]):
            x.drop(name)


STAGES = {"json": do_json, "json_paths": do_json_paths, "logfmt": do_logfmt, "logfmt_keys": do_logfmt_keys,
          "regexp": do_regexp, "pattern": do_pattern, "unpack": do_unpack, "decolorize": do_decolorize,
          "line_format": do_line_format, "label_format": do_label_format, "drop": do_drop, "keep": do_keep}
PARSERS = ("json", "json_paths", "logfmt", "logfmt_keys", "regexp", "pattern")


def filter_names(tree):
    return filter_names(tree[1]) | filter_names(tree[2]) if tree[0] in ("and", "or") else {tree[1]}


FIELD = re.compile(r"(?<![\w)\"])\.(\w+)")


def template_names(source):
    """None when it may read any."""
    if re.search(r"\{\{[^}]*(?<![\w)])\.(?!\w)|\$(?!\w)(?!\.\w)|range|with", source):
        return None
    return set(FIELD.findall(source))


def stage_names(stage):
    if stage[0] == "labels":
        return filter_names(stage[1])
    if stage[0] == "line_format":
        return template_names(stage[1])
    if stage[0] == "label_format":
        out = set()
        for _, kind, source in stage[1]:
            names = template_names(source) if kind == "template" else {source}
            if names is None:
                return None
            out |= names
        return out
    if stage[0] in ("drop", "keep"):
        return {n for n, _, _ in stage[1]}
    return set()


def names_said(stage):
    """The names that stand in it; it may read more."""
    if stage[0] == "line_format":
        return set(FIELD.findall(stage[1]))
    if stage[0] == "label_format":
        return set().union(*(FIELD.findall(source) if kind == "template" else {source} for _, kind, source in stage[1]))
    return stage_names(stage)


def needs(stages, last):
    """For each stage which labels the later ones need, None for all; `last`: the last one's needs."""
    out = []
    for stage in reversed(stages):
        out.append(last)
        names = stage_names(stage)
        last = None if last is None or names is None else last | names
    return out[::-1]


def run(stages, x, need=None):
    """False when the line is dropped.  `need`: as needs() gives it."""
    for i, stage in enumerate(stages):
        wanted = need[i] if need else None
        if stage[0] == "line":
            if not line_filter(stage, x):
                return False
        elif stage[0] == "labels":
            if not label_filter(stage[1], x):
                return False
        elif stage[0] not in PARSERS or wanted is None or wanted:
            STAGES[stage[0]](stage, x, wanted)
    return True
