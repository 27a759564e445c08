// SPDX-License-Identifier: Apache-2.0
/* Answers questions with Grafana's grammar: lezer_probe.mjs FOLDER, where `install` put it.
 * Reads one query a line, in hex, and prints "O TREE" or, where the parser had to repair the text,
 * "E CHARACTER".  TREE is the notation of logql_probe.c, but nothing is folded, and what stood in
 * parentheses is (paren X): the grouping of operators is for the reader to judge. */
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const home = `${process.argv[2]}/node_modules/@grafana/lezer-logql/index.es.js`;
const { parser } = await import(pathToFileURL(home));

let text = '';
const source = (node) => text.slice(node.from, node.to);
const list = (...parts) => `(${parts.filter((p) => p !== '').join(' ')})`;

function children(node) {
  const all = [];
  for (let c = node.firstChild; c; c = c.nextSibling) if (c.name !== 'LineComment') all.push(c);
  return all;
}

const ESCAPES = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, '\\': 92, '"': 34 };

/* The bytes of a string literal: ours is read once more here, by other code. */
function string(node) {
  const body = source(node).slice(1, -1);
  if (source(node)[0] === '`') return 's:' + Buffer.from(body.replaceAll('\r', '')).toString('hex');
  const parts = body.split(/(\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{3}|.))/s).map((part, i) => {
    if (i % 2 === 0) return Buffer.from(part);
    const c = part[1];
    if (c in ESCAPES) return Buffer.from([ESCAPES[c]]);
    const code = parseInt(part.slice(/[xuU]/.test(c) ? 2 : 1), c < '8' ? 8 : 16);
    if (part.length === 2 || code > 0x10ffff) return Buffer.from(part); // it takes what is no escape
    return Buffer.from(c === 'u' || c === 'U' ? String.fromCodePoint(code) : [code]);
  });
  return 's:' + Buffer.concat(parts).toString('hex');
}

const NANOSECONDS = {
  y: 31536000000000000n, w: 604800000000000n, d: 86400000000000n, h: 3600000000000n, m: 60000000000n,
  s: 1000000000n, ms: 1000000n, us: 1000n, 'µs': 1000n, ns: 1n,
};

function duration(node) {
  let sum = 0n;
  for (const [, whole, , fraction = '', unit] of source(node).matchAll(/(\d+)(\.(\d+))?([a-zµ]+)/g))
    sum += BigInt(whole) * NANOSECONDS[unit] + (BigInt(fraction || 0) * NANOSECONDS[unit]) / 10n ** BigInt(fraction.length);
  return `d:${source(node)[0] === '-' ? -sum : sum}`;
}

function bytes(node) {
  const [, n, letter, binary] = /^([\d.]+)([kKMGTP]?)(i?)B$/.exec(source(node));
  return `b:${BigInt(Math.floor(Number(n) * (binary ? 1024 : 1000) ** ' KMGTP'.indexOf(letter.toUpperCase() || ' ')))}`;
}

/* Number() would read 0x10, which LogQL has not, and not know what the rest of this notation is. */
const number = (node) => `n:${Number(source(node))}`;

function literal(node) {
  const [first, second] = children(node);
  return second ? (first.name === 'Sub' ? number(second).replace('n:', 'n:-') : number(second)) : number(first);
}

function matcher(node) {
  const [name, op, value] = children(node);
  return list(source(name), source(op), string(value));
}

const first = (node) => children(node)[0];
const last = (node) => children(node).at(-1);

/* All nodes of a kind below a left-recursive list, in order. */
function flat(node, kind) {
  return children(node).flatMap((c) => (c.name === kind ? [c] : c.name === node.name ? flat(c, kind) : []));
}

/* LineFilters nest in several ways; in the order of the text they are plain. */
function lineFilters(node) {
  const filters = [];
  let ip = false;
  const walk = (n) => {
    if (n.name === 'Filter') filters.push(['line', source(n)]);
    else if (n.name === 'FilterOp') ip = true;
    else if (n.name === 'String') {
      filters.at(-1).push(ip ? list('ip', string(n)) : string(n));
      ip = false;
    } else children(n).forEach(walk);
  };
  walk(node);
  return filters.map((f) => list(...f));
}

function comparison(node) {
  const [name, op, value] = children(node);
  const read = { Duration: duration, Bytes: bytes, LiteralExpr: literal }[value.name];
  return list(source(name), op.name === 'Eq' ? '==' : source(op), read(value));
}

function labelFilter(node) {
  const parts = children(node);
  const filters = parts.filter((p) => p.name === 'LabelFilter');
  if (filters.length === 2) {
    const op = parts.find((p) => p.name === 'And' || p.name === 'Or');
    return list(op ? op.name.toLowerCase() : ',', ...filters.map(labelFilter));
  }
  if (filters.length === 1) return list('paren', labelFilter(filters[0]));
  const [only] = parts;
  if (only.name === 'Matcher') return matcher(only);
  if (only.name === 'IpLabelFilter') {
    const [name, op, , value] = children(only);
    return list(source(name), source(op), 'ip', string(value));
  }
  return comparison(only.name === 'UnitFilter' ? first(only) : only);
}

function named(kind, node) {
  return flat(node, kind).map((n) => (first(n).name === 'Matcher' ? matcher(first(n)) : source(n)));
}

function extractions(node) {
  return flat(node, 'LabelExtractionExpression').map((x) => {
    const [name, , value] = children(x);
    return value ? list(source(name), string(value)) : source(name);
  });
}

function flags(node) {
  const words = flat(node, 'ParserFlag').map(source);
  return ['--strict', '--keep-empty'].filter((f) => words.includes(f));
}

const STAGES = {
  LabelParser: (parts) => list(parts[0].name.toLowerCase(), ...parts.slice(1).map(string)),
  JsonExpressionParser: (parts) => list('json', ...extractions(parts[1])),
  LogfmtParser: (parts) => list('logfmt', ...parts.slice(1).flatMap(flags)),
  LogfmtExpressionParser: (parts) =>
    list('logfmt', ...parts.slice(1, -1).flatMap(flags), ...extractions(parts.at(-1))),
  LineFormatExpr: (parts) => list('line_format', string(parts[1])),
  LabelFormatExpr: (parts) =>
    list('label_format', ...flat(parts[1], 'LabelFormatMatcher').map((m) => {
      const [dst, , src] = children(m);
      return list(source(dst), src.name === 'String' ? string(src) : source(src));
    })),
  DecolorizeExpr: () => list('decolorize'),
  DropLabelsExpr: (parts) => list('drop', ...named('DropLabel', parts[1])),
  KeepLabelsExpr: (parts) => list('keep', ...named('KeepLabel', parts[1])),
};

function stage(node) {
  const what = last(node);
  if (what.name === 'LineFilters') return lineFilters(what);
  if (what.name === 'LabelFilter') return [list('filter', labelFilter(what))];
  return [STAGES[what.name](children(what))];
}

/* Selector, pipeline and what stands around them, in any order. */
function log(parts) {
  const find = (name) => parts.filter((p) => p.name === name);
  const matchers = find('Selector').flatMap((s) => flat(first(s), 'Matcher').map(matcher));
  const stages = find('PipelineExpr').flatMap((p) => flat(p, 'PipelineStage').flatMap(stage));
  return list('log', list(...matchers), ...stages);
}

function unwrap(node) {
  const parts = children(node);
  if (parts[0].name === 'UnwrapExpr') return [...unwrap(parts[0]), labelFilter(parts[2])];
  const conversion = parts.find((p) => p.name === 'ConvOp');
  return ['unwrap', conversion ? source(conversion) : 'none', source(parts.at(-1))];
}

function names(node, kind) {
  return flat(node, kind).map(source);
}

function grouping(node) {
  const [word, labels] = children(node);
  return list(word.name.toLowerCase(), ...(labels ? names(labels, 'Identifier') : []));
}

function rangeAggregation(parts) {
  const find = (name) => parts.find((p) => p.name === name);
  let range = find('LogRangeExpr');
  while (first(range).name === 'LogRangeExpr') range = first(range);
  const inner = children(range);
  const offset = inner.find((p) => p.name === 'OffsetExpr'), unwrapped = inner.find((p) => p.name === 'UnwrapExpr');
  return list('range', source(find('RangeOp')).toLowerCase(), find('Number') ? number(find('Number')) : '', log(inner),
    unwrapped ? list(...unwrap(unwrapped)) : '', duration(first(inner.find((p) => p.name === 'Range'))),
    offset ? duration(last(offset)) : 'd:0', find('Grouping') ? grouping(find('Grouping')) : '');
}

function vectorAggregation(parts) {
  const find = (name) => parts.find((p) => p.name === name);
  return list('agg', source(find('VectorOp')).toLowerCase(), find('Number') ? number(find('Number')) : '',
    find('Grouping') ? grouping(find('Grouping')) : '', metric(find('MetricExpr')));
}

const labelList = (node) => children(node).flatMap((l) => names(l, 'GroupingLabel'));

function modifier(node) {
  const out = [];
  for (const [i, p] of children(node).entries()) {
    if (p.name === 'Bool') out.push('bool');
    if (p.name === 'OnOrIgnoringModifier') out.push(list(first(p).name.toLowerCase(), ...labelList(last(p))));
    if (p.name === 'GroupLeft' || p.name === 'GroupRight') {
      const given = children(node)[i + 1];
      out.push(list(p.name === 'GroupLeft' ? 'group_left' : 'group_right', ...(given ? labelList(given) : [])));
    }
  }
  return out;
}

const METRICS = {
  RangeAggregationExpr: rangeAggregation,
  VectorAggregationExpr: vectorAggregation,
  BinOpExpr: ([left, op, mod, right]) =>
    list('bin', source(op).toLowerCase(), ...modifier(mod), expression(left), expression(right)),
  LiteralExpr: (parts, node) => literal(node),
  LabelReplaceExpr: (parts) => list('label_replace', metric(parts[1]), ...parts.slice(2).map(string)),
  VectorExpr: (parts) => list('vector', number(parts[1])),
  MetricExpr: (parts, node) => list('paren', metric(node)),
};

function metric(node) {
  const what = first(node);
  return METRICS[what.name] ? METRICS[what.name](children(what), what) : list('other', what.name);
}

function expression(node) {
  let what = first(node);
  if (what.name === 'MetricExpr') return metric(what);
  while (first(what).name === 'LogExpr') what = first(what);
  return log(children(what));
}

function answer(query) {
  text = query;
  const tree = parser.parse(text);
  let wrong = -1;
  tree.iterate({ enter: (n) => { if (n.type.isError && wrong < 0) wrong = n.from; } });
  return wrong >= 0 ? `E ${wrong}` : `O ${expression(first(tree.topNode))}`;
}

const out = [];
for await (const line of createInterface({ input: process.stdin }))
  out.push(answer(Buffer.from(line, 'hex').toString()));
process.stdout.write(out.join('\n') + '\n');
