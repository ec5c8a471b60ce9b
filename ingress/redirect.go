package ingress

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// rewriteLocation makes redirects of the application work under its route and refuses
// those that would carry a client's credentials out of it: clients keep custom headers
// across redirects, so a hostile sandbox could have the API key handed out
// (threat rows C1, C4).
func (x *exchange) rewriteLocation(res *http.Response) error {
	// Neither of these makes a program send anything anywhere; they only have to be right,
	// and to keep the upstream's address to themselves.
	for _, name := range []string{"Content-Location", "Refresh"} {
		if values := res.Header[name]; len(values) > 0 {
			res.Header[name] = []string{x.publicTarget(name, values[0])}
		}
	}
	locations := res.Header["Location"]
	if len(locations) == 0 {
		return nil
	}
	guarded := res.StatusCode/100 == 3 && (x.ownDaemon() || x.carriesCredential())
	location := x.publicLocation(locations[0])
	if guarded && (len(locations) > 1 || !x.insideRoute(location)) {
		return errRedirect
	}
	res.Header["Location"] = []string{location}
	return nil
}

// publicTarget translates the address in a Content-Location, or in a Refresh: "5; url=/x".
func (x *exchange) publicTarget(name, value string) string {
	if name != "Refresh" {
		return x.publicLocation(value)
	}
	start := strings.IndexAny(value, ";,") + 1
	if start == 0 {
		return value
	}
	rest := strings.TrimLeft(value[start:], " \t")
	if len(rest) < len("url") || !strings.EqualFold(rest[:len("url")], "url") {
		return value
	}
	rest = strings.TrimLeft(rest[len("url"):], " \t")
	target, ok := strings.CutPrefix(rest, "=")
	if !ok {
		return value
	}
	return value[:start] + " url=" + x.publicLocation(strings.Trim(target, " \t\"'"))
}

// publicLocation translates what the application meant: it believes that it sits at the
// root of the upstream's authority. Anything that is not plainly that stays as it is.
func (x *exchange) publicLocation(location string) string {
	if wire.HasControl(location) {
		return location
	}
	for _, own := range x.ownAuthorities() {
		if rest, ok := cutAuthority(location, own.scheme, own.authority); ok {
			location = rest
			break
		}
	}
	if !isRootRelative(location) || x.route.Prefix == "" || x.underPrefix(location) {
		return location
	}
	return x.route.Prefix + location
}

// origin is a scheme and an authority.
type origin struct{ scheme, authority string }

// ownAuthorities are what the application may take for its own: the upstream's address,
// which is nobody's business, and the client's Host when it is passed on.
func (x *exchange) ownAuthorities() []origin {
	own := []origin{{"http", x.addr.String()}}
	if x.addr.Port() == 80 {
		own = append(own, origin{"http", strings.TrimSuffix(x.addr.String(), ":80")})
	}
	if x.PreserveHost {
		own = append(own, origin{"http", x.decision.Host}, origin{x.decision.Scheme, x.decision.Host})
	}
	return own
}

// cutAuthority removes scheme and authority when they are the given ones. A path that
// would read as another authority is left alone.
func cutAuthority(location, scheme, authority string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(location, scheme+":")
	if !ok {
		rest = location
	}
	if rest, ok = strings.CutPrefix(rest, "//"); !ok {
		return "", false
	}
	if rest, ok = strings.CutPrefix(rest, authority); !ok {
		return "", false
	}
	switch {
	case rest == "" || rest[0] == '?' || rest[0] == '#':
		return "/" + rest, true
	case isRootRelative(rest):
		return rest, true
	case rest[0] == '/':
		return "/." + rest, true // "//x" as a path of this origin (RFC 3986 §4.2)
	}
	return "", false
}

// isRootRelative: one slash, and not the start of an authority in a browser's eyes.
func isRootRelative(location string) bool {
	return strings.HasPrefix(location, "/") &&
		(len(location) == 1 || (location[1] != '/' && location[1] != '\\'))
}

// underPrefix tells locations of applications that know their prefix already.
func (x *exchange) underPrefix(location string) bool {
	rest, ok := strings.CutPrefix(location, x.route.Prefix)
	return ok && (rest == "" || strings.ContainsRune("/?#", rune(rest[0])))
}

// insideRoute tells whether a client that follows location stays on this route. The
// location is resolved as a browser would, and the one classifier says where it leads.
func (x *exchange) insideRoute(location string) bool {
	if wire.HasControl(location) || strings.ContainsAny(location, "\\ ") {
		return false
	}
	target, err := url.Parse(location)
	if err != nil || target.Opaque != "" || target.User != nil {
		return false
	}
	authority, ok := route.ParseAuthority(x.decision.Host)
	if !ok {
		return false
	}
	if target.Scheme != "" && !strings.EqualFold(target.Scheme, x.decision.Scheme) {
		return false
	}
	if target.Host != "" || target.Scheme != "" {
		other, ok := route.ParseAuthority(target.Host)
		if !ok || other.Host != authority.Host || other.PortOf(x.decision.Scheme) != authority.PortOf(x.decision.Scheme) {
			return false
		}
	}
	// Browsers take encoded dots for dots, other clients do not: both must stay inside.
	path := x.resolvePath(target)
	plain, browser := removeDots(path), removeDots(encodedDot.Replace(path))
	// "//x" is a path to some clients, "/x" to others, an authority to the rest.
	if strings.HasPrefix(plain, "//") || strings.HasPrefix(browser, "//") {
		return false
	}
	return x.sameRoute(plain) && x.sameRoute(browser)
}

// resolvePath resolves the target against the request's own path as RFC 3986 §5.2.2
// says, with the dot segments still in it.
func (x *exchange) resolvePath(target *url.URL) string {
	path, base := target.EscapedPath(), x.route.Prefix+x.route.Path
	switch {
	case path == "" && target.Host != "":
		path = "/"
	case path == "":
		path = base
	case path[0] != '/':
		path = base[:strings.LastIndexByte(base, '/')+1] + path
	}
	return path
}

var encodedDot = strings.NewReplacer("%2e", ".", "%2E", ".")

// removeDots resolves dot segments and keeps everything else, empty segments included.
func removeDots(path string) string {
	segments := strings.Split(path[1:], "/")
	kept := make([]string, 0, len(segments))
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".", "..":
			if s == ".." && len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, s)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// sameRoute asks the classifier where path leads on this host. On header routes the
// client may or may not repeat the routing header, so neither reading may reach the
// API or another sandbox.
func (x *exchange) sameRoute(path string) bool {
	request := route.FromHTTP(x.r)
	request.Method, request.Path, request.TargetAuthority = http.MethodGet, path, ""
	v := x.Table.Classify(request)
	if v.Err != nil || v.Class != x.route.Class || v.Form != x.route.Form ||
		v.SandboxID != x.route.SandboxID || v.Port != x.route.Port {
		return false
	}
	if x.route.Form != route.FormHeader {
		return true
	}
	request.IngressTo, request.IngressToLegacy = nil, nil
	v = x.Table.Classify(request)
	return v.Class == route.None || v.Class == route.Public
}
