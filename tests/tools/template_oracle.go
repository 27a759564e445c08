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
	"Replace":   strings.Replace,
	"replace":   func(o, n, s string) string { return strings.Replace(s, o, n, -1) },
	"Trim":      strings.Trim, "TrimLeft": strings.TrimLeft, "TrimRight": strings.TrimRight,
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
	"int":     func(v interface{}) int { return int(whole(v)) },
	"float64": func(v interface{}) float64 { f, _ := strconv.ParseFloat(fmt.Sprint(v), 64); return f },
	"ceil":    func(v interface{}) float64 { f, _ := strconv.ParseFloat(fmt.Sprint(v), 64); return math.Ceil(f) },
	"floor":   func(v interface{}) float64 { f, _ := strconv.ParseFloat(fmt.Sprint(v), 64); return math.Floor(f) },
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
