# SPDX-License-Identifier: Apache-2.0
"""Random queries straight from the grammar, and proof that all of it was used.

GRAMMAR is the language's own, split where a static check splits it (which functions unwrap, where a
literal may stand), so that what it makes is valid.  Grammar().query() expands it at random.  Each
alternative, each option taken and left, each repetition of none, one and more, and each form of a
terminal is a point; `never_used()` names the points that no query has passed."""
import re

GRAMMAR = r"""
query         = log_expr | metric | metric
log_expr      = selector [ pipeline ] | "(" log_expr ")"
selector      = "{" [ matcher "," ] solid { "," matcher } "}"
solid         = IDENT ( "=" SOLID_STRING | "=~" SOLID_REGEX | "!=" EMPTY | "!~" EMPTY_REGEX )
matcher       = IDENT ( ( "=" | "!=" ) STRING | ( "=~" | "!~" ) REGEX )
pipeline      = stage { stage }
stage         = line_filter | "|" ( parser | label_filter | formatter | labels_stage )
line_filter   = ( "|=" | "!=" ) operand { "or" operand }
              | ( "|~" | "!~" ) REGEX { "or" REGEX }
              | ( "|>" | "!>" ) LINE_PATTERN { "or" LINE_PATTERN }
operand       = STRING | "ip" "(" IP ")"
parser        = "json" [ json_extract { "," json_extract } ]
              | "logfmt" { FLAG } [ key_extract { "," key_extract } ]
              | "regexp" NAMED_REGEX | "pattern" PATTERN | "unpack"
json_extract  = PATH_IDENT | IDENT "=" JSON_PATH
key_extract   = PATH_IDENT | IDENT "=" LOGFMT_KEY
formatter     = "line_format" TEMPLATE | "label_format" label_fmt { "," label_fmt } | "decolorize"
label_fmt     = NEW_IDENT "=" ( IDENT | TEMPLATE )
labels_stage  = ( "drop" | "keep" ) named { "," named }
named         = IDENT | matcher
label_filter  = primary { ( "and" | "or" | "," | JUXTAPOSED ) primary }
primary       = predicate | "(" label_filter ")"
predicate     = matcher | IDENT ( "=" | "!=" ) "ip" "(" IP ")"
              | IDENT cmp ( number | DURATION | BYTES )
cmp           = "=" | "==" | "!=" | ">" | ">=" | "<" | "<="
number        = NUMBER | "+" NUMBER | "-" NUMBER
metric        = vector_expr | vector_expr | number_expr
number_expr   = scalar { arith modifier scalar }
scalar        = number | "(" number_expr ")"
vector_expr   = vector { any_op ( modifier vector | bare_modifier plain_vector ) }
              | vector { arith ( modifier operand_expr | bare_modifier ( plain_vector | number ) ) }
              | scalar arith ( modifier vector | bare_modifier plain_vector )
operand_expr  = vector | scalar
vector        = plain_vector | "(" vector_expr ")"
plain_vector  = range_agg | vector_agg | label_replace | vector_fn
arith         = "==" | "!=" | ">" | ">=" | "<" | "<=" | "+" | "-" | "*" | "/" | "%" | "^"
any_op        = arith | "and" | "or" | "unless"
modifier      = [ "bool" ] [ matching [ ( "group_left" | "group_right" ) labels ] ]
bare_modifier = [ "bool" ] matching ( "group_left" | "group_right" )
matching      = ( "on" | "ignoring" ) labels
labels        = "(" [ IDENT { "," IDENT } ] ")"
vector_fn     = "vector" "(" NUMBER ")"
label_replace = "label_replace" "(" metric "," STRING "," STRING "," STRING "," REGEX ")"
vector_agg    = vector_op [ grouping ] "(" metric ")" | vector_op "(" metric ")" [ grouping ]
              | k_op [ grouping ] "(" K "," metric ")" | k_op "(" K "," metric ")" [ grouping ]
              | "approx_topk" "(" K "," metric ")"
              | ( "sort" | "sort_desc" ) [ no_labels ] "(" metric ")"
              | ( "sort" | "sort_desc" ) "(" metric ")" [ no_labels ]
vector_op     = "sum" | "avg" | "min" | "max" | "count" | "stddev" | "stdvar"
k_op          = "topk" | "bottomk"
no_labels     = ( "by" | "without" ) "(" ")"
grouping      = ( "by" | "without" ) labels
range_agg     = ( plain_op | free_op ) "(" log_range ")"
              | ( free_op | unwrap_op ) "(" unwrap_range ")"
              | group_op "(" unwrap_range ")" [ grouping ]
              | "quantile_over_time" "(" NUMBER "," unwrap_range ")" [ grouping ]
plain_op      = "count_over_time" | "bytes_rate" | "bytes_over_time"
free_op       = "rate" | "absent_over_time"
unwrap_op     = "sum_over_time" | "rate_counter"
group_op      = "avg_over_time" | "min_over_time" | "max_over_time" | "first_over_time"
              | "last_over_time" | "stddev_over_time" | "stdvar_over_time"
log_range     = selector RANGE [ offset ] [ pipeline ] | selector [ pipeline ] RANGE [ offset ]
              | "(" selector [ pipeline ] ")" RANGE [ offset ] | "(" log_range ")"
unwrap_range  = selector RANGE [ offset ] [ pipeline ] unwrap
              | selector [ pipeline ] unwrap RANGE [ offset ]
              | "(" selector [ pipeline ] unwrap ")" RANGE [ offset ]
              | "(" selector ")" RANGE [ offset ] unwrap | "(" unwrap_range ")"
offset        = "offset" DURATION
unwrap        = "|" "unwrap" ( IDENT | conv "(" IDENT ")" ) { "|" label_filter }
conv          = "bytes" | "duration" | "duration_seconds"
"""

# Forms of each terminal; a form is a text, or several of which one is taken.
STRINGS = ['"pay"', '""', '"two words"', '"(not) [syntax] {here} |= , #"', '"größe 日本"', '"tab\\t q\\" b\\\\"',
           ('"\\a\\b\\f\\n\\r\\v"', '"\\x41\\101"', '"\\u00e4\\U0001f600"'), '"\\xff\\377"', "`raw \\d \"q\"`", "`a\nb`", "`a\rb`", "``"]
REGEXES = ['""', '"pay|cart"', '"eu-.*"', "`\\d{1,3}`", '"(?i)err"', '"[^a-c]+\\\\.x"', '"^(a|b)?$"', '"größe"']
FORMS = {
    "IDENT": ["svc", "_x", "a1", ("größe", "ß", "日本", "a٣"), ("rate", "sum", "bytes", "duration", "ip"), ("Count", "IP"),
              ("json_x", "by_", "onx"), ("variants", "of", "Inf", "NaN"), ("vector", "label_replace")],
    "PATH_IDENT": ["svc", "_x1", ("rate", "count")],
    "NEW_IDENT": ["dst", "Rate"],
    "STRING": STRINGS,
    "SOLID_STRING": [s for s in STRINGS if s not in ('""', "``")],
    "EMPTY": ['""', "``"],
    "REGEX": REGEXES,
    "SOLID_REGEX": ['".+"', '"pay|cart"', "`p\\w`"],
    "EMPTY_REGEX": ['""', '".*"', "`x?`", '"pay|"'],
    "NAMED_REGEX": ['"(?P<verb>\\\\w+) (?P<path>\\\\S+)"', "`(?<verb>\\w+)`"],
    "PATTERN": ['"<verb> <path> <_> <code>"', '"[<_>] <<lvl>> <msg>"'],
    "LINE_PATTERN": ['"order <_> in <_>"', '""', "`x`"],
    "IP": ['"10.0.0.0/8"', '"10.1.0.1-10.1.0.9"', '"::1"', "`fd00::/8`"],
    "JSON_PATH": ['"a.b"', '"a[0].c"', '"[0]"', "`[\"a.b\"]`"],
    "LOGFMT_KEY": ['"k"', "`\"odd key\"`"],
    "TEMPLATE": ['""', '"{{.a}} b"', "`{{ if eq .l \"e\" }}!{{ else }}-{{ end }}`", "`{{ .a | ToUpper }}`"],
    "FLAG": ["--strict", "--keep-empty"],
    "NUMBER": ["0", "5", ("0.5", "12.25"), "5.", ".5", ("1e3", "2.5E-2", "1e+1"), "1_000", "010", "0x1p-2"],
    "K": ["1", "5", "10", "1000"],
    "RANGE": ["[5m]", "[1h30m]", "[1d12h]", ("[1w]", "[1y]"), "[0s]", "[0]", "[90s]", "[100ms]", "[2y1w3d4h5m6s7ms]"],
    "DURATION": ["5m", "1h30m", "1h2.5m", "1.5h", "1m1h", ("100us", "100µs", "100μs", "3ns"), "1d2h", ".5s", "1w1d", "0s", "1y",
                 "1h1h", "-5m", "-1h30m", "-.5s"],
    "BYTES": [("1B", "1.5B", "7B"), ("10k", "10K", "10M", "2G", "1T", "1P"), ("1kB", "1.5KB", "1MB", "1GB", "1TB", "1PB"),
              ("1Ki", "2Mi", "1Gi", "1Ti", "1Pi"), ("1KiB", "1.5MiB", "1GiB", "1TiB", "2PiB"), ("1kiB",)],
    "JUXTAPOSED": [""],
}
DEPTHS = [4, 6, 8, 10, 14]  # of rules; from there on each choice is the one that ends soonest


def parse_notation(text):
    """{rule: node}; a node is ("or", [node]), ("seq", [node]), ("opt", node), ("rep", node),
    ("rule", name), ("terminal", name) or ("text", word)."""
    rules = {}
    for name, body in re.findall(r"^(\w+)\s*=(.*(?:\n\s.*)*)", text, re.M):
        rest = re.findall(r'"[^"]*"|\w+|[\[\]{}()|]', body)
        rules[name] = alternatives(rest)
        assert not rest, (name, rest)
    return rules


def alternatives(rest):
    branches = [[]]
    while rest and rest[0] not in "]})":
        word = rest.pop(0)
        if word == "|":
            branches.append([])
        elif word in "[{(":
            inner = alternatives(rest)
            rest.pop(0)
            branches[-1].append(inner if word == "(" else ("opt" if word == "[" else "rep", inner))
        elif word[0] == '"':
            branches[-1].append(("text", word[1:-1]))
        else:
            branches[-1].append(("terminal" if word.isupper() else "rule", word))
    nodes = [b[0] if len(b) == 1 else ("seq", b) for b in branches]
    return nodes[0] if len(nodes) == 1 else ("or", nodes)


class Grammar:
    def __init__(self):
        self.rules = parse_notation(GRAMMAR)
        self.heights = {}
        self.used = {}
        for name, node in self.rules.items():
            self.name_points(name, node)
        for name, forms in FORMS.items():
            for form in forms:
                self.used[name, form] = 0
        self.find_heights()

    def name_points(self, where, node):
        kind, inner = node
        if kind == "opt":
            self.used.update({(where + "?", n): 0 for n in (0, 1)})
        elif kind == "rep":
            self.used.update({(where + "*", n): 0 for n in (0, 1, 2)})
        elif kind == "or":
            self.used.update({(where + "|", n): 0 for n in range(len(inner))})
        for n, part in enumerate(inner if kind in ("or", "seq") else [inner] if kind in ("opt", "rep") else []):
            self.name_points(self.below(where, kind, n), part)

    @staticmethod
    def below(where, kind, n):
        return "%s.%d" % (where, n) if kind in ("or", "seq") else where + "."

    def find_heights(self):
        """How many rules deep the shallowest text of each rule is."""
        self.heights = dict.fromkeys(self.rules, 1000)
        for _ in self.rules:
            for name, node in self.rules.items():
                self.heights[name] = 1 + self.height(node)

    def height(self, node):
        kind, inner = node
        if kind == "or":
            return min(map(self.height, inner))
        if kind == "seq":
            return max(map(self.height, inner))
        return self.heights[inner] if kind == "rule" else 0

    def query(self, r):
        """The tokens of one query, as texts."""
        self.r, self.out, self.n_new, self.bare_name_at = r, [], 0, None
        self.max_depth = r.choice(DEPTHS)
        self.expand("query", self.rules["query"], 0)
        return self.out

    def use(self, where, n):
        self.used[where, n] += 1

    def expand(self, where, node, depth):
        kind, inner = node
        if kind == "text":
            self.out.append(self.spelled(inner))
        elif kind == "terminal":
            self.terminal(inner)
        elif kind == "rule":
            begin = len(self.out)
            self.expand(inner, self.rules[inner], depth + 1)
            self.avoid_matcher(inner, begin)
        elif kind == "seq":
            for n, part in enumerate(inner):
                self.expand(self.below(where, kind, n), part, depth)
        elif kind == "or":
            n = self.choose(inner, depth)
            self.use(where + "|", n)
            self.expand(self.below(where, kind, n), inner[n], depth)
        else:
            self.repeat(where, kind, inner, depth)

    def avoid_matcher(self, rule, begin):
        """`drop a` and then a filter `!= "x"` would read as `drop a!="x"`."""
        if rule == "named":
            self.bare_name_at = len(self.out) - 1 if begin == len(self.out) - 1 else None
        elif rule == "line_filter" and begin - 1 == self.bare_name_at and self.out[begin][0] == "!":
            self.out[begin] = {"!=": "|=", "!~": "|~", "!>": "!>"}[self.out[begin]]

    def choose(self, nodes, depth):
        if depth < self.max_depth:
            return self.r.randrange(len(nodes))
        heights = list(map(self.height, nodes))
        return self.r.choice([n for n, h in enumerate(heights) if h == min(heights)])

    def repeat(self, where, kind, inner, depth):
        most = 1 if kind == "opt" else 3
        n = self.r.randint(0, most) if self.r.random() < (.8 if depth < self.max_depth else .2) else 0
        self.use(where + ("?" if kind == "opt" else "*"), min(n, 2))
        for _ in range(n):
            self.expand(where + ".", inner, depth)

    def spelled(self, word):
        if not word[0].isalpha() or self.r.random() < .8:
            return word
        return "".join(self.r.choice((c.lower(), c.upper())) for c in word)

    def terminal(self, name):
        form = self.r.choice(FORMS[name])
        self.use(name, form)
        text = form if isinstance(form, str) else self.r.choice(form)
        if name == "NEW_IDENT":
            self.n_new += 1
            text += str(self.n_new)
        if text:
            self.out.append(text)

    def never_used(self):
        return sorted("%s %s" % point for point, n in self.used.items() if n == 0)


# Words that are functions only where a parenthesis follows, with nothing but blanks between.
FUNCTIONS = set("""rate rate_counter count_over_time bytes_rate bytes_over_time avg_over_time sum_over_time
    min_over_time max_over_time stddev_over_time stdvar_over_time quantile_over_time first_over_time
    last_over_time absent_over_time sum avg min max count stddev stdvar topk bottomk approx_topk sort
    sort_desc vector label_replace bytes duration duration_seconds ip""".split())
SPACES = [" ", "  ", "\n", "\t", " \r\n "]
BLANKS = [*SPACES, " # remark \"x\n", " // remark {\n", "/* a | b */", "# \n#\n"]


def glued(a, b):
    """Whether two tokens would run into each other."""
    return bool(re.match(r"[\w.]", b)) and bool(re.search(r"[\w.µμ]$", a)) or a.startswith("--") and b.startswith("-") \
        or b.startswith("--") and a == "-"


def joined(r, tokens):
    plain = r.random() < .5  # else anything that separates
    tight = r.choice([0, .3, .9])
    text = "" if r.random() < .99 else "\ufeff"
    before = ""
    for token in tokens:
        if before and (glued(before, token) or r.random() > tight):
            of_function = before.lower() in FUNCTIONS or before.lower() in ("by", "without") and token == "("
            blank = " " if plain else r.choice(SPACES if of_function else BLANKS)
            text += blank if text[-1] != "/" else " " + blank
        text += token
        before = token
    return text + (r.choice(BLANKS) if r.random() < .05 else "")
