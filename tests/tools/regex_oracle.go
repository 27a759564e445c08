// SPDX-License-Identifier: Apache-2.0

// Command regex_oracle answers the questions of regex_diff.py with Go's own regexp package; the
// protocol is described there.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"regexp/syntax"
	"strings"
)

func unhex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func compile(mode, pattern string) (*regexp.Regexp, error) {
	switch mode {
	case "full":
		return regexp.Compile("^(?:" + pattern + ")$")
	case "dotall":
		if _, err := syntax.Parse(pattern, syntax.Perl|syntax.DotNL); err != nil {
			return nil, err
		}
		return regexp.Compile("^(?s:" + pattern + ")$")
	}
	return regexp.Compile(pattern)
}

func findLines(re *regexp.Regexp, block string) string {
	var out []string
	at := 0
	for at < len(block) {
		end := strings.IndexByte(block[at:], '\n')
		if end < 0 {
			end = len(block) - at
		}
		if re.MatchString(block[at : at+end]) {
			out = append(out, fmt.Sprint(at))
		}
		at += end + 1
	}
	return strings.Join(out, " ")
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	var re *regexp.Regexp
	for in.Scan() {
		f := strings.Split(in.Text(), " ")
		if f[0] == "P" {
			var err error
			re, err = compile(f[1], unhex(f[2]))
			if err != nil {
				re = nil
				fmt.Fprintf(out, "E %s\n", hex.EncodeToString([]byte(err.Error())))
			} else {
				fmt.Fprintf(out, "P %s\n", strings.Join(re.SubexpNames(), ","))
			}
			continue
		}
		if re == nil {
			fmt.Fprintln(out, "-")
			continue
		}
		text := unhex(f[1])
		switch f[0] {
		case "T":
			m := re.FindStringSubmatchIndex(text)
			fmt.Fprintf(out, "T%s\n", strings.Trim(strings.ReplaceAll(fmt.Sprint(m), "-1", "x"), "[]"))
		case "A":
			var all []string
			for _, m := range re.FindAllStringSubmatchIndex(text, -1) {
				all = append(all, strings.Trim(strings.ReplaceAll(fmt.Sprint(m), "-1", "x"), "[]"))
			}
			fmt.Fprintf(out, "A %s\n", strings.Join(all, "|"))
		case "Q":
			fmt.Fprintf(out, "Q %s\n", hex.EncodeToString([]byte(regexp.QuoteMeta(text))))
		case "C":
			fmt.Fprintf(out, "C %d\n", len(re.FindAllStringIndex(text, -1)))
		case "R":
			fmt.Fprintf(out, "R %s %s\n", hex.EncodeToString([]byte(re.ReplaceAllString(text, unhex(f[2])))),
				hex.EncodeToString([]byte(re.ReplaceAllLiteralString(text, unhex(f[2])))))
		case "L":
			fmt.Fprintf(out, "L%s\n", findLines(re, text))
		}
	}
}
