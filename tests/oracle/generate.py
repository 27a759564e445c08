# SPDX-License-Identifier: Apache-2.0
"""Random data and random valid queries.  Everything follows from the seed.

Kept away from on purpose: equal times in different streams (their order is nobody's promise), forms
of regular expressions and templates on which Python and Go differ."""
import json
import random

NS = 1_000_000_000
T0 = 1_699_999_200 * NS  # a multiple of every step below: the server may align to steps
SPAN = 600 * NS
LEVELS = ["info", "warn", "error", "debug", ""]
METHODS = ["GET", "POST", "PUT"]
PATHS = ["/", "/cart/items", "/login", "/a b", "/caf\u00e9", "/x?id=7&q=1"]
NAMES = ["ann", "bob", "o'neil", "d\"q", "\u4e2d\u6587", "\U0001f600", ""]
IPS = ["10.0.0.1", "10.0.3.77", "192.168.4.5", "2001:db8::1", "none", "10.0.0.256"]
NUMBERS = ["0", "1", "7", "42", "-3", "2.5", "1e3", "0x1p4", "1_000", "NaN", "-Inf", "abc", "", "1e400", "12345678901234567890"]
TOOKS = ["12ms", "1.5s", "90", "2m", "1h2m3s", "300us", "-5s", "0", "oops"]
SIZES = ["512", "10KB", "1.5MiB", "3 GB", "7b", "1,024", "x", "-1KB"]


def unlike(r, seen, low, high):
    while True:
        t = r.randrange(low, high)
        if t not in seen:
            seen.add(t)
            return t


# --- lines ---


def json_line(r):
    fields = [("level", r.choice(LEVELS)), ("status", r.choice([200, 201, 301, 404, 500, 503])), ("took", r.choice(TOOKS)),
              ("size", r.choice(SIZES)), ("n", r.choice([1, 2.5, -7, 1000000, 0.125, True, None, "5", "x"])),
              ("user", {"id": r.randint(1, 4), "name": r.choice(NAMES), "tags": ["a", r.randint(0, 3)]}),
              ("path", r.choice(PATHS)), ("addr", r.choice(IPS)), ("env", r.choice(["inner", "prod"])),
              ("a.b", r.randint(0, 2)), ("a_b", r.randint(0, 2)), ("9x", 1), ("trace_id", r.choice(["t0", "t1"])),
              ("list", [1, {"k": "v"}]), ("empty", {}), ("msg", r.choice(["", "hi \"there\"", "l1\nl2", "tab\there"]))]
    r.shuffle(fields)
    line = json.dumps(dict(fields[:r.randint(1, len(fields))]), ensure_ascii=r.random() < .5)
    k = r.random()
    if k < .06:
        return line[:r.randint(1, len(line))]
    if k < .08:
        return line + " trailing"
    return line


def logfmt_line(r):
    pairs = ["level=" + r.choice(LEVELS), "status=%d" % r.choice([200, 404, 500]), "took=" + r.choice(TOOKS),
             "size=" + r.choice(["512", "10KB", "1.5MiB", "7b", "x"]), "n=" + r.choice(NUMBERS), "v=" + r.choice(NUMBERS[:7]),
             'msg="%s"' % r.choice(["all well", "a \\\"b\\\" c=d", "", "x\\ty", "caf\u00e9"]), "path=" + r.choice(["/", "/a", "/x?q"]),
             "user=" + r.choice(["ann", "bob", ""]), "env=shadow", "k.v=%d" % r.randint(0, 2), "addr=" + r.choice(IPS),
             "counter=%d" % r.randint(0, 50)]
    r.shuffle(pairs)
    pairs = pairs[:r.randint(1, len(pairs))]
    if r.random() < .3:
        pairs.insert(r.randint(0, len(pairs)), r.choice(["bare", "x=y=z", "=nokey", 'q"uote=1', 'bad="\\q"', 'open="never', "level=dup", "a=1 b"]))
    return " ".join(pairs)


def access_line(r):
    return '%s - %s [%s] "%s %s HTTP/1.1" %d %d %.3f' % (
        r.choice(IPS), r.choice(["-", "frank", "ann"]), r.choice(["14/Nov", "15/Nov"]), r.choice(METHODS), r.choice(PATHS),
        r.choice([200, 404, 500]), r.randint(0, 5000), r.random() * 3)


def packed_line(r):
    if r.random() < .2:
        return r.choice(["not packed", '{"a":"b"}', '{"_entry":"x"', " {\"_entry\":\"y\"}"])
    return json.dumps({"pod": r.choice(["p0", "p9"]), "n": 5, "_entry": logfmt_line(r), "k-v": "w"})


def plain_line(r):
    words = ["error", "ERROR", "connection", "refused", "timeout", "user=7", "id=42", "from 10.0.0.1:80", "[::1]", "took 12ms",
             "caf\u00e9", "\x1b[31mred\x1b[0m", "ok", "100%", "(a)", "a.b", "\u4e2d"]
    return " ".join(r.choice(words) for _ in range(r.randint(1, 6)))


LINES = {"api": json_line, "billing": logfmt_line, "nginx": access_line, "packed": packed_line, "plain": plain_line,
         "mixed": lambda r: r.choice([json_line, logfmt_line, access_line, plain_line])(r)}


def dataset(number):
    """[(base labels, [(ts, line, metadata)])], in the order of arrival."""
    r = random.Random("data %d" % number)
    out, seen, taken = [], set(), set()
    for _ in range(r.randint(2, 6)):
        app = r.choice(sorted(LINES))
        base = {"ds": str(number), "app": app, "env": r.choice(["prod", "dev"]), "pod": "p%d" % r.randint(0, 2)}
        if r.random() < .3:
            base["team"] = r.choice(["red", "blue"])
        if tuple(sorted(base.items())) in taken:
            continue
        taken.add(tuple(sorted(base.items())))
        entries = []
        for _ in range(r.choice([1, 5, 20, 60])):
            ts = T0 + unlike(r, seen, 0, SPAN) if r.random() < .9 or not entries else entries[-1][0]
            metadata = {}
            while r.random() < .3:
                metadata[r.choice(["trace_id", "level", "env", "user", "code"])] = r.choice(["t0", "t1", "warn", "7", "500"])
            entries.append((ts, LINES[app](r), metadata))
        if r.random() < .8:
            entries.sort(key=lambda e: e[0])
        if r.random() < .3:
            entries.append(r.choice(entries))  # an exact repeat
        out.append((base, entries))
    return out


# --- queries ---

LABELS = ["level", "status", "took", "size", "n", "v", "user", "user_id", "user_name", "path", "addr", "env", "env_extracted", "a_b",
          "_9x", "trace_id", "trace_id_extracted", "msg", "k_v", "pod", "app", "code", "counter", "nosuch", "method", "team"]
WORDS = ["error", "ERROR", "a", "GET", "42", "caf\u00e9", "level", "\"", " ", "timeout", "x=y", "zzz"]
REGEXES = ["err.*", "(?i)error", "\\\\d+ms", "^.*id=(\\\\d+)", "GET|POST", "[a-c]+$", "o{2}", "time(out)?", "", "\\\\bok\\\\b", "4..", "\\\\s\\\\S"]
FULL = ["err.*", ".*", "info|warn", "p[01]", "\\\\d+", "", ".+", "(?i)ERROR", "t.", "[^a]*"]
STEPS = [5, 15, 60, 120]


class Queries:
    def __init__(self, seed, number):
        self.r, self.number = random.Random("query %d" % seed), number

    def pick(self, *options):
        return self.r.choice(options)

    def quoted(self, text):
        return '"%s"' % text.replace('"', '\\"')

    def selector(self):
        r = self.r
        parts = ['ds="%d"' % self.number]
        while r.random() < .25:
            name, values = r.choice([("app", ["api", "billing", "nginx", "mixed"]), ("env", ["prod", "dev"]), ("pod", ["p0", "p1"]),
                                     ("team", ["red", ""]), ("nosuch", ["", "x"])])
            op = r.choice(["=", "!=", "!=", "=~", "!~"])
            value = r.choice(values) if op in ("=", "!=") else r.choice(["api|billing|mixed", "p.*", ".+", "prod|", "[a-n].*", ".*"])
            parts.append('%s%s"%s"' % (name, op, value))
        r.shuffle(parts)
        return "{%s}" % ", ".join(parts)

    def line_filter(self):
        r = self.r
        op = r.choice(["|=", "!=", "!=", "|~", "!~", "!~", "|>", "!>"])
        if op in ("|=", "!="):
            one = lambda: 'ip("%s")' % r.choice(["10.0.0.0/8", "10.0.0.1", "10.0.0.1-10.0.4.0", "::/0", "2001:db8::/32"]) \
                if r.random() < .15 else self.quoted(r.choice(WORDS))  # noqa: E731
        elif op in ("|~", "!~"):
            one = lambda: '"%s"' % r.choice(REGEXES)  # noqa: E731
        else:
            one = lambda: self.quoted(r.choice(["<_>error<_>", "<_> took <_>ms", "<_>a<_>", "", "GET", "<_>=<_> <_>"]))  # noqa: E731
        return " %s %s" % (op, " or ".join(one() for _ in range(r.choice([1, 1, 1, 2, 3]))))

    def predicate(self):
        r = self.r
        name = r.choice(LABELS)
        k = r.random()
        if k < .35:
            op = r.choice(["=", "!=", "=~", "!~"])
            value = r.choice(["info", "error", "200", "", "prod", "t0", "/", "ann"]) if op in ("=", "!=") else r.choice(FULL)
            return '%s%s"%s"' % (name, op, value)
        cmp = r.choice(["=", "==", "!=", ">", ">=", "<", "<="])
        if k < .6:
            return "%s %s %s" % (r.choice(["status", "n", "v", "counter", name]), cmp, r.choice(["200", "404", "-3", "2.5", "0", "1e3", "+7"]))
        if k < .75:
            return "%s %s %s" % (r.choice(["took", name]), cmp, r.choice(["1s", "12ms", "1h2m", "300us", "-5s", "1m1h"]))
        if k < .9:
            return "%s %s %s" % (r.choice(["size", name]), cmp, r.choice(["10KB", "1MiB", "512B", "3GB", "1k"]))
        return "%s%sip(%s)" % (r.choice(["addr", name]), r.choice(["=", "!="]), r.choice(['"10.0.0.0/8"', '"192.168.4.5"', '"::/0"']))

    def label_filter(self, depth=1):
        r = self.r
        if depth and r.random() < .3:
            return "%s%s%s" % (self.inner_filter(depth), r.choice([" and ", " or ", ", ", " "]), self.inner_filter(depth))
        return self.predicate()

    def inner_filter(self, depth):
        inner = self.label_filter(depth - 1)
        return "(%s)" % inner if self.r.random() < .3 else inner

    def parser(self):
        r = self.r
        k = r.random()
        if k < .3:
            return "json"
        if k < .38:
            return "json " + ", ".join(r.choice(
                ["status", 'uid="user.id"', 'tag="user.tags[1]"', 'first="list[0]"', 'x="user"', 'env="level"', 'level="status"', 'ab="[\\"a.b\\"]"',
                 'gone="no.such"']) for _ in range(r.randint(1, 3)))
        if k < .62:
            return "logfmt" + r.choice(["", "", " --strict", " --keep-empty"])
        if k < .7:
            return "logfmt%s " % r.choice(["", " --strict"]) + ", ".join(
                r.choice(["status", 'lv="level"', 'kv="k_v"', "gone", 'env="user"', 'n="v"']) for _ in range(r.randint(1, 3)))
        if k < .8:
            return 'regexp "%s"' % r.choice(["(?P<method>GET|POST) (?P<path>\\\\S+)", "level=(?P<level>\\\\w+)?", "(?P<n>\\\\d+)ms",
                                             "status.{1,3}(?P<status>\\\\d+)", "(?P<a>x)|(?P<b>o)"])
        if k < .92:
            return "pattern " + self.quoted(r.choice(['<addr> - <user> [<_>] "<method> <path> <_>" <status> <size> <took>', "<_>level=<level> <_>",
                                                      "{<_>}<tail>", "<first> <rest>", "level=<level> <_>"]))
        return "unpack"

    def template(self):
        r = self.r
        field = lambda: "." + r.choice(LABELS)  # noqa: E731
        return "".join(r.choice([
            lambda: r.choice(["x", " ", "-", "msg="]), lambda: "{{%s}}" % field(), lambda: "{{%s | upper}}" % field(),
            lambda: "{{len %s}}" % field(), lambda: "{{__line__}}", lambda: "{{if eq %s \"200\"}}y{{else}}n{{end}}" % field(),
            lambda: "{{trunc %d %s}}" % (r.choice([3, -2]), r.choice([".level", ".status", ".method"])),
            lambda: "{{replace \"a\" \"-\" %s}}" % field(), lambda: "{{if %s}}+{{end}}" % field(),
            lambda: "{{%s | default \"none\"}}" % field(), lambda: "{{printf \"%%s|%%5s\" %s .status}}" % field(),
            lambda: "{{with %s}}[{{.}}]{{end}}" % field(), lambda: "{{alignLeft 4 .level}}", lambda: "{{contains \"a\" %s}}" % field(),
            lambda: "{{add (len %s) 1}}" % field(), lambda: "{{%s.x}}" % field()][:r.choice([3, 15, 16])])() for _ in range(r.randint(1, 4)))

    def stage(self):
        r = self.r
        k = r.random()
        if k < .15:
            return self.line_filter()
        if k < .4:
            return " | " + self.parser()
        if k < .65:
            return " | " + self.label_filter()
        if k < .76:
            return " | line_format `%s`" % self.template()
        if k < .86:
            names, items = r.sample(["x", "level", "env", "y", "status"], r.randint(1, 3)), []
            for name in names:
                items.append("%s=%s" % (name, r.choice(LABELS + ["__error__"]) if r.random() < .5 else "`%s`" % self.template()))
            return " | label_format " + ", ".join(items)
        if k < .95:
            return " | %s %s" % (r.choice(["drop", "keep"]), ", ".join(
                r.choice(LABELS + ["ds", "__error__", "__error_details__"]) if r.random() < .7 else self.matcher() for _ in range(r.randint(1, 4))))
        return " | decolorize"

    def matcher(self):
        r = self.r
        return '%s%s"%s"' % (r.choice(LABELS), r.choice(["=", "!="]), r.choice(["info", "prod", "200", ""])) if r.random() < .5 else \
            '%s%s"%s"' % (r.choice(LABELS), r.choice(["=~", "!~"]), r.choice(FULL))

    def pipeline(self, most=5):
        r = self.r
        out = ""
        if r.random() < .6:
            out += "".join(self.line_filter() for _ in range(r.choice([0, 0, 0, 0, 1, 2])))
            out += " | " + self.parser()
            if r.random() < .4:
                out += ' | __error__=""'
        named = False
        for _ in range(r.randint(0, most - 1)):
            stage = self.stage()
            if not (named and stage.startswith((" !=", " !~"))):  # that would belong to the last name
                out += stage
                named = stage.startswith((" | drop", " | keep"))
        return out

    def log(self):
        return self.selector() + self.pipeline()

    # --- metrics ---

    def duration(self):
        return self.pick("5s", "30s", "1m", "2m30s", "5m", "5m", "10m", "10m")

    def offset(self):
        return self.pick("", "", "", "", " offset 1m", " offset -30s", " offset 1.5s")

    def group(self):
        r = self.r
        return "%s (%s)" % (r.choice(["by", "by", "without"]), ", ".join(r.sample(LABELS + ["ds"], r.choice([0, 1, 1, 2]))))

    def range(self):
        r = self.r
        span, offset = "[%s]" % self.duration(), self.offset()
        if r.random() < .55:
            op = r.choice(["rate", "count_over_time", "count_over_time", "bytes_rate", "bytes_over_time", "absent_over_time"])
            return "%s(%s%s%s%s)" % (op, self.selector(), self.pipeline(r.choice([1, 1, 2, 3])), span, offset)
        op = r.choice(["rate", "sum_over_time", "avg_over_time", "min_over_time", "max_over_time", "first_over_time", "last_over_time",
                       "stddev_over_time", "stdvar_over_time", "quantile_over_time", "rate_counter"])
        unwrap = r.choice(["status", "n", "v", "counter", "duration(took)", "duration_seconds(took)", "bytes(size)", "user_id", "nosuch"])
        parser = " | json" if unwrap in ("user_id", "status") else r.choice([" | logfmt", " | logfmt", " | logfmt", " | json", " | " + self.parser()])
        stages = self.pipeline(2) if r.random() < .3 else ""
        post = r.choice(["", ' | __error__=""', ' | __error__=""', ' | __error__=""', " | " + self.predicate() + ' | __error__=""'])
        first = "%s, " % r.choice(["0", "0.5", "0.99", "1"]) if op == "quantile_over_time" else ""
        body = "%s(%s%s%s%s | unwrap %s%s %s%s)" % (op, first, self.selector(), parser, stages, unwrap, post, span, offset)
        if op not in ("rate", "sum_over_time", "rate_counter") and r.random() < .4:
            body += " " + self.group()
        return body

    def vector(self, depth):
        r = self.r
        k = r.random()
        if depth <= 0 or k < .3:
            return self.range()
        if k < .72:
            op = r.choice(["sum", "sum", "sum", "avg", "min", "max", "count", "stddev", "stdvar", "topk", "bottomk"])
            first = "%d, " % r.randint(1, 3) if op.endswith("k") else ""
            group = " " + self.group() if r.random() < .6 else ""
            inner = self.vector(depth - 1)
            return "%s%s (%s%s)" % (op, group, first, inner) if r.random() < .5 else "%s(%s%s)%s" % (op, first, inner, group)
        if k < .78:
            return 'label_replace(%s, "%s", "%s", "%s", "%s")' % (
                self.vector(depth - 1), r.choice(["x", "level", "ds"]), r.choice(["$1", "a-$1", "${1}b", "", "$2", "c"]),
                r.choice(["level", "app", "nosuch"]), r.choice(["(.*)", "(.)(.*)", "info", ".+", "x|(a)pi"]))
        return self.binary(depth)

    def scalar(self):
        return self.pick("2", "0", "0.5", "100", "-1", "1.25")

    def binary(self, depth):
        r = self.r
        k = r.random()
        if k < .4:
            op = r.choice(["+", "-", "*", "/", "%", "^", ">", "<", "<=", "!=", "> bool", "!= bool", "== bool"])
            sides = [self.vector(depth - 1), self.scalar()]
            r.shuffle(sides)
            return "(%s) %s (%s)" % (sides[0], op, sides[1])
        left = self.vector(depth - 1)
        right = left if r.random() < .3 else self.vector(depth - 1)
        if k < .65:
            op = r.choice(["and", "or", "unless"])
            how = r.choice(["", "", " on (level)", " on ()", " ignoring (pod)"])
            return "(%s) %s%s (%s)" % (left, op, how, right if r.random() < .8 else "vector(0)")
        op = r.choice(["+", "-", "*", "/", ">", "<= bool", "=="])
        how = r.choice(["", "", " on (level)", " on (app) group_left (env)", " ignoring (pod) group_right ()", " on ()"])
        return "(%s) %s%s (%s)" % (left, op, how, right)

    def metric(self):
        k = self.r.random()
        if k < .03:
            return "%s %s %s" % (self.scalar(), self.pick("+", "*", "^", ">", "/"), self.scalar())
        if k < .06:
            return "vector(%s)" % self.pick("1", "0", "2.5")
        return self.vector(self.pick(0, 1, 1, 2, 3))


def question(seed, number):
    """(kind, query, parameters); kind: "log", "range" or "instant"."""
    q = Queries(seed, number)
    r = q.r
    if r.random() < .45:
        start = T0 + r.choice([-10, 0, 100, 300]) * NS
        return "log", q.log(), {
            "start": start, "end": start + r.choice([60, 300, 700, 700]) * NS, "limit": r.choice([1, 10, 50, 5000, 5000]),
            "direction": r.choice(["forward", "backward"]), **({"interval": r.choice([1, 7, 60])} if r.random() < .1 else {})}
    if r.random() < .25:
        query = q.metric()
        if r.random() < .1:
            query = "%s(%s)" % (r.choice(["sort", "sort_desc"]), q.vector(1))
        return "instant", query, {"time": T0 + r.choice([60, 299, 300, 300, 500, 600]) * NS + r.choice([0, 0, 500_000_000])}
    step = r.choice(STEPS)
    start = T0 + r.choice([-120, 0, 120, 240, 240, 360]) * NS
    return "range", q.metric(), {"start": start, "end": start + r.choice([1, 5, 11]) * step * NS, "step": step}
