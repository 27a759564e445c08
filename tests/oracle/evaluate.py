# SPDX-License-Identifier: Apache-2.0
"""LogQL by the book, over lists.  A query is a tree of tuples; see generate.py for its forms.

Entries: (ts_ns, line, base labels, structured metadata), each stream's in arrival order."""
import ipaddress
import json
import math
import re
from fractions import Fraction

ERROR, DETAILS = "__error__", "__error_details__"
NS = 1_000_000_000


class Line:
    """One entry on its way through the pipeline, with the three label categories."""

    def __init__(self, ts, line, base, metadata):
        self.ts, self.line, self.base = ts, line, base
        self.deleted, self.parsed, self.once = set(), {}, set()
        self.metadata, self.error = {}, None
        for name, value in metadata.items():
            self.metadata[name + "_extracted" if name in base else name] = value

    def get(self, name):
        if name == ERROR:
            return self.error or ""
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
        if name in self.once and not overwrite:
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
    if re.fullmatch(r"[+-]?(\d+(_\d+)*)?\.?\d*([eE][+-]?\d+)?", text) and re.search(r"\d", text):
        return float(text.replace("_", ""))
    raise ValueError(text)


UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def duration(text):
    """Go notation, in ns."""
    if text == "0":
        return 0
    found = re.fullmatch(r"([+-]?)((?:\d+\.?\d*(?:ns|us|ms|s|m|h))+)", text)
    if not found:
        raise ValueError(text)
    total = sum(int(Fraction(n) * UNITS[u]) for n, u in re.findall(r"(\d+\.?\d*)(ns|us|ms|s|m|h)", found[2]))
    return -total if found[1] == "-" else total


SIZES = {"": 1, "b": 1, "k": 10**3, "kb": 10**3, "ki": 2**10, "kib": 2**10, "m": 10**6, "mb": 10**6, "mi": 2**20,
         "mib": 2**20, "g": 10**9, "gb": 10**9, "gi": 2**30, "gib": 2**30}


def size(text):
    found = re.fullmatch(r"([\d.,]+) *([a-zA-Z]*)", text)
    if not found or found[2].lower() not in SIZES:
        raise ValueError(text)
    return int(float(found[1].replace(",", "")) * SIZES[found[2].lower()])


# --- filters ---


def finds(op, operand, line):
    kind, text = operand
    if kind == "ip":
        net = ipaddress.ip_network(text, strict=False)
        for run in re.findall(r"[\d.]+", line):
            try:
                if ipaddress.ip_address(run) in net:
                    return True
            except ValueError:
                pass
        return False
    if op in ("|=", "!="):
        return text in line
    return re.search(text, line) is not None


def line_filter(stage, line):
    _, op, operands = stage
    hit = any(finds(op, operand, line) for operand in operands)
    return hit if op.startswith("|") else not hit


def matches(op, pattern, value):
    if op == "=":
        return value == pattern
    if op == "!=":
        return value != pattern
    hit = re.fullmatch(pattern, value) is not None
    return hit if op == "=~" else not hit


COMPARE = {"==": lambda a, b: a == b, "=": lambda a, b: a == b, "!=": lambda a, b: a != b,
           ">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b}


def label_filter(tree, x):
    kind = tree[0]
    if kind == "and":
        left, right = label_filter(tree[1], x), None
        right = label_filter(tree[2], x)
        return left and right
    if kind == "or":
        return label_filter(tree[1], x) or label_filter(tree[2], x)
    _, name, op, value = tree
    have = x.get(name)
    if kind == "string":
        return matches(op, value, have or "")
    if have is None:
        return False
    convert = {"number": number, "duration": duration, "bytes": size}[kind]
    try:
        return COMPARE[op](convert(have), value)
    except ValueError:
        if not x.error:
            x.fail("LabelFilterErr")
        return True


# --- parsers ---


class Number(str):
    pass


DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, object_pairs_hook=lambda pairs: ("object", pairs))


def sanitize(key, first=True):
    key = key.strip()
    out = "".join(c if re.fullmatch(r"[A-Za-z0-9_]", c) else "_" for c in key)
    return "_" + out if first and out[:1].isdigit() else out


def flatten(prefix, value, emit):
    if isinstance(value, tuple):
        for key, inner in value[1]:
            part = sanitize(key, first=not prefix)
            if not part and not prefix:
                continue
            flatten("_".join(p for p in (prefix, part) if p), inner, emit)
    elif value is True or value is False:
        emit(prefix, "true" if value else "false")
    elif isinstance(value, str):
        emit(prefix, str(value))


def json_members(line):
    """(key, value) pairs of the top object in order; raises ValueError at a fault, after yielding
    what stands before it."""
    at = len(line) - len(line.lstrip(" \t\r\n"))
    if line[at:at + 1] != "{":
        raise ValueError
    at += 1
    blank = re.compile(r"[ \t\r\n]*")
    at = blank.match(line, at).end()
    if line[at:at + 1] == "}":
        return
    while True:
        key, at = DECODER.raw_decode(line, at)
        at = blank.match(line, at).end()
        if line[at:at + 1] != ":":
            raise ValueError
        value, at = DECODER.raw_decode(line, blank.match(line, at + 1).end())
        yield key, value
        at = blank.match(line, at).end()
        if line[at:at + 1] == "}":
            return
        if line[at:at + 1] != ",":
            raise ValueError
        at = blank.match(line, at + 1).end()


def do_json(stage, x):
    try:
        for key, value in json_members(x.line):
            part = sanitize(key)
            if part:
                flatten(part, value, x.extract)
    except ValueError:
        x.fail("JSONParserErr")


def do_json_paths(stage, x):
    """Only over lines that are valid objects; paths are lists of keys and indexes."""
    for name, path in stage[1]:
        value = ("object", list(json_members(x.line)))
        for step in path:
            if isinstance(step, str) and isinstance(value, tuple):
                value = next((v for k, v in value[1] if k == step), None)
            elif isinstance(step, int) and isinstance(value, list) and step < len(value):
                value = value[step]
            else:
                value = None
        if value is None:
            if name not in x.base and name not in x.metadata:
                x.extract(name, "", overwrite=True)
        elif value is True or value is False:
            x.extract(name, "true" if value else "false", overwrite=True)
        else:
            x.extract(name, str(value), overwrite=True)


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
                found = re.compile(r'"((?:[^"\\]|\\.)*)"').match(line, at)
                if not found:
                    if strict:
                        raise ValueError
                    return
                value, at = json.loads(found[0]), found.end()
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
                raise ValueError
            while at < n and line[at] > " ":
                at += 1
            continue
        yield key, value


def do_logfmt(stage, x):
    _, strict, keep_empty = stage
    try:
        for key, value in logfmt_pairs(x.line, strict):
            if value or keep_empty:
                name = sanitize(key)
                if name:
                    x.extract(name, value)
    except ValueError:
        x.fail("LogfmtParserErr")


def do_regexp(stage, x):
    found = re.search(stage[1], x.line)
    if found:
        for name in sorted(found.re.groupindex, key=found.re.groupindex.get):
            x.extract(name, found[name] or "")


def do_pattern(stage, x):
    """stage[1]: alternating literals and ("capture", name)."""
    at, parts = 0, stage[1]
    for i, part in enumerate(parts):
        if isinstance(part, str):
            if i == 0:
                if not x.line.startswith(part):
                    return
                at = len(part)
            continue
        literal = parts[i + 1] if i + 1 < len(parts) else None
        end = x.line.find(literal, at) if literal is not None else -1
        value = x.line[at:end] if end >= 0 else x.line[at:]
        if part[1] != "_":
            x.extract(part[1], value)
        if end < 0:
            return
        at = end + len(literal)


def template(parts, x):
    out = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif part[0] == "line":
            out.append(x.line)
        else:
            value = x.get(part[1]) or ""
            out.append({"field": str, "upper": str.upper, "lower": str.lower,
                        "len": lambda v: str(len(v.encode()))}[part[0]](value))
    return "".join(out)


def do_label_format(stage, x):
    for name, kind, source in stage[1]:
        if kind == "template":
            x.assign(name, template(source, x))
        elif x.get(source) is not None:
            value = x.get(source)
            x.drop(source)
            x.assign(name, value) if name != source else None


def do_drop(stage, x):
    for name, op, value in stage[1]:
        if op is None or matches(op, value, x.get(name) or ""):
            if name == ERROR:
                x.error = None
            elif name != DETAILS:
                x.drop(name)


def do_keep(stage, x):
    for name in list(x.labels()):
        if name == ERROR:
            continue
        if not any(name == n and (op is None or matches(op, value, x.get(name) or "")) for n, op, value in stage[1]):
            x.drop(name)


def run(stages, x):
    """False when the line is dropped."""
    for stage in stages:
        kind = stage[0]
        if kind == "line":
            if not line_filter(stage, x.line):
                return False
        elif kind == "labels":
            if not label_filter(stage[1], x):
                return False
        elif kind == "line_format":
            x.line = template(stage[1], x)
        else:
            {"json": do_json, "json_paths": do_json_paths, "logfmt": do_logfmt, "regexp": do_regexp,
             "pattern": do_pattern, "label_format": do_label_format, "drop": do_drop, "keep": do_keep}[kind](stage, x)
    return True


def selected(matchers, labels):
    return all(matches(op, value, labels.get(name, "")) for name, op, value in matchers)


def survivors(data, matchers, stages):
    for labels, entries in data:
        if not selected(matchers, labels):
            continue
        for ts, line, metadata in entries:
            x = Line(ts, line, labels, metadata)
            if run(stages, x):
                yield x


# --- log queries ---


def key_of(labels):
    return tuple(sorted(labels.items()))


def log_query(data, query, start, end, limit, forward):
    """{label key: [(ts, line)]} in the order of the answer."""
    _, matchers, stages = query
    rows = [x for x in survivors(data, matchers, stages) if start <= x.ts < end]
    rows.sort(key=lambda x: x.ts)  # stable: equal times keep arrival order
    if not forward:
        rows.reverse()
    out = {}
    for x in rows[:limit]:
        out.setdefault(key_of(x.labels()), []).append((x.ts, x.line))
    return out


# --- metric queries ---


class PipelineError(Exception):
    pass


class MatchError(Exception):
    pass


def unwrap(spec, x):
    """The sample, None for a line without the label; sets the error on a bad value."""
    name, convert = spec
    text = x.get(name)
    if text is None or text == "":
        return None
    try:
        value = {"": number, "bytes": lambda t: float(size(t)), "duration": lambda t: duration(t) / NS}[convert](text)
    except ValueError:
        x.fail("SampleExtractionErr")
        value = 0.0
    return value


def samples(data, agg):
    """{series key: [(ts, value, error)]}"""
    _, op, _, matchers, stages, unwrapped, post, _, _, group = agg
    out = {}
    for x in survivors(data, matchers, stages):
        value = 1.0
        if op.startswith("bytes"):
            value = float(len(x.line.encode("utf-8", "surrogateescape")))
        if unwrapped:
            value = unwrap(unwrapped, x)
            if value is None:
                continue
            if not all(label_filter(tree, x) for tree in post):
                continue
        labels = {k: v for k, v in x.labels().items() if k != ERROR}
        if group:
            kind, names = group
            labels = {k: v for k, v in labels.items() if (k in names) == (kind == "by")}
            if unwrapped and kind == "without":
                labels.pop(unwrapped[0], None)
        elif unwrapped:
            labels.pop(unwrapped[0], None)
        out.setdefault(key_of(labels), []).append((x.ts, value, x.error))
    for rows in out.values():
        rows.sort(key=lambda r: r[0])
    return out


def variance(values):
    mean = math.fsum(values) / len(values)
    return math.fsum((v - mean) ** 2 for v in values) / len(values)


def quantile(q, values):
    if q > 1:
        return math.inf
    values = sorted(values)
    rank = q * (len(values) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(values) - 1)
    return values[low] * (1 - (rank - low)) + values[high] * (rank - low)


def rate_counter(rows, start, end, seconds):
    if len(rows) < 2:
        return 0.0
    values = [v for _, v, _ in rows]
    increase = values[-1] - values[0] + sum(a for a, b in zip(values, values[1:]) if b < a)
    covered = (rows[-1][0] - rows[0][0]) / NS
    if covered == 0:
        return None
    average = covered / (len(rows) - 1)
    before, after = (rows[0][0] - start) / NS, (end - rows[-1][0]) / NS
    if before >= 1.1 * average:
        before = average / 2
    if increase > 0 and values[0] >= 0:
        before = min(before, covered * values[0] / increase)
    if after >= 1.1 * average:
        after = average / 2
    return increase * (covered + before + after) / covered / seconds


def fold(op, parameter, rows, seconds, window):
    values = [v for _, v, _ in rows]
    if op in ("count_over_time", "rate", "bytes_over_time", "bytes_rate", "sum_over_time"):
        total = math.fsum(values)
        return total / seconds if op in ("rate", "bytes_rate") else total
    if op == "rate_counter":
        return rate_counter(rows, *window, seconds)
    return {"avg_over_time": lambda: math.fsum(values) / len(values), "min_over_time": lambda: min(values),
            "max_over_time": lambda: max(values), "first_over_time": lambda: values[0],
            "last_over_time": lambda: values[-1], "stdvar_over_time": lambda: variance(values),
            "stddev_over_time": lambda: math.sqrt(variance(values)),
            "quantile_over_time": lambda: quantile(parameter, values)}[op]()


def range_agg(data, agg, t, cache):
    _, op, parameter, matchers, _, _, _, seconds, offset, _ = agg
    if id(agg) not in cache:
        cache[id(agg)] = samples(data, agg)
    end = t - offset * NS
    start = end - seconds * NS
    out = {}
    for key, rows in cache[id(agg)].items():
        rows = [r for r in rows if start < r[0] <= end]
        if any(r[2] for r in rows):
            raise PipelineError
        if rows:
            value = fold(op, parameter, rows, seconds, (start, end))
            if value is not None:
                out[key] = value
    if op == "absent_over_time":
        if out:
            return {}
        names = [n for n, _, _ in matchers]
        return {tuple(sorted((n, v) for n, o, v in matchers if o == "=" and names.count(n) == 1)): 1.0}
    return out


def group_key(key, group):
    if group is None:
        return ()
    kind, names = group
    return tuple((k, v) for k, v in key if (k in names) == (kind == "by"))


def vector_agg(op, parameter, group, vector):
    groups = {}
    for key in sorted(vector):
        groups.setdefault(group_key(key, group), []).append((key, vector[key]))
    out = {}
    for name, rows in groups.items():
        values = [v for _, v in rows]
        if op in ("topk", "bottomk"):
            best = []
            for key, value in rows:  # only a strictly better value displaces an earlier one
                if len(best) < parameter:
                    best.append((key, value))
                else:
                    worst = (min if op == "topk" else max)(best, key=lambda r: r[1])
                    if (value > worst[1]) if op == "topk" else (value < worst[1]):
                        best[max(i for i, r in enumerate(best) if r[1] == worst[1])] = (key, value)
            out.update(best)
            continue
        out[name] = {"sum": lambda: math.fsum(values), "count": lambda: float(len(values)),
                     "avg": lambda: math.fsum(values) / len(values), "min": lambda: min(values),
                     "max": lambda: max(values), "stdvar": lambda: variance(values),
                     "stddev": lambda: math.sqrt(variance(values))}[op]()
    return out


def arithmetic(op, a, b):
    if op == "+":
        return a + b
    if op == "-":
        return a - b
    if op == "*":
        return a * b
    if op == "/":
        return a / b if b else math.nan
    if op == "%":
        return math.fmod(a, b) if b and not math.isinf(a) else math.nan
    try:
        return math.pow(a, b)
    except (OverflowError, ValueError):
        return math.nan if a < 0 else math.inf


def binary_value(op, a, b, as_bool):
    """(keep, value)"""
    if op in COMPARE and op != "=":
        hit = COMPARE[op](a, b)
        return (True, float(hit)) if as_bool else (hit, a)
    return True, arithmetic(op, a, b)


def signature(key, matching):
    if matching is None:
        return key
    kind, names, _, _ = matching
    return tuple((k, v) for k, v in key if (k in names) == (kind == "on"))


def set_operator(op, left, right, matching):
    there = {signature(k, matching) for k in right}
    here = {signature(k, matching) for k in left}
    if op == "and":
        return {k: v for k, v in left.items() if signature(k, matching) in there}
    if op == "unless":
        return {k: v for k, v in left.items() if signature(k, matching) not in there}
    return {**{k: v for k, v in right.items() if signature(k, matching) not in here}, **left}


def vector_binary(op, left, right, as_bool, matching):
    if op in ("and", "or", "unless"):
        return set_operator(op, left, right, matching)
    side = matching[2] if matching else None
    many, one = (right, left) if side == "group_right" else (left, right)
    ones = {}
    for key in one:
        if signature(key, matching) in ones:
            raise MatchError
        ones[signature(key, matching)] = key
    out, used = {}, set()
    for key in many:
        mark = signature(key, matching)
        if mark not in ones:
            continue
        if not side and mark in used:
            raise MatchError
        used.add(mark)
        a, b = (one[ones[mark]], many[key]) if side == "group_right" else (many[key], one[ones[mark]])
        keep, value = binary_value(op, a, b, as_bool)
        result = dict(key)
        if side:
            other = dict(ones[mark])
            for name in matching[3]:
                result.pop(name, None)
                if name in other:
                    result[name] = other[name]
        elif matching:
            result = dict(mark)
        result = key_of(result)
        if keep:
            if side and result in out:
                raise MatchError
            out[result] = value
    return out


def label_replace(vector, dst, replacement, src, regex):
    out = {}
    for key, value in vector.items():
        labels = dict(key)
        found = re.fullmatch(regex, labels.get(src, ""))
        if found:
            text = found.expand(replacement)
            labels.pop(dst, None)
            if text:
                labels[dst] = text
        out[key_of(labels)] = value
    return out


def evaluate(data, tree, t, cache):
    """A float for a scalar, {series key: value} for a vector."""
    kind = tree[0]
    if kind == "literal":
        return tree[1]
    if kind == "vector":
        return {(): tree[1]}
    if kind == "range":
        return range_agg(data, tree, t, cache)
    if kind == "agg":
        return vector_agg(tree[1], tree[2], tree[3], evaluate(data, tree[4], t, cache))
    if kind == "label_replace":
        return label_replace(evaluate(data, tree[1], t, cache), *tree[2:])
    _, op, as_bool, matching, left, right = tree
    a, b = evaluate(data, left, t, cache), evaluate(data, right, t, cache)
    if isinstance(a, float) and isinstance(b, float):
        return binary_value(op, a, b, True)[1]
    if isinstance(b, float) or isinstance(a, float):
        out = {}
        for key, value in (a if isinstance(b, float) else b).items():
            pair = (value, b) if isinstance(b, float) else (a, value)
            keep, result = binary_value(op, *pair, as_bool)
            if keep:
                out[key] = value if op in COMPARE and not as_bool else result
        return out
    return vector_binary(op, a, b, as_bool, matching)


def metric_query(data, tree, start, end, step):
    """{series key: {seconds: value}}"""
    out, cache = {}, {}
    for t in range(start, end + 1, step):
        vector = evaluate(data, tree, t * NS, cache)
        if isinstance(vector, float):
            vector = {(): vector}
        for key, value in vector.items():
            out.setdefault(key, {})[t] = value
    return out
