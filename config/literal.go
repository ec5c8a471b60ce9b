package config

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/opensandbox-edge/edge/secret"
)

// literal writes what a key's pointer holds as a TOML value. Credentials come out masked.
func literal(target any) string {
	switch t := target.(type) {
	case *string:
		return quote(*t)
	case *secret.Text:
		return quote(t.String())
	case *[]secret.Text:
		masked := make([]string, len(*t))
		for i, s := range *t {
			masked[i] = s.String()
		}
		return literal(&masked)
	case *int:
		return strconv.Itoa(*t)
	case *int64:
		return strconv.FormatInt(*t, 10)
	case *float64:
		return number(*t)
	case *time.Duration:
		if *t%time.Second != 0 {
			return number(t.Seconds())
		}
		return strconv.FormatInt(int64(*t/time.Second), 10)
	case *bool:
		return strconv.FormatBool(*t)
	case *[]string:
		quoted := make([]string, len(*t))
		for i, s := range *t {
			quoted[i] = quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case *[]uint16:
		ports := make([]string, len(*t))
		for i, n := range *t {
			ports[i] = strconv.Itoa(int(n))
		}
		return "[" + strings.Join(ports, ", ") + "]"
	case *map[string]string:
		return literalMap(*t)
	}
	panic(fmt.Sprintf("config: no TOML form for %T", target)) // a mistake in the key table; a test renders every key
}

func literalMap(m map[string]string) string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	pairs := make([]string, len(names))
	for i, name := range names {
		pairs[i] = quote(name) + " = " + quote(m[name])
	}
	if len(pairs) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(pairs, ", ") + " }"
}

func number(f float64) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// defaultLiteral writes a default of the key table; "" when there is none.
func defaultLiteral(k *Key) string {
	switch v := k.Default.(type) {
	case nil:
		return ""
	case string:
		return quote(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		return number(v)
	case bool:
		return strconv.FormatBool(v)
	case []string:
		return literal(&v)
	}
	panic(fmt.Sprintf("config: no TOML form for the default of %s", k.Name))
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
