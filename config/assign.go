package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/opensandbox-edge/edge/secret"
)

// fromDefault turns a default of the key table into what a TOML document would hold.
func fromDefault(v any) any {
	switch x := v.(type) {
	case int:
		return int64(x)
	case []string:
		out := make([]any, len(x))
		for i, s := range x {
			out[i] = s
		}
		return out
	}
	return v
}

// assign checks raw against k and stores it; it returns what is wrong, or "".
func assign(k *Key, target, raw any, home homes) string {
	switch k.Kind {
	case Text, Path, Secret:
		s, ok := raw.(string)
		if !ok {
			return "Input should be a valid string"
		}
		s, message := text(k, s, home)
		if message != "" {
			return message
		}
		if t, isSecret := target.(*secret.Text); isSecret {
			*t = secret.New(s)
			return ""
		}
		*target.(*string) = s
	case Integer:
		return assignInt(k, target, raw)
	case Number:
		return assignNumber(k, target, raw)
	case Boolean:
		b, ok := toBool(raw)
		if !ok {
			return "Input should be a valid boolean"
		}
		*target.(*bool) = b
	case TextList, PathList, SecretList:
		return assignList(k, target, raw, home)
	case PortList:
		return assignPorts(target, raw)
	case TextMap:
		return assignMap(target, raw)
	}
	return ""
}

// text applies the rules for strings. Optional strings that hold only white space count as absent.
func text(k *Key, s string, home homes) (value, message string) {
	if utf8.RuneCountInString(s) < k.MinLength {
		return "", atLeast("String", k.MinLength, "character")
	}
	if strings.TrimSpace(s) == "" && len(k.Enum) == 0 {
		if k.MinLength > 0 {
			return "", "Input should not be blank"
		}
		return "", ""
	}
	if !k.FreeText && strings.ContainsFunc(s, unicode.IsControl) || strings.ContainsRune(s, 0) {
		return "", "Input should not contain control characters"
	}
	if len(k.Enum) > 0 {
		return enum(k, s)
	}
	if k.Kind == Path {
		expanded, err := home.expand(s)
		if err != nil {
			return "", err.Error()
		}
		s = expanded
	}
	if k.check != nil {
		return s, k.check(s)
	}
	return s, ""
}

func enum(k *Key, s string) (value, message string) {
	for _, e := range k.Enum {
		if e == s || k.AnyCase && strings.EqualFold(e, s) {
			return e, ""
		}
	}
	if k.Name == "workload_provider" {
		return "", fmt.Sprintf("Unsupported workload provider type '%s'. Available providers: %s", shown(s), strings.Join(k.Enum, ", "))
	}
	return "", "Input should be " + oneOf(k.Enum)
}

func oneOf(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = "'" + v + "'"
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

func atLeast(what string, n int, unit string) string {
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%s should have at least %d %s", what, n, unit)
}

// maxSeconds keeps a number of seconds inside time.Duration.
const maxSeconds = int64(1<<63-1) / int64(time.Second)

func assignInt(k *Key, target, raw any) string {
	if s, ok := raw.(string); ok && k.Disable && strings.EqualFold(strings.TrimSpace(s), "null") {
		raw = int64(0)
	}
	n, ok := toInt(raw)
	switch {
	case !ok:
		return "Input should be a valid integer"
	case k.Disable && (n == 0 || n == -1):
		n = 0
	case k.Min != nil && n < int64(*k.Min):
		return fmt.Sprintf("Input should be greater than or equal to %d", *k.Min)
	case k.Max != nil && n > int64(*k.Max):
		return fmt.Sprintf("Input should be less than or equal to %d", *k.Max)
	}
	switch t := target.(type) {
	case *int:
		*t = int(n)
		if int64(*t) != n {
			return "Input should be a valid integer"
		}
	case *int64:
		*t = n
	case *time.Duration:
		if n > maxSeconds {
			return fmt.Sprintf("Input should be less than or equal to %d", maxSeconds)
		}
		*t = time.Duration(n) * time.Second
	}
	return ""
}

func assignNumber(k *Key, target, raw any) string {
	f, ok := toFloat(raw)
	switch {
	case !ok:
		return "Input should be a valid number"
	case k.Above != nil && f <= float64(*k.Above):
		return fmt.Sprintf("Input should be greater than %d", *k.Above)
	case k.Min != nil && f < float64(*k.Min):
		return fmt.Sprintf("Input should be greater than or equal to %d", *k.Min)
	}
	switch t := target.(type) {
	case *float64:
		*t = f
	case *time.Duration:
		if f > float64(maxSeconds-1) {
			return fmt.Sprintf("Input should be less than or equal to %d", maxSeconds-1)
		}
		// A positive interval must not round to "no interval".
		*t = max(time.Duration(f*float64(time.Second)), 1)
	}
	return ""
}

func assignList(k *Key, target, raw any, home homes) string {
	list, ok := raw.([]any)
	if !ok {
		return "Input should be a valid list"
	}
	values := make([]string, 0, len(list))
	entry := *k
	entry.Kind = map[Kind]Kind{TextList: Text, PathList: Path, SecretList: Secret}[k.Kind]
	entry.MinLength = 1
	for i, raw := range list {
		s, ok := raw.(string)
		if !ok {
			return fmt.Sprintf("Entry %d: Input should be a valid string", i+1)
		}
		s, message := text(&entry, s, home)
		if message != "" {
			return fmt.Sprintf("Entry %d: %s", i+1, message)
		}
		values = append(values, s)
	}
	if secrets, isSecret := target.(*[]secret.Text); isSecret {
		*secrets = make([]secret.Text, len(values))
		for i, v := range values {
			(*secrets)[i] = secret.New(v)
		}
		return ""
	}
	*target.(*[]string) = values
	return ""
}

func assignPorts(target, raw any) string {
	list, ok := raw.([]any)
	if !ok {
		return "Input should be a valid list"
	}
	ports := make([]uint16, 0, len(list))
	for i, raw := range list {
		n, ok := toInt(raw)
		if !ok || n < 1 || n > 65535 {
			return fmt.Sprintf("Entry %d: Input should be a port, 1 to 65535", i+1)
		}
		ports = append(ports, uint16(n))
	}
	*target.(*[]uint16) = ports
	return ""
}

func assignMap(target, raw any) string {
	table, ok := raw.(map[string]any)
	if !ok {
		return "Input should be a table"
	}
	values := make(map[string]string, len(table))
	for name, raw := range table {
		s, ok := raw.(string)
		if !ok {
			return fmt.Sprintf("%s: Input should be a valid string", shown(name))
		}
		values[name] = s
	}
	*target.(*map[string]string) = values
	return ""
}

// holdsClearText reports whether a key of the file is a credential itself rather
// than the name of a variable that has it.
func holdsClearText(target any) bool {
	clear := func(t secret.Text) bool {
		return !t.IsZero() && !placeholder.MatchString(strings.TrimSpace(t.Reveal()))
	}
	switch t := target.(type) {
	case *secret.Text:
		return clear(*t)
	case *[]secret.Text:
		return slices.ContainsFunc(*t, clear)
	}
	return false
}
