package auth

import (
	"net/http"
	"slices"
	"strings"
)

// CORS answers cross-origin questions: any origin may read answers, none with
// credentials, except the origins that the operator listed (threat row W1). A nil CORS
// adds nothing, which is the rule of a server without a key (W2).
type CORS struct{ origins []string }

// NewCORS makes a policy. origins are trusted with credentials, e.g. "https://console.example.com".
func NewCORS(origins ...string) *CORS {
	lower := make([]string, len(origins))
	for i, o := range origins {
		lower[i] = strings.ToLower(strings.TrimSuffix(o, "/"))
	}
	return &CORS{origins: lower}
}

// Trusts tells whether the operator lets pages of an origin use credentials.
func (c *CORS) Trusts(origin string) bool {
	return c != nil && slices.Contains(c.origins, strings.ToLower(origin))
}

// IsPreflight reports whether a browser asks for permission before a request.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != ""
}

// Apply removes cross-origin headers that others set on h and sets ours if the request
// has an Origin.
func (c *CORS) Apply(h http.Header, r *http.Request) {
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
	if c == nil {
		return
	}
	origin := r.Header.Get("Origin")
	if len(c.origins) > 0 {
		addVary(h, "Origin")
	}
	if origin == "" {
		return
	}
	if c.Trusts(origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		return
	}
	h.Set("Access-Control-Allow-Origin", "*")
}

// Preflight answers a preflight as contract 01 §5.3 says, for any requested headers.
func (c *CORS) Preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	c.Apply(h, r)
	if c != nil {
		h.Set("Access-Control-Allow-Methods", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
		h.Set("Access-Control-Max-Age", "600")
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
			addVary(h, "Access-Control-Request-Headers")
		}
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte("OK"))
}

func addVary(h http.Header, name string) {
	for _, v := range h["Vary"] {
		if strings.EqualFold(v, name) {
			return
		}
	}
	h.Add("Vary", name)
}
