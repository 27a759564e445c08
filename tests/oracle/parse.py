# SPDX-License-Identifier: Apache-2.0
"""LogQL text to the trees that evaluate.py takes; written from the grammar, for right queries.

    ("log", matchers, stages)
    ("range", op, parameter, matchers, stages, unwrap, post filters, range ns, offset ns, group)
    ("agg", op, parameter, group, inner)          group: None or ("by" | "without", names)
    ("binary", op, bool, matching, left, right)   matching: None or (kind, names, side, include)
    ("label_replace", inner, dst, replacement, src, regex)   ("literal", n)   ("vector", n)
matchers: (name, op, value).  Stages begin with their kind; unwrap: None or (name, conversion)."""
import re

NS = 1_000_000_000
RANGE_OPS = {"rate", "rate_counter", "count_over_time", "bytes_rate", "bytes_over_time", "avg_over_time", "sum_over_time",
             "min_over_time", "max_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time",
             "first_over_time", "last_over_time", "absent_over_time"}
VECTOR_OPS = {"sum", "avg", "min", "max", "count", "stddev", "stdvar", "topk", "bottomk", "approx_topk", "sort", "sort_desc"}
TOKEN = re.compile(r"""
    (?P<blank>(?:[ \t\r\n]|\#[^\n]*|//[^\n]*|/\*.*?\*/)+)
  | (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
  | (?P<range>\[[^\]]*\])
  | (?P<flag>--strict|--keep-empty)
  | (?P<measure>(?!-?0[xX])-?(?:\d[\d_]*\.?\d*|\.\d+)(?:[a-zA-Z\u00b5]+[\d.]*)*[a-zA-Z\u00b5]+(?<![eE]))
  | (?P<number>0[xX][\da-fA-F.]+[pP][+-]?\d+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<name>[^\W\d]\w*)
  | (?P<op>\|=|\|~|\|>|!=|!~|!>|=~|==|>=|<=|[{}()\[\],.=|+\-*/%^<>])
""", re.X | re.S)
LEVELS = [["or"], ["and", "unless"], ["==", "!=", ">", ">=", "<", "<="], ["+", "-"], ["*", "/", "%"], ["^"]]


def unquote(text):
    if text[0] == "`":
        return text[1:-1]
    out = re.sub(r'\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)', escape, text[1:-1])
    return out


def escape(found):
    e = found[1]
    if e[0] in "xuU":
        return chr(int(e[1:], 16))
    if e[0].isdigit():
        return chr(int(e, 8))
    return {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}.get(e, e)


UNITS = {"ns": 1, "us": 10**3, "\u00b5s": 10**3, "ms": 10**6, "s": NS, "m": 60 * NS, "h": 3600 * NS, "d": 86400 * NS,
         "w": 7 * 86400 * NS, "y": 365 * 86400 * NS}
SIZES = {"B": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
         "ki": 2**10, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}


def duration_ns(text):
    sign = -1 if text.startswith("-") else 1
    parts = re.findall(r"([\d.]+)(ns|us|\u00b5s|ms|[smhdwy])", text)
    if text.lstrip("-") != "".join(n + u for n, u in parts) and text != "0":
        raise ValueError(text)
    total = 0
    for n, unit in parts:
        whole, _, fraction = n.partition(".")
        total += int(whole or 0) * UNITS[unit] + (int(fraction) * UNITS[unit] // 10**len(fraction) if fraction else 0)
    return sign * total


def size_bytes(text):
    found = re.fullmatch(r"([\d.]+)([kKMGTP]i?|)(B?)", text)
    return int(float(found[1]) * SIZES.get(found[2], 1))


class Parser:
    def __init__(self, text):
        self.tokens, at = [], 0
        while at < len(text):
            found = TOKEN.match(text, at)
            if not found:
                raise SyntaxError(text[at:])
            at = found.end()
            if found.lastgroup != "blank":
                self.tokens.append((found.lastgroup, found[0]))
        self.tokens.append(("end", ""))
        self.at = 0

    def peek(self, ahead=0):
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def word(self):
        kind, text = self.peek()
        return text.lower() if kind == "name" else text if kind == "op" else ""

    def take(self, want=None):
        kind, text = self.tokens[self.at]
        if want is not None and (text.lower() if kind == "name" else text) != want:
            raise SyntaxError("%s, not %s" % (want, text))
        self.at += 1
        return text

    def maybe(self, want):
        if self.word() == want:
            self.at += 1
            return True
        return False

    def string(self):
        if self.peek()[0] != "string":
            raise SyntaxError(self.peek()[1])
        return unquote(self.take())

    def name(self):
        if self.peek()[0] != "name":
            raise SyntaxError(self.peek()[1])
        return self.take()

    def names(self):
        self.take("(")
        out = []
        while not self.maybe(")"):
            out.append(self.name())
            if not self.maybe(","):
                self.take(")")
                break
        return out

    # --- log queries ---

    def matcher(self, name=None):
        name = name or self.name()
        return (name, self.take(), self.string())

    def selector(self):
        self.take("{")
        out = [self.matcher()]
        while self.maybe(","):
            out.append(self.matcher())
        self.take("}")
        return out

    def ip(self):
        self.take("ip")
        self.take("(")
        text = self.string()
        self.take(")")
        return text

    def operand(self):
        return ("ip", self.ip()) if self.word() == "ip" else ("text", self.string())

    def named(self):
        """drop and keep: (name, None, None) or a matcher."""
        out = []
        while True:
            name = self.name()
            out.append(self.matcher(name) if self.word() in ("=", "!=", "=~", "!~") else (name, None, None))
            if not self.maybe(","):
                return out

    def extractions(self):
        out = []
        while self.peek()[0] == "name":
            name = self.name()
            out.append((name, self.string() if self.maybe("=") else name))
            if not self.maybe(","):
                break
        return out

    def predicate(self):
        name, op = self.name(), self.take()
        kind, text = self.peek()
        if kind == "string":
            return ("string", name, op, self.string())
        if self.word() == "ip":
            return ("ip", name, op, self.ip())
        if kind == "measure":
            self.take()
            try:
                return ("duration", name, op, duration_ns(text))
            except ValueError:
                return ("bytes", name, op, size_bytes(text))
        return ("number", name, op, self.number())

    def label_filter(self, level=0):
        """A comma or nothing between two takes all that follows on its right; `and` before `or`."""
        left = self.parenthesised_filter()
        while True:
            if self.word() == "(" or (self.peek()[0] == "name" and self.word() not in ("and", "or")):
                left = ("and", left, self.label_filter())
            elif self.maybe(","):
                left = ("and", left, self.label_filter())
            elif level < 1 and self.maybe("or"):
                left = ("or", left, self.label_filter(1))
            elif level < 2 and self.maybe("and"):
                left = ("and", left, self.label_filter(2))
            else:
                return left

    def parenthesised_filter(self):
        if not self.maybe("("):
            return self.predicate()
        inner = self.label_filter()
        self.take(")")
        return inner

    def parser_stage(self):
        kind, flags = self.take().lower(), set()
        while self.peek()[0] == "flag":
            flags.add(self.take())
        wanted = self.extractions()
        if kind == "json":
            return ("json_paths", [(n, json_path(p)) for n, p in wanted]) if wanted else ("json",)
        if wanted:
            return ("logfmt_keys", "--strict" in flags, [(n, p.strip('"')) for n, p in wanted])
        return ("logfmt", "--strict" in flags, "--keep-empty" in flags)

    def label_format(self):
        out = []
        while True:
            name = self.name()
            self.take("=")
            out.append((name, "template", self.string()) if self.peek()[0] == "string" else (name, "rename", self.name()))
            if not self.maybe(","):
                return ("label_format", out)

    def piped(self):
        word = self.word()
        if word in ("json", "logfmt"):
            return self.parser_stage()
        if word in ("regexp", "line_format"):
            self.take()
            return (word, self.string())
        if word == "pattern":
            self.take()
            return ("pattern", pattern_parts(self.string()))
        if word == "label_format":
            self.take()
            return self.label_format()
        if word in ("drop", "keep"):
            self.take()
            return (word, self.named())
        if word in ("unpack", "decolorize"):
            return (self.take().lower(),)
        return ("labels", self.label_filter())

    def stages(self):
        out = []
        while self.word() in ("|=", "!=", "|~", "!~", "|>", "!>", "|"):
            op = self.take()
            if op == "|":
                if self.word() == "unwrap":
                    self.at -= 1
                    break
                out.append(self.piped())
                continue
            operands = [self.operand()]
            while self.maybe("or"):
                operands.append(self.operand())
            out.append(("line", op, operands))
        return out

    # --- metric queries ---

    def number(self):
        sign = -1 if self.maybe("-") else 1
        self.maybe("+")
        text = self.take()
        return sign * (float.fromhex(text) if text[:2].lower() == "0x" else float(text.replace("_", "")))

    def range(self):
        """(range ns, offset ns) where a range stands."""
        text = self.take()[1:-1]
        offset = duration_ns(self.take()) if self.maybe("offset") else 0
        return duration_ns(text), offset

    def unwrap(self):
        self.take("|")
        self.take("unwrap")
        name, convert, post = self.name(), "", []
        if self.maybe("("):
            convert, name = name.lower(), self.name()
            self.take(")")
        while self.maybe("|"):
            post.append(self.label_filter())
        return (name, "duration" if convert == "duration_seconds" else convert), post

    def log_range(self):
        if self.word() == "(" and self.peek(1)[1] in ("(", "{"):
            self.take()
            inner = self.log_range()
            self.take(")")
            matchers, stages, unwrapped, post, span, offset = inner
            if span is None:
                span, offset = self.range()
                if self.word() == "|" and unwrapped is None:
                    unwrapped, post = self.unwrap()
            return (matchers, stages, unwrapped, post, span, offset)
        matchers, span, offset = self.selector(), None, 0
        if self.peek()[0] == "range":
            span, offset = self.range()
        stages, unwrapped, post = self.stages(), None, []
        if self.word() == "|":
            unwrapped, post = self.unwrap()
        if span is None and self.peek()[0] == "range":
            span, offset = self.range()
        return (matchers, stages, unwrapped, post, span, offset)

    def grouping(self):
        if self.word() not in ("by", "without"):
            return None
        return (self.take().lower(), self.names())

    def range_agg(self):
        op, parameter = self.take().lower(), None
        self.take("(")
        if self.peek()[0] == "number":
            parameter = self.number()
            self.take(",")
        matchers, stages, unwrapped, post, span, offset = self.log_range()
        self.take(")")
        return ("range", op, parameter, matchers, stages, unwrapped, post, span, offset, self.grouping())

    def vector_agg(self):
        op, parameter = self.take().lower(), None
        group = self.grouping()
        self.take("(")
        if self.peek()[0] == "number" and self.peek(1)[1] == ",":
            parameter = int(self.take())
            self.take(",")
        inner = self.expression()
        self.take(")")
        return ("agg", op, parameter, group or self.grouping(), inner)

    def label_replace(self):
        self.take("label_replace")
        self.take("(")
        inner, texts = self.expression(), []
        for _ in range(4):
            self.take(",")
            texts.append(self.string())
        self.take(")")
        return ("label_replace", inner, *texts)

    def term(self):
        word, calls = self.word(), self.peek(1)[1].lower() in ("(", "by", "without")
        if word == "{":
            return ("log", self.selector(), self.stages())
        if word == "(":
            self.take()
            inner = self.expression()
            self.take(")")
            return inner
        if word in RANGE_OPS and calls:
            return self.range_agg()
        if word in VECTOR_OPS and calls:
            return self.vector_agg()
        if word == "label_replace":
            return self.label_replace()
        if word == "vector":
            self.take()
            self.take("(")
            n = self.number()
            self.take(")")
            return ("vector", n)
        return ("literal", self.number())

    def matching(self):
        kind = self.word()
        if kind not in ("on", "ignoring"):
            return None
        self.take()
        names, side, include = self.names(), None, []
        if self.word() in ("group_left", "group_right"):
            side = self.take().lower()
            if self.word() == "(":
                include = self.names()
        return (kind, names, side, include)

    def expression(self, level=0):
        if level == len(LEVELS):
            return self.term()
        left = self.expression(level + 1)
        while self.word() in LEVELS[level]:
            op = self.take().lower()
            as_bool = self.maybe("bool")
            matching = self.matching()
            right = self.expression(level if op == "^" else level + 1)
            left = ("binary", op, as_bool, matching, left, right)
        return left


def json_path(text):
    """A list of keys and indexes."""
    return [int(index) if index else field or key
            for field, key, index in re.findall(r'([A-Za-z_]\w*)|\[\s*"([^"]*)"\s*\]|\[\s*(\d+)\s*\]', text)]


def pattern_parts(text):
    return [("capture", p[1:-1]) if re.fullmatch(r"<[A-Za-z_]\w*>", p) else p
            for p in re.split(r"(<[A-Za-z_][A-Za-z0-9_]*>)", text) if p]


def parse(text):
    p = Parser(text)
    tree = p.expression()
    p.take("") if p.peek()[0] == "end" else p.take("the end")
    return tree
