// SPDX-License-Identifier: Apache-2.0

// Command template_oracle answers the questions of template_diff.py with Go's own text/template; the
// protocol is described there.  Of the functions only those stand here whose meaning is Go's library.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"
)

const line = "the l\u00efne \xff with bytes"

var timestamp = time.Unix(0, 1700000000123456789).UTC()

func indent(n int, s string) string {
	pad := strings.Repeat(" ", n)
	return pad + strings.Replace(s, "\n", "\n"+pad, -1)
}

func trunc(n int, s string) string {
	if n < 0 && len(s)+n > 0 {
		return s[len(s)+n:]
	}
	if n >= 0 && len(s) > n {
		return s[:n]
	}
	return s
}

func substr(start, end int, s string) string {
	if start < 0 {
		return s[:end]
	}
	if end < 0 || end > len(s) {
		return s[start:]
	}
	return s[start:end]
}

func alignLeft(n int, s string) string {
	have := utf8.RuneCountInString(s)
	if n < 0 || n == have {
		return s
	}
	if have < n {
		return s + strings.Repeat(" ", n-have)
	}
	return string([]rune(s)[:n])
}

func alignRight(n int, s string) string {
	have := utf8.RuneCountInString(s)
	if n < 0 || n == have {
		return s
	}
	if have < n {
		return strings.Repeat(" ", n-have) + s
	}
	return string([]rune(s)[have-n:])
}

func fromJSON(s string) interface{} {
	var v interface{}
	json.Unmarshal([]byte(s), &v)
	return v
}

func date(layout string, when interface{}) string {
	switch t := when.(type) {
	case time.Time:
		return t.In(time.Local).Format(layout)
	case int64:
		return time.Unix(t, 0).In(time.Local).Format(layout)
	case int:
		return time.Unix(int64(t), 0).In(time.Local).Format(layout)
	}
	return "?"
}

func toDate(layout, s string) time.Time {
	t, _ := time.ParseInLocation(layout, s, time.Local)
	return t
}

func fold(first int64, rest []int64, f func(a, b int64) int64) int64 {
	for _, v := range rest {
		first = f(first, v)
	}
	return first
}

// real reads what the server takes for a number with decimals; anything else is 0.
func real(v interface{}) float64 {
	switch t := v.(type) {
	case bool:
		if t {
			return 1
		}
		return 0
	case string:
		f, err := strconv.ParseFloat(t, 64)
		if err != nil {
			return 0
		}
		return f
	case int:
		return float64(t)
	case int64:
		return float64(t)
	case uint8:
		return float64(t)
	case float64:
		return t
	}
	return 0
}

// decimal folds the shortest decimals of its operands exactly; a quotient has 16 decimals.
func decimal(v []interface{}, op func(a, b *big.Rat) *big.Rat) (result float64, err error) {
	if len(v) == 0 {
		return 0, nil
	}
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("not a decimal")
		}
	}()
	rat := func(v interface{}) *big.Rat {
		r, ok := new(big.Rat).SetString(strconv.FormatFloat(real(v), 'g', -1, 64))
		if !ok {
			panic("NaN or Inf")
		}
		return r
	}
	a := rat(v[0])
	for _, x := range v[1:] {
		a = op(a, rat(x))
	}
	f, _ := a.Float64()
	return f, nil
}

func quotient(a, b *big.Rat) *big.Rat {
	if b.Sign() == 0 {
		panic("decimal division by 0")
	}
	r, _ := new(big.Rat).SetString(new(big.Rat).Quo(a, b).FloatString(16))
	return r
}

func foldReal(v []interface{}, op func(a, b float64) float64) float64 {
	f := real(v[0])
	for _, x := range v[1:] {
		f = op(f, real(x))
	}
	return f
}

func round(v interface{}, places int, on ...float64) float64 {
	limit := .5
	if len(on) > 0 {
		limit = on[0]
	}
	scale := math.Pow(10, float64(places))
	scaled := real(v) * scale
	if _, fraction := math.Modf(scaled); fraction >= limit {
		return math.Ceil(scaled) / scale
	}
	return math.Floor(scaled) / scale
}

func seconds(s string) (float64, error) {
	d, err := time.ParseDuration(s)
	return d.Seconds(), err
}

func unixToTime(s string) (time.Time, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	unit := map[int]time.Duration{5: 24 * time.Hour, 10: time.Second, 13: time.Millisecond, 16: time.Microsecond, 19: 1}[len(s)]
	if err != nil || unit == 0 {
		return time.Time{}, fmt.Errorf("unable to parse time %q", s)
	}
	return time.Unix(0, n*int64(unit)), nil
}

func b64dec(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if plain := strings.TrimRight(s, "="); err != nil {
		b, err = base64.RawStdEncoding.DecodeString(plain)
	}
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func either(d interface{}, v ...interface{}) interface{} {
	if len(v) > 0 && v[0] != nil {
		if truth, _ := template.IsTrue(v[0]); truth {
			return v[0]
		}
	}
	return d
}

var decimals = regexp.MustCompile(`^([+-]?\d+)\.\d*$`)

// The variadic ones take anything in the server; the generator gives them whole numbers only.
func whole(v interface{}) int64 {
	switch t := v.(type) {
	case bool:
		if t {
			return 1
		}
	case float64:
		return int64(t)
	}
	if s, ok := v.(string); ok && strings.TrimSpace(s) != s {
		return 0
	}
	n, err := strconv.ParseInt(decimals.ReplaceAllString(fmt.Sprint(v), "$1"), 0, 64)
	if err != nil {
		return 0
	}
	return n
}

func wholes(v []interface{}) []int64 {
	out := make([]int64, len(v))
	for i := range v {
		out[i] = whole(v[i])
	}
	return out
}

var functions = template.FuncMap{
	"__line__":      func() string { return line },
	"__timestamp__": func() time.Time { return timestamp },
	"ToLower":       strings.ToLower, "ToUpper": strings.ToUpper,
	"lower": strings.ToLower, "upper": strings.ToUpper,
	"Replace": strings.Replace,
	"replace": func(o, n, s string) string { return strings.Replace(s, o, n, -1) },
	"Trim":    strings.Trim, "TrimLeft": strings.TrimLeft, "TrimRight": strings.TrimRight,
	"TrimPrefix": strings.TrimPrefix, "TrimSuffix": strings.TrimSuffix, "TrimSpace": strings.TrimSpace,
	"trim":       strings.TrimSpace,
	"trimAll":    func(c, s string) string { return strings.Trim(s, c) },
	"trimPrefix": func(p, s string) string { return strings.TrimPrefix(s, p) },
	"trimSuffix": func(p, s string) string { return strings.TrimSuffix(s, p) },
	"contains":   func(p, s string) bool { return strings.Contains(s, p) },
	"hasPrefix":  func(p, s string) bool { return strings.HasPrefix(s, p) },
	"hasSuffix":  func(p, s string) bool { return strings.HasSuffix(s, p) },
	"repeat":     func(n int, s string) string { return strings.Repeat(s, n) },
	"indent":     indent,
	"nindent":    func(n int, s string) string { return "\n" + indent(n, s) },
	"trunc":      trunc, "substr": substr, "alignLeft": alignLeft, "alignRight": alignRight,
	"count": func(re, s string) (int, error) {
		r, err := regexp.Compile(re)
		if err != nil {
			return 0, err
		}
		return len(r.FindAllStringIndex(s, -1)), nil
	},
	"regexReplaceAll": func(re, s, repl string) (string, error) {
		r, err := regexp.Compile(re)
		if err != nil {
			return "", err
		}
		return r.ReplaceAllString(s, repl), nil
	},
	"regexReplaceAllLiteral": func(re, s, repl string) (string, error) {
		r, err := regexp.Compile(re)
		if err != nil {
			return "", err
		}
		return r.ReplaceAllLiteralString(s, repl), nil
	},
	"urlencode": url.QueryEscape, "urldecode": url.QueryUnescape,
	"b64enc":   func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"fromJson": fromJSON,
	"date":     date, "toDate": toDate,
	"toDateInZone": func(layout, zone, s string) time.Time {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			loc, _ = time.LoadLocation("UTC")
		}
		t, _ := time.ParseInLocation(layout, s, loc)
		return t
	},
	"unixEpoch":       func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) },
	"unixEpochMillis": func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) },
	"unixEpochNanos":  func(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) },
	"add":             func(v ...interface{}) int64 { return fold(0, wholes(v), func(a, b int64) int64 { return a + b }) },
	"sub":             func(a, b interface{}) int64 { return whole(a) - whole(b) },
	"mul": func(a interface{}, v ...interface{}) int64 {
		return fold(whole(a), wholes(v), func(a, b int64) int64 { return a * b })
	},
	"div": func(a, b interface{}) int64 { return whole(a) / whole(b) },
	"mod": func(a, b interface{}) int64 { return whole(a) % whole(b) },
	"max": func(a interface{}, v ...interface{}) int64 {
		return fold(whole(a), wholes(v), func(a, b int64) int64 {
			if b > a {
				return b
			}
			return a
		})
	},
	"min": func(a interface{}, v ...interface{}) int64 {
		return fold(whole(a), wholes(v), func(a, b int64) int64 {
			if b < a {
				return b
			}
			return a
		})
	},
	"int":              func(v interface{}) int { return int(whole(v)) },
	"float64":          real,
	"ceil":             func(v interface{}) float64 { return math.Ceil(real(v)) },
	"floor":            func(v interface{}) float64 { return math.Floor(real(v)) },
	"round":            round,
	"duration":         seconds,
	"duration_seconds": seconds,
	"unixToTime":       unixToTime,
	"b64dec":           b64dec,
	"default":          either,
	"title":            strings.Title,
	"addf": func(v ...interface{}) (float64, error) {
		return decimal(v, func(a, b *big.Rat) *big.Rat { return a.Add(a, b) })
	},
	"subf": func(a interface{}, v ...interface{}) (float64, error) {
		return decimal(append([]interface{}{a}, v...), func(a, b *big.Rat) *big.Rat { return a.Sub(a, b) })
	},
	"mulf": func(a interface{}, v ...interface{}) (float64, error) {
		return decimal(append([]interface{}{a}, v...), func(a, b *big.Rat) *big.Rat { return a.Mul(a, b) })
	},
	"divf": func(a interface{}, v ...interface{}) (float64, error) {
		return decimal(append([]interface{}{a}, v...), quotient)
	},
	"maxf": func(a interface{}, v ...interface{}) float64 {
		return foldReal(append([]interface{}{a}, v...), math.Max)
	},
	"minf": func(a interface{}, v ...interface{}) float64 {
		return foldReal(append([]interface{}{a}, v...), math.Min)
	},
}

func unhex(s string) string {
	if s == "-" {
		return ""
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func answer(text string, data map[string]string) (kind, result string) {
	t, err := template.New("line").Option("missingkey=zero").Funcs(functions).Parse(text)
	if err != nil {
		return "P", err.Error()
	}
	var out strings.Builder
	if err := t.Execute(&out, data); err != nil {
		return "E", err.Error()
	}
	return "O", out.String()
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	data := map[string]string{}
	for in.Scan() {
		f := strings.Split(in.Text(), " ")
		if f[0] == "D" {
			data = map[string]string{}
			for i := 1; i+1 < len(f); i += 2 {
				data[unhex(f[i])] = unhex(f[i+1])
			}
			fmt.Fprintln(out, "D")
			continue
		}
		kind, result := answer(unhex(f[1]), data)
		fmt.Fprintf(out, "%s %s\n", kind, hex.EncodeToString([]byte(result)))
	}
}
