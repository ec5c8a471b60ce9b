package volume

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
)

// shellCharacters are refused in everything that ends on a command line or in a file that
// the mounting programs read. No shell is involved; it is one more wall.
const shellCharacters = ";&|`$()<>\n\r"

const (
	maxOptions   = 32
	maxEndpoint  = 260
	maxKeyLength = 1024
)

var (
	bucketGrammar = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{1,61}[a-z0-9])?$`)
	hostGrammar   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
)

func (p Policy) checkOSSFS(v Volume) error {
	o := v.OSSFS
	switch {
	case o.Version != OSSFS1 && o.Version != OSSFS2:
		return refuse(codeOSSFSVersion, "volume %q: ossfs.version must be \"1.0\" or \"2.0\".", v.Name)
	case strings.TrimSpace(o.Bucket) == "":
		return refuse(codeOSSFSBucket, "volume %q: ossfs.bucket must not be blank.", v.Name)
	case strings.TrimSpace(o.Endpoint) == "":
		return refuse(codeOSSFSEndpoint, "volume %q: ossfs.endpoint must not be blank.", v.Name)
	case len(o.Options) > maxOptions:
		return refuse(codeOSSFSOption, "volume %q: at most %d ossfs.options are allowed.", v.Name, maxOptions)
	}
	for _, option := range o.Options {
		if strings.TrimSpace(option) == "" || strings.HasPrefix(option, "-") {
			return refuse(codeOSSFSOption, "volume %q: an option must not be blank or begin with \"-\".", v.Name)
		}
	}
	if !key(o.KeyID.Reveal()) || !key(o.KeySecret.Reveal()) {
		return refuse(codeOSSFSKeys, "volume %q: ossfs.accessKeyId and ossfs.accessKeySecret must be given, as printable characters without spaces and colons.", v.Name)
	}
	if !bucketGrammar.MatchString(o.Bucket) {
		return refuse(codeParameter, "volume %q: ossfs.bucket must be 3 to 63 lower-case letters, digits and inner hyphens.", v.Name)
	}
	if strings.ContainsAny(o.Endpoint, shellCharacters+" ") || strings.ContainsAny(v.SubPath, shellCharacters) {
		return refuse(codeParameter, "volume %q: ossfs.endpoint and subPath must not contain spaces, quotes of commands, or any of ; & | $ ( ) < >.", v.Name)
	}
	for _, option := range o.Options {
		if strings.ContainsAny(option, shellCharacters) {
			return refuse(codeParameter, "volume %q: an option must not contain line breaks or any of ; & | ` $ ( ) < >.", v.Name)
		}
		if !knownOption(o.Version, option) {
			return refuse(codeOSSFSOption, "volume %q: the option %q is not one that this server passes on with such a value.", v.Name, apierror.Clip(option))
		}
	}
	return p.checkEndpoint(v)
}

// key tells whether a credential fits its line of a file: a line break would begin an option
// of its own, a colon another field.
func key(s string) bool {
	return s != "" && len(s) <= maxKeyLength && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == ':' })
}

// checkEndpoint keeps the host, which carries the mount out, from being sent to an address
// of somebody's choice.
func (p Policy) checkEndpoint(v Volume) error {
	host, ok := endpointHost(v.OSSFS.Endpoint)
	if !ok {
		return refuse(codeOSSFSEndpoint, "volume %q: ossfs.endpoint must be a host name, with https:// or http:// and a port if need be.", v.Name)
	}
	for _, pattern := range p.Endpoints {
		pattern = strings.ToLower(pattern)
		if domain, wild := strings.CutPrefix(pattern, "*."); host == pattern || wild && strings.HasSuffix(host, "."+domain) {
			return nil
		}
	}
	return refuse(codeOSSFSEndpoint, "volume %q: %q is not among storage.allowed_oss_endpoints.", v.Name, apierror.Clip(host))
}

// EndpointURL is the endpoint with a scheme.
func (o OSSFS) EndpointURL() string {
	if strings.HasPrefix(o.Endpoint, "http://") || strings.HasPrefix(o.Endpoint, "https://") {
		return o.Endpoint
	}
	return "https://" + o.Endpoint
}

func endpointHost(endpoint string) (string, bool) {
	if len(endpoint) > maxEndpoint {
		return "", false
	}
	u, err := url.Parse(OSSFS{Endpoint: endpoint}.EndpointURL())
	if err != nil || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return "", false
	}
	host := strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(host); err == nil || !hostGrammar.MatchString(host) || numeric(host) {
		return "", false
	}
	return host, true
}

// numeric tells the other spellings of an IPv4 address, which end in a number too.
func numeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last != "" && last[0] >= '0' && last[0] <= '9'
}
