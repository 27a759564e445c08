# SPDX-License-Identifier: Apache-2.0
"""LogQL by the book, over lists, one line and one step at a time.

Data: [(base labels, [(ts_ns, line, structured metadata)...])...], entries in arrival order."""
import bisect
import math
import operator

from pipeline import COMPARE, ERROR, Line, duration, filter_names, label_filter, matches, names_said, needs, number, run, rx, size

NS = 1_000_000_000
TIME = operator.itemgetter(0)
SUMMED = ("rate", "count_over_time", "bytes_rate", "bytes_over_time", "sum_over_time")
PARSER_ERRORS = ("JSONParserErr", "LogfmtParserErr")


def selected(matchers, labels):
    return all(matches(op, value, labels.get(name, ""), dotall=True) for name, op, value in matchers)


def survivors(data, matchers, stages, need=None):
    for labels, entries in data:
        if not selected(matchers, labels):
            continue
        seen = set()
        for ts, line, metadata in entries:
            entry = (ts, line, tuple(sorted(metadata.items())))
            if entry in seen:  # exact repeats are one entry
                continue
            seen.add(entry)
            x = Line(ts, line, labels, metadata)
            if run(stages, x, need):
                yield x


# --- log queries ---


def key_of(labels):
    return tuple(sorted(labels.items()))


def log_query(data, query, start, end, limit=None, forward=True, interval=0):
    """{label key: [(ts, line)]} in the order of the answer."""
    _, matchers, stages = query
    rows = [x for x in survivors(data, matchers, stages) if start <= x.ts < end]
    rows.sort(key=lambda x: x.ts)  # stable: equal times keep arrival order
    if not forward:
        rows.reverse()
    out, last = {}, None
    for x in rows[:limit]:
        if interval and last is not None and abs(x.ts - last) < interval:
            continue
        last = x.ts
        out.setdefault(key_of(x.labels()), []).append((x.ts, x.line))
    return out


# --- samples ---


class PipelineError(Exception):
    pass


class MatchError(Exception):
    pass


class Ambiguous(Exception):
    """More than one answer is right."""


def unwrap(spec, x):
    """The sample, None for a line without the label; sets the error on a bad value."""
    name, convert = spec
    text = x.get(name)
    if text is None or text == "":
        return None
    try:
        return {"": number, "bytes": lambda t: float(size(t)), "duration": lambda t: duration(t) / NS}[convert](text)
    except ValueError:
        x.fail("SampleExtractionErr")
        return 0.0


def grouped(labels, group):
    if group is None:
        return labels
    kind, names = group
    return {k: v for k, v in labels.items() if (k in names) == (kind == "by")}


def needed_names(agg, outer):
    """What the aggregation itself needs, None for all labels: known where it groups by names itself
    or stands directly in a sum, and of absent_over_time."""
    op, group = agg[1], agg[9]
    if group is not None:
        return set(group[1]) if group[0] == "by" else None
    if op == "absent_over_time":
        return set()
    if outer and outer[1] == "sum" and op in SUMMED:
        return set(outer[3][1] if outer[3] else ()) if not outer[3] or outer[3][0] == "by" else None
    return None


def summed_by(op, outer):
    """The names of a sum's by (..) right above: there an unwrapped label stays one."""
    return outer[3][1] if outer and outer[1] == "sum" and op in SUMMED and outer[3] and outer[3][0] == "by" else ()


def samples(data, agg, outer):
    """{series key: [(ts, value, fatal)]}"""
    _, op, _, matchers, stages, unwrapped, post, _, _, group = agg
    last = needed_names(agg, outer)
    if last is not None:
        last = last | ({unwrapped[0]} if unwrapped else set())
        for tree in post:
            last |= filter_names(tree)
    need = needs(stages, last) if last is not None else None
    all_needed = last | set().union(*map(names_said, stages)) if last is not None else set()
    out = {}
    for x in survivors(data, matchers, stages, need):
        value = 1.0
        if op.startswith("bytes"):
            value = float(len(x.line.encode("utf-8", "surrogateescape")))
        if unwrapped:
            value = unwrap(unwrapped, x)
            if value is None or not all(label_filter(tree, x) for tree in post):
                continue
        harmless = need is not None and ERROR in all_needed and x.error in PARSER_ERRORS
        labels = {k: v for k, v in x.labels().items() if k != ERROR or harmless}
        if unwrapped and not (group and group[0] == "by") and unwrapped[0] not in summed_by(op, outer):
            labels.pop(unwrapped[0], None)
        labels = grouped(labels, group)
        out.setdefault(key_of(labels), []).append((x.ts, value, bool(x.error) and not harmless))
    for rows in out.values():
        rows.sort(key=lambda r: r[0])
    return out


# --- range functions ---


def mean(values):
    """Infinities absorb what is finite; two of different sign, or a NaN, make NaN."""
    odd = [v for v in values if math.isinf(v) or math.isnan(v)]
    if not odd:
        return math.fsum(values) / len(values)
    return sum(odd) if len({str(v) for v in odd}) > 1 else odd[0]


def variance(values):
    if not all(map(math.isfinite, values)):
        return math.nan
    m = math.fsum(values) / len(values)
    return math.fsum((v - m) ** 2 for v in values) / len(values)


def total(values):
    return math.fsum(values) if all(map(math.isfinite, values)) else sum(values)


def best(values, choose):
    numbers = [v for v in values if not math.isnan(v)]
    return choose(numbers) if numbers else math.nan


def quantile(q, values):
    if q > 1:
        return math.inf
    values = sorted(values, key=lambda v: (not math.isnan(v), v))
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
    average = covered / (len(rows) - 1)
    before, after = (rows[0][0] - start) / NS, (end - rows[-1][0]) / NS
    if before >= 1.1 * average:
        before = average / 2
    if increase > 0 and values[0] >= 0:
        before = min(before, covered * values[0] / increase)
    if after >= 1.1 * average:
        after = average / 2
    return increase * (covered + before + after) / covered / seconds if covered else math.nan


def fold(op, parameter, rows, seconds, window):
    values = [v for _, v, _ in rows]
    if op in SUMMED:
        return total(values) / seconds if op in ("rate", "bytes_rate") else total(values)
    if op == "rate_counter":
        return rate_counter(rows, *window, seconds)
    return {"avg_over_time": lambda: mean(values), "min_over_time": lambda: best(values, min),
            "max_over_time": lambda: best(values, max), "first_over_time": lambda: values[0],
            "last_over_time": lambda: values[-1], "stdvar_over_time": lambda: variance(values),
            "stddev_over_time": lambda: math.sqrt(variance(values)),
            "quantile_over_time": lambda: quantile(parameter, values), "absent_over_time": lambda: 1.0}[op]()


def range_agg(data, agg, outer, t, cache):
    _, op, parameter, matchers, _, _, _, span, offset, _ = agg
    if id(agg) not in cache:
        cache[id(agg)] = samples(data, agg, outer)
    end = t - offset
    start = end - span
    out = {}
    for key, rows in cache[id(agg)].items():
        rows = rows[bisect.bisect(rows, start, key=TIME):bisect.bisect(rows, end, key=TIME)]
        if any(r[2] for r in rows):
            raise PipelineError
        if rows:
            out[key] = fold(op, parameter, rows, span / NS, (start, end))
    if op == "absent_over_time":
        if out:
            return {}
        names = [n for n, _, _ in matchers]
        return {tuple(sorted((n, v) for n, o, v in matchers if o == "=" and v and names.count(n) == 1)): 1.0}
    return out


# --- vectors ---


def vector_agg(op, parameter, group, vector):
    if op in ("sort", "sort_desc"):
        return vector
    groups = {}
    for key in sorted(vector):
        groups.setdefault(key_of(grouped(dict(key), group or ("by", []))), []).append((key, vector[key]))
    out = {}
    for name, rows in groups.items():
        values = [v for _, v in rows]
        if op in ("topk", "bottomk", "approx_topk"):
            op = "topk" if op == "approx_topk" else op
            ordered = sorted(enumerate(rows), key=lambda r: (
                math.isnan(r[1][1]), 0 if math.isnan(r[1][1]) else -r[1][1] if op == "topk" else r[1][1], r[0]))
            out.update(r for _, r in ordered[:parameter])
            continue
        out[name] = {"sum": lambda: total(values), "count": lambda: float(len(values)), "avg": lambda: mean(values),
                     "min": lambda: best(values, min), "max": lambda: best(values, max), "stdvar": lambda: variance(values),
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
        return math.fmod(a, b) if b and not math.isinf(a) and not math.isnan(a + b) else math.nan
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and b % 2 == 1 else math.inf
    except ValueError:
        if a == 0:
            return math.copysign(math.inf, a) if b % 2 == 1 else math.inf
        return math.nan


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


def joined_labels(many, one, matching):
    if matching is None:
        return many
    kind, names, side, include = matching
    labels = dict(many)
    if not side:
        return signature(many, matching)
    other = dict(one)
    for name in include:
        labels.pop(name, None)
        if name in other:
            labels[name] = other[name]
    return key_of(labels)


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
        if not keep:
            continue
        result = joined_labels(key, ones[mark], matching)
        if result in out:
            raise MatchError
        out[result] = value
    return out


def expand(template, found):
    out, at = "", 0
    while at < len(template):
        if template[at] != "$":
            out, at = out + template[at], at + 1
            continue
        ref = rx(r"\$(?:(\$)|\{(\w+)\}|(\w+))").match(template, at)
        if not ref:
            out, at = out + "$", at + 1
            continue
        at, name = ref.end(), ref[2] or ref[3]
        if ref[1]:
            out += "$"
        elif name.isdigit():
            out += (found[int(name)] or "") if int(name) <= found.re.groups else ""
        else:
            out += found.groupdict().get(name) or ""
    return out


def label_replace(vector, dst, replacement, src, regex):
    out = {}
    for key, value in vector.items():
        labels = dict(key)
        found = rx(regex).fullmatch(labels.get(src, ""))
        if found:
            text = expand(replacement, found)
            labels.pop(dst, None)
            if text:
                labels[dst] = text
        if key_of(labels) in out:
            raise Ambiguous
        out[key_of(labels)] = value
    return out


def evaluate(data, tree, t, cache, outer=None):
    """A float for a scalar, {series key: value} for a vector."""
    kind = tree[0]
    if kind == "literal":
        return tree[1]
    if kind == "vector":
        return {(): tree[1]}
    if kind == "range":
        return range_agg(data, tree, outer, t, cache)
    if kind == "agg":
        return vector_agg(tree[1], tree[2], tree[3], evaluate(data, tree[4], t, cache, tree))
    if kind == "label_replace":
        return label_replace(evaluate(data, tree[1], t, cache), *tree[2:])
    _, op, as_bool, matching, left, right = tree
    a, b = evaluate(data, left, t, cache), evaluate(data, right, t, cache)
    if isinstance(a, float) and isinstance(b, float):
        return binary_value(op, a, b, True)[1]
    if isinstance(b, float) or isinstance(a, float):
        out = {}
        for key, value in (a if isinstance(b, float) else b).items():
            keep, result = binary_value(op, *((value, b) if isinstance(b, float) else (a, value)), as_bool)
            if keep:
                out[key] = value if op in COMPARE and not as_bool else result
        return out
    return vector_binary(op, a, b, as_bool, matching)


def metric_query(data, tree, start, end, step):
    """{series key: {ts_ns: value}}"""
    out, cache = {}, {}
    for t in range(start, end + 1, step):
        vector = evaluate(data, tree, t, cache)
        if isinstance(vector, float):
            vector = {(): vector}
        for key, value in vector.items():
            out.setdefault(key, {})[t] = value
    return out


def has_sort(tree):
    return isinstance(tree, tuple) and (tree[:2] in (("agg", "sort"), ("agg", "sort_desc")) or any(map(has_sort, tree)))
