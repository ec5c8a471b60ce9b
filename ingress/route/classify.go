package route

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// Classify decides what a request is for. It is pure, never panics, and allocates
// nothing for unsigned routes in plain spelling.
func (t *Table) Classify(r Request) Verdict {
	authority, ok := readAuthority(r)
	if !ok {
		return Verdict{Err: errAuthority}
	}
	if !httpguts.ValidHeaderFieldName(r.Method) { // a token, as the name of a method is
		return Verdict{Err: errBadMethod} // HTTP/2 hands over any text
	}
	// Plain CONNECT and TRACE are refused before routing: no proxy core has to know how
	// they desynchronise a pooled connection (threat row B3).
	connect := r.Method == http.MethodConnect
	if r.Method == http.MethodTrace || (connect && r.Protocol == "") {
		return Verdict{Err: errMethod}
	}
	if r.Protocol != "" && !(connect && strings.EqualFold(r.Protocol, "websocket")) {
		return Verdict{Err: errProtocol}
	}
	if len(r.IngressTo) > 1 || len(r.IngressToLegacy) > 1 {
		return Verdict{Err: errRepeatedHeader}
	}
	if !legalTarget(r.Path) {
		return Verdict{Err: errPath}
	}

	v := t.classifyHost(authority, r)
	if connect && v.Err == nil && v.Class != Proxy && v.Class != Gateway {
		return Verdict{Err: errMethod} // WebSockets are the sandboxes' alone
	}
	return v
}

// classifyHost: what a path or a header means depends on the host (threat row R3).
func (t *Table) classifyHost(authority Authority, r Request) Verdict {
	switch kind, label := t.kind(authority); kind {
	case sandboxHost:
		return classifyLabel(label, r.Path)
	case gatewayHost:
		return t.classifyGateway(r)
	case apiHost:
		return t.classifyAPI(r)
	default:
		// Probes address a server by whatever name they have for it.
		if probePath(r.Path) {
			return Verdict{Class: Public}
		}
		return Verdict{Err: errMisdirected}
	}
}

// classifyLabel: under the wildcard base there is a sandbox or nothing (threat row R3).
func classifyLabel(label, path string) Verdict {
	tok, ok := parseToken(label)
	if !ok {
		return Verdict{Err: errHostRoute}
	}
	return gateway(FormWildcard, tok, path, "")
}

// classifyAPI: only the exact proxy shape wins over a routing header. If any API path
// did, a sandbox could redirect a client that sends both its routing header and the
// API key to the API.
func (t *Table) classifyAPI(r Request) Verdict {
	v, shaped := classifyProxy(r.Path)
	if shaped && v.Err == nil {
		return v
	}
	if value := t.routingHeader(r); value != "" {
		return classifyHeader(value, r.Path)
	}
	if shaped {
		return v
	}
	first, rest := nextSegment(r.Path)
	root, ok := decodeSegment(first)
	if !ok {
		return Verdict{Err: errPath}
	}
	if !wire.ReservedRoot(root) {
		if v, ok := t.classifyURI(r.Path); ok {
			return v
		}
	}
	if !unambiguous(rest) {
		return Verdict{Err: errPath}
	}
	switch {
	case publicPath(r.Path):
		return Verdict{Class: Public}
	case wire.ReservedRoot(root):
		return Verdict{Class: API}
	}
	return Verdict{}
}

// classifyGateway serves hosts without an API: a request that names no sandbox is an error there.
func (t *Table) classifyGateway(r Request) Verdict {
	if value := t.routingHeader(r); value != "" {
		return classifyHeader(value, r.Path)
	}
	if v, ok := t.classifyURI(r.Path); ok {
		return v
	}
	if probePath(r.Path) {
		return Verdict{Class: Public}
	}
	return Verdict{Err: errNoRoute}
}

func (t *Table) routingHeader(r Request) string {
	if !t.header {
		return ""
	}
	if len(r.IngressTo) == 1 && r.IngressTo[0] != "" {
		return r.IngressTo[0]
	}
	if len(r.IngressToLegacy) == 1 {
		return r.IngressToLegacy[0]
	}
	return ""
}

func classifyHeader(value, path string) Verdict {
	tok, ok := parseHeaderToken(value)
	if !ok {
		return Verdict{Err: errHeaderRoute}
	}
	return gateway(FormHeader, tok, path, "")
}

// classifyProxy recognises [/v1]/sandboxes/{id}/proxy/{port}[/rest]. shaped is false
// for every other path, which includes a port that is no number (contract 01 §2) and
// an id outside the grammar: those stay API paths and need the key.
func classifyProxy(path string) (v Verdict, shaped bool) {
	segment, rest := nextSegment(path)
	if segment == "v1" {
		segment, rest = nextSegment(rest)
	}
	if segment != "sandboxes" {
		return Verdict{}, false
	}
	segment, rest = nextSegment(rest)
	id, ok := decodeSegment(segment)
	if !ok || !wire.ValidID(id) {
		return Verdict{}, false
	}
	if segment, rest = nextSegment(rest); segment != "proxy" {
		return Verdict{}, false
	}
	segment, rest = nextSegment(rest)
	if !isNumber(segment) {
		return Verdict{}, false
	}
	port, ok := parsePort(segment)
	if !ok {
		return Verdict{Err: errPort}, true
	}
	return Verdict{
		Class: Proxy, Form: FormDirect, SandboxID: id, Port: port,
		Path: orRoot(rest), Prefix: path[:len(path)-len(rest)],
	}, true
}

// classifyURI recognises [prefix]/{id}/{port}[/{expires}/{signature}][/rest].
func (t *Table) classifyURI(path string) (v Verdict, matched bool) {
	if !t.uri {
		return Verdict{}, false
	}
	below, ok := strings.CutPrefix(path, t.uriPrefix)
	if !ok || below == "" || below[0] != '/' {
		return Verdict{}, false
	}
	segment, rest := nextSegment(below)
	id, ok := decodeSegment(segment)
	if !ok {
		return Verdict{Err: errPath}, true
	}
	if !wire.ValidID(id) {
		return Verdict{}, false
	}
	segment, rest = nextSegment(rest)
	port, ok := parsePort(segment)
	if !ok {
		if isNumber(segment) {
			return Verdict{Err: errPort}, true
		}
		return Verdict{}, false
	}
	tok := token{id: id, port: port}
	plain := reading{prefix: path[:len(path)-len(rest)], path: orRoot(rest)}
	if expires, after := nextSegment(rest); validExpiry(expires) {
		if signature, after := nextSegment(after); validSignature(signature) {
			tok.expires, tok.signature = expires, signature
			v := gateway(FormURI, tok, orRoot(after), path[:len(path)-len(after)])
			v.plain = plain
			return v, true
		}
	}
	return gateway(FormURI, tok, plain.path, plain.prefix), true
}

func gateway(form Form, tok token, path, prefix string) Verdict {
	return Verdict{
		Class: Gateway, Form: form, SandboxID: tok.id, Port: tok.port,
		Path: path, Prefix: prefix,
		ExpiresB36: tok.expires, Signature: tok.signature,
	}
}
