# SPDX-License-Identifier: Apache-2.0
"""A small part of Go's text/template, enough for the queries of the oracle: fields, functions,
pipelines, if, with, range, variables.  Whatever else stands in a template is Unknown.  The whole of
it is compared with Go's own package elsewhere."""
import base64
import json
import re
from urllib.parse import quote_plus, unquote_plus


class Unknown(Exception):
    """A form that is left out here."""


class Failed(Exception):
    """An execution error."""


ACTION = re.compile(r"(\s*)\{\{(-(?=\s))?((?:[^}\"`]|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|\}(?!\}))*?)((?<=\s)-)?\}\}(\s*)", re.S)
WORD = re.compile(r'\s*("(?:[^"\\]|\\.)*"|`[^`]*`|[()|]|:=|=|,|-?\d+(?:\.\d+)?|\$\w*(?:\.\w+)*|(?:\.\w+)+|\.|\w+)')


def tokens(code):
    out, at = [], 0
    code = code.strip()
    while at < len(code):
        found = WORD.match(code, at)
        if not found:
            raise Unknown(code)
        out.append(found[1])
        at = found.end()
        while at < len(code) and code[at].isspace():
            at += 1
    return out


def split(text):
    """Texts and actions, trim markers applied."""
    parts, at, trim = [], 0, False
    for found in ACTION.finditer(text):
        if found.end(1) < at:
            raise Unknown(text)
        piece = text[at:found.end(1)]
        piece = piece.lstrip() if trim else piece
        parts.append(piece.rstrip() if found[2] else piece)
        code = found[3]
        if not code.strip().startswith("/*"):
            parts.append(tokens(code))
        at, trim = found.start(5), bool(found[4])
    rest = text[at:]
    parts.append(rest.lstrip() if trim else rest)
    if "{{" in rest:
        raise Unknown(text)
    return parts


def show(v):
    if v is None:
        return "<no value>"
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, float):
        text = repr(v)
        mantissa, _, exponent = ("%r" % v).partition("e")
        exp10 = int(("%e" % v).partition("e")[2]) if v else 0
        if exp10 < -4 or exp10 >= 6:
            digits = ("%.17e" % v)
            for n in range(17):
                digits = "%.*e" % (n, v)
                if float(digits) == v:
                    break
            return digits
        return text[:-2] if text.endswith(".0") else text
    if isinstance(v, list):
        return "[" + " ".join(show_inside(e) for e in v) + "]"
    if isinstance(v, dict):
        return "map[" + " ".join(f"{k}:{show_inside(v[k])}" for k in sorted(v)) + "]"
    return str(v)


def show_inside(v):
    return "<nil>" if v is None else show(v)


def whole(v):
    try:
        return int(v) if not isinstance(v, str) else int(float(v)) if "." in v else int(v, 0)
    except (ValueError, TypeError):
        return 0


def divide(a, b):
    if whole(b) == 0:
        raise Failed
    q = abs(whole(a)) // abs(whole(b))
    return q if (whole(a) < 0) == (whole(b) < 0) else -q


def text(v):
    if not isinstance(v, str):
        raise Failed
    return v


def compare(test):
    def run(a, b):
        if type(a) is not type(b):
            raise Failed
        return test(a, b)
    return run


def parse_json(s):
    try:
        return json.loads(s, parse_int=float)
    except ValueError:
        return None


def trunc(n, s):
    raw = text(s).encode()
    return (raw[:n] if n >= 0 else raw[n:] if len(raw) + n > 0 else raw).decode(errors="surrogateescape")


def substr(i, j, s):
    raw = text(s).encode()
    if i < 0:
        return raw[:j].decode()
    return raw[i:].decode() if j < 0 or j > len(raw) else raw[i:j].decode()


def align(n, s, left):
    text(s)
    if n < 0:
        return s
    return (s.ljust(n)[:n] if left else s.rjust(n)[len(s.rjust(n)) - n:])


def printf(form, *args):
    out, args = "", list(args)
    for piece in re.findall(r"%%|%-?0?\d*(?:\.\d+)?[sdvqfx]|[^%]+", form):
        if piece == "%%" or piece[0] != "%":
            out += piece[0] if piece == "%%" else piece
            continue
        arg, verb = args.pop(0), piece[-1]
        if verb == "v" or (verb == "s" and isinstance(arg, str)):
            out += (piece[:-1] + "s") % show(arg) if "0" not in piece[:2] else show(arg).rjust(int(piece[1:-1] or 0), "0")
        elif verb == "d" and isinstance(arg, int) or verb == "f" and isinstance(arg, float):
            out += piece % arg
        elif verb == "q" and isinstance(arg, str):
            out += '"%s"' % arg.replace("\\", "\\\\").replace('"', '\\"')
        else:
            raise Unknown(form)
    if args or form.count("%") != sum(p.startswith("%") + (p == "%%") for p in re.findall(
            r"%%|%-?0?\d*(?:\.\d+)?[sdvqfx]", form)):
        raise Unknown(form)
    return out


def title(s):
    return re.sub(r"(^|[^\w])(\w)", lambda m: m[1] + m[2].upper(), text(s))


def go_print(*args):
    out = ""
    for i, a in enumerate(args):
        if i and not isinstance(a, str) and not isinstance(args[i - 1], str):
            out += " "
        out += show_inside(a)
    return out


FUNCTIONS = {
    "lower": lambda s: text(s).lower(), "upper": lambda s: text(s).upper(), "ToLower": lambda s: text(s).lower(),
    "ToUpper": lambda s: text(s).upper(), "title": title, "trim": lambda s: text(s).strip(), "TrimSpace": lambda s: text(s).strip(),
    "trimAll": lambda c, s: text(s).strip(c), "trimPrefix": lambda p, s: text(s).removeprefix(p),
    "trimSuffix": lambda p, s: text(s).removesuffix(p), "TrimPrefix": lambda s, p: text(s).removeprefix(p),
    "TrimSuffix": lambda s, p: text(s).removesuffix(p), "Trim": lambda s, c: text(s).strip(c),
    "TrimLeft": lambda s, c: text(s).lstrip(c), "TrimRight": lambda s, c: text(s).rstrip(c),
    "replace": lambda o, n, s: text(s).replace(o, n), "Replace": lambda s, o, n, k: text(s).replace(o, n, k),
    "trunc": trunc, "substr": substr, "alignLeft": lambda n, s: align(n, s, True),
    "alignRight": lambda n, s: align(n, s, False), "contains": lambda p, s: p in text(s),
    "hasPrefix": lambda p, s: text(s).startswith(p), "hasSuffix": lambda p, s: text(s).endswith(p),
    "repeat": lambda n, s: text(s) * n, "indent": lambda n, s: " " * n + s.replace("\n", "\n" + " " * n),
    "nindent": lambda n, s: "\n" + " " * n + s.replace("\n", "\n" + " " * n),
    "len": lambda v: len(v.encode()) if isinstance(v, str) else len(v), "print": go_print, "printf": printf,
    "urlencode": lambda s: quote_plus(s, safe="-_.~"), "urldecode": unquote_plus,
    "b64enc": lambda s: base64.b64encode(s.encode()).decode(), "b64dec": lambda s: base64.b64decode(s).decode(),
    "default": lambda d, v=None: v if v else d, "not": lambda v: not v, "fromJson": parse_json,
    "int": whole, "float64": lambda v: float(v or 0), "add": lambda *a: sum(map(whole, a)),
    "sub": lambda a, b: whole(a) - whole(b), "mul": lambda a, *r: eval("*".join(str(whole(v)) for v in (a, *r))),
    "div": divide, "mod": lambda a, b: whole(a) - divide(a, b) * whole(b), "max": lambda *a: max(map(whole, a)),
    "min": lambda *a: min(map(whole, a)), "eq": lambda a, *r: any(compare(lambda x, y: x == y)(a, b) for b in r),
    "ne": compare(lambda a, b: a != b), "lt": compare(lambda a, b: a < b), "le": compare(lambda a, b: a <= b),
    "gt": compare(lambda a, b: a > b), "ge": compare(lambda a, b: a >= b),
    "count": lambda p, s: len(re.findall(p, s)),
    "regexReplaceAll": lambda p, s, r: re.sub(p, re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", r), s),
    "regexReplaceAllLiteral": lambda p, s, r: re.sub(p, r.replace("\\", "\\\\"), s),
}


class Template:
    def __init__(self, source):
        self.parts = split(source)
        self.at = 0
        self.body = self.nodes(())[0]
        if self.at < len(self.parts):
            raise Unknown(source)

    def nodes(self, ends):
        out = []
        while self.at < len(self.parts):
            part = self.parts[self.at]
            self.at += 1
            if isinstance(part, str):
                out.append(("text", part))
            elif part[:1] == ["end"] or part[:1] == ["else"]:
                if part[0] not in ends:
                    raise Unknown(part)
                return out, part
            elif part[0] in ("if", "with", "range"):
                out.append(self.branch(part))
            elif part[0] in ("define", "template", "block", "break", "continue"):
                raise Unknown(part)
            else:
                out.append(("action", part))
        if ends:
            raise Unknown(ends)
        return out, []

    def branch(self, part):
        body, end = self.nodes(("end", "else"))
        other = []
        if end[0] == "else" and len(end) > 1:
            other = [self.branch(end[1:])]
        elif end[0] == "else":
            other, _ = self.nodes(("end",))
        return (part[0], part[1:], body, other)

    def execute(self, labels, line, functions):
        self.functions = {**FUNCTIONS, **functions}
        self.labels = labels
        out = []
        try:
            self.run(self.body, labels, {"$": labels}, out)
        except (TypeError, ValueError, KeyError, IndexError) as e:
            raise Unknown(repr(e)) from e
        return "".join(out)

    def run(self, nodes, dot, scope, out):
        for node in nodes:
            kind = node[0]
            if kind == "text":
                out.append(node[1])
                continue
            names, value, assigns = self.declared(node[1], dot, scope)
            if kind == "action":
                for name in names:
                    scope[name] = value
                if not names:
                    out.append(show(value))
            elif kind == "range":
                self.repeat(names, value, node, dot, scope, out)
            else:
                inner = dict(scope)
                inner.update({name: value for name in names})
                if kind == "with" and value:
                    dot_inside = value
                else:
                    dot_inside = dot
                self.run(node[2] if value else node[3], dot_inside, inner, out)

    def repeat(self, names, value, node, dot, scope, out):
        pairs = sorted(value.items()) if isinstance(value, dict) else list(enumerate(value or []))
        for key, element in pairs:
            inner = dict(scope)
            if names:
                inner.update(zip(names, (key, element) if len(names) == 2 else (element,)))
            self.run(node[2], element, inner, out)
        if not pairs:
            self.run(node[3], dot, dict(scope), out)

    def declared(self, words, dot, scope):
        names = []
        if ":=" in words or "=" in words:
            at = words.index(":=") if ":=" in words else words.index("=")
            names, words = [w for w in words[:at] if w != ","], words[at + 1:]
        value, rest = self.pipeline(words, dot, scope)
        if rest:
            raise Unknown(words)
        return names, value, False

    def pipeline(self, words, dot, scope):
        value, piped = None, []
        while True:
            command, words = self.arguments(words)
            value = self.command(command, piped, dot, scope)
            piped = [value]
            if not words or words[0] == ")":
                return value, words
            words = words[1:]

    def arguments(self, words):
        depth = 0
        for i, w in enumerate(words):
            depth += (w == "(") - (w == ")")
            if depth < 0 or (depth == 0 and w == "|"):
                return words[:i], words[i:]
        return words, []

    def command(self, words, piped, dot, scope):
        if words[0] in ("and", "or"):
            return self.logic(words[0], words[1:], piped, dot, scope)
        if words[0] in self.functions and (len(words) > 1 or piped or not words[0].startswith(("(", "."))):
            args, rest = [], words[1:]
            while rest:
                value, rest = self.operand(rest, dot, scope)
                args.append(value)
            if words[0] == "index":
                return self.index(*args, *piped)
            return self.functions[words[0]](*args, *piped)
        value, rest = self.operand(words, dot, scope)
        if rest or piped:
            raise Unknown(words)
        return value

    def logic(self, word, words, piped, dot, scope):
        value = None
        while words:
            value, words = self.operand(words, dot, scope)
            if bool(value) == (word == "or"):
                return value
        return piped[0] if piped else value

    def index(self, of, *keys):
        for key in keys:
            if isinstance(of, str):
                of = of.encode()[key]
            elif isinstance(of, dict):
                of = of.get(key)
            else:
                if of is None or not 0 <= key < len(of):
                    raise Failed
                of = of[key]
        return of

    def fields(self, value, path):
        for name in path:
            if isinstance(value, str):
                raise Failed
            if value is None:
                return None
            value = value.get(name, "" if value is self.labels else None)
        return value

    def operand(self, words, dot, scope):
        w, rest = words[0], words[1:]
        if w == "(":
            value, rest = self.pipeline(rest, dot, scope)
            rest = rest[1:]
            if rest and re.fullmatch(r"(?:\.\w+)+", rest[0]) and False:
                value, rest = self.fields(value, rest[0].split(".")[1:]), rest[1:]
            return value, rest
        if w[0] == '"':
            return json.loads(w.replace("\\'", "'")), rest
        if w[0] == "`":
            return w[1:-1], rest
        if re.fullmatch(r"-?\d+", w):
            return int(w), rest
        if re.fullmatch(r"-?\d+\.\d+", w):
            return float(w), rest
        if w in ("true", "false", "nil"):
            return {"true": True, "false": False, "nil": None}[w], rest
        if w == ".":
            return dot, rest
        if w[0] == "$":
            name, *path = w.split(".")
            return self.fields(scope[name], path), rest
        if w[0] == ".":
            return self.fields(dot, w.split(".")[1:]), rest
        if w in self.functions:
            return self.functions[w](), rest
        raise Unknown(w)
