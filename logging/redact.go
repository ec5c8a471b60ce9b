package logging

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// Mask stands in a log line where a credential was.
const Mask = "***"

// shortestLiteral is the length below which a configured secret is not searched for
// in free text: masking every "a" would destroy the log and hide nothing.
const shortestLiteral = 4

// sensitiveNames are field, header and map names whose value is never written,
// lower case with "-" for "_".
var sensitiveNames = withCredentials(map[string]bool{
	"authorization":              true,
	"proxy-authorization":        true,
	"cookie":                     true,
	"set-cookie":                 true,
	"x-api-key":                  true,
	"sec-websocket-protocol":     true, // some clients carry bearer tokens in it
	"api-key":                    true,
	"apikey":                     true,
	"access-token":               true,
	"token":                      true,
	"secret":                     true,
	"password":                   true,
	"passwd":                     true,
	"signature":                  true,
	"dsn":                        true,
	"query":                      true,
	"raw-query":                  true,
	"rawquery":                   true,
	"execd-access-token":         true,
	"opensandbox-server-api-key": true,
})

// withCredentials adds our own headers.
func withCredentials(names map[string]bool) map[string]bool {
	for _, name := range wire.Credentials {
		names[strings.ToLower(name)] = true
	}
	return names
}

var (
	// queryRule takes the query off anything that looks like a path or URL. It eats up
	// to the next space on purpose: a quote may be part of a query.
	queryRule = regexp.MustCompile(`(/[^\s?]*)\?\S+`)
	// userinfoRule finds the credentials of a URL or DSN.
	userinfoRule = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/]*@`)
	// headerRule finds a dumped header; the rest of its line may be the value.
	headerRule = regexp.MustCompile(`(?i)\b(` + strings.Join(wire.Credentials, "|") + `|proxy-authorization|authorization|set-cookie|cookie)(["'\]]{0,2}\s*[:=]\s*)[^\r\n]+`)
	// assignmentRule finds name=value and "name":"value" pairs of credential names.
	assignmentRule = regexp.MustCompile(`(?i)([a-z0-9_.-]*(?:api[_-]?key|token|secret|password|passwd)(?:=|["']\s*:\s*["']))[^\s"',;&]+`)
	bearerRule     = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}`)
	// labelSignatureRule and pathSignatureRule find the signature of a route token in a
	// host label or header value, and in a path (contract 04 §3.1). What is no token for a
	// wrong expiry or a letter too many may still hold a signature that is good, so all
	// that looks like one counts. A UUID is none: the first rule matches it whole.
	labelSignatureRule = regexp.MustCompile(`(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|-[0-9]{1,6}-[0-9a-z]{0,20}-[0-9a-f]{8}[0-9a-z]*`)
	pathSignatureRule  = regexp.MustCompile(`(?i)(/[0-9]{1,6}/[0-9a-z]{0,20}/)[0-9a-f]{8}[0-9a-z]*`)
)

// Redactor takes credentials out of strings. The zero value applies the rules of
// names and shapes; SetSecrets adds exact values. It is safe for concurrent use.
type Redactor struct {
	literals atomic.Pointer[strings.Replacer]
}

// SetSecrets replaces the set of exact values that are masked wherever they occur:
// API keys, signing keys, passwords. Their URL-escaped and base64 forms are masked
// too. Values shorter than four bytes are ignored.
func (r *Redactor) SetSecrets(values []string) {
	var pairs []string
	for _, v := range values {
		if len(v) < shortestLiteral {
			continue
		}
		for _, form := range []string{
			v, url.QueryEscape(v), url.PathEscape(v),
			base64.StdEncoding.EncodeToString([]byte(v)), base64.RawURLEncoding.EncodeToString([]byte(v)),
		} {
			pairs = append(pairs, form, Mask)
		}
	}
	if len(pairs) == 0 {
		r.literals.Store(nil)
		return
	}
	r.literals.Store(strings.NewReplacer(pairs...))
}

// Sensitive reports whether a field, header or map member of this name is masked whole.
func (r *Redactor) Sensitive(name string) bool {
	return sensitiveNames[strings.ReplaceAll(strings.ToLower(name), "_", "-")]
}

// URI masks the query and the signature of a request target.
func (r *Redactor) URI(s string) string {
	path, _, cut := strings.Cut(s, "?")
	path = r.Text(path)
	if cut {
		return path + "?" + Mask
	}
	return path
}

// Text masks what looks like a credential inside free text: URLs with a query or
// userinfo, dumped headers, assignments, route signatures, and the exact secrets.
// A credential that is percent-encoded, in whole or in part, is found as well; the text
// is then returned decoded.
func (r *Redactor) Text(s string) string {
	s = r.shapes(r.exact(s))
	if strings.Contains(s, "?") && strings.Contains(s, "/") {
		s = queryRule.ReplaceAllString(s, "$1?"+Mask)
	}
	for plain, round := s, 0; round < maxDecoding && strings.Contains(plain, "%"); round++ {
		decoded := unescape(plain)
		if decoded == plain {
			break
		}
		if masked := r.shapes(r.exact(decoded)); masked != decoded {
			return masked
		}
		plain = decoded
	}
	return s
}

// maxDecoding is how often a text may have been encoded and is still seen through.
const maxDecoding = 3

// unescape undoes percent-encoding where it is valid and leaves the rest as it is.
func unescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// exact masks the values that SetSecrets named.
func (r *Redactor) exact(s string) string {
	if literals := r.literals.Load(); literals != nil {
		return literals.Replace(s)
	}
	return s
}

// shapes masks what looks like a credential. The cheap look before each rule keeps
// ordinary strings free of regular expressions.
func (r *Redactor) shapes(s string) string {
	if strings.Contains(s, "://") && strings.Contains(s, "@") {
		s = userinfoRule.ReplaceAllString(s, "${1}"+Mask+"@")
	}
	if strings.ContainsAny(s, ":=") {
		s = headerRule.ReplaceAllString(s, "$1$2"+Mask)
		s = assignmentRule.ReplaceAllString(s, "$1"+Mask)
	}
	if strings.Contains(s, " ") {
		s = bearerRule.ReplaceAllString(s, "$1 "+Mask)
	}
	if strings.Count(s, "-") >= 3 {
		s = labelSignatureRule.ReplaceAllStringFunc(s, maskLabel)
	}
	if strings.Count(s, "/") >= 3 {
		s = pathSignatureRule.ReplaceAllString(s, "$1"+Mask)
	}
	return s
}

// maskLabel masks the last part of a route token.
func maskLabel(token string) string {
	if token[0] != '-' {
		return token // a UUID
	}
	return token[:strings.LastIndexByte(token, '-')+1] + Mask
}
