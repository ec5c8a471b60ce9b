package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/opensandbox-edge/edge/secret"
)

var placeholder = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// maxKeyFileBytes bounds api_key_file; a key is a line.
const maxKeyFileBytes = 4096

// credentials resolves "${NAME}" and api_key_file, checks what the credentials must
// look like, and collects the API keys.
func (d *decoder) credentials(o Options) {
	s := &d.config.Server
	d.indirect(o, "server.api_key", &s.APIKey)
	for i := range s.APIKeys {
		d.indirect(o, "server.api_keys["+strconv.Itoa(i)+"]", &s.APIKeys[i])
	}
	d.indirect(o, "renew_intent.redis.dsn", &d.config.RenewIntent.Redis.DSN)
	d.redisDSN()
	for i := range d.config.Ingress.SecureAccess.Keys {
		path := "ingress.secure_access.keys[" + strconv.Itoa(i) + "].key"
		key := &d.config.Ingress.SecureAccess.Keys[i].Key
		d.indirect(o, path, key)
		d.signingKey(path, *key)
	}
	d.apiKeys()
}

// indirect replaces "${NAME}" by the variable's value.
func (d *decoder) indirect(o Options, path string, value *secret.Text) {
	m := placeholder.FindStringSubmatch(strings.TrimSpace(value.Reveal()))
	if m == nil || d.report.Origin(path).Source == FromEnvironment {
		return
	}
	got, _ := o.env(m[1])
	if strings.TrimSpace(got) == "" {
		d.fail(path, "refers to the environment variable %s, which is not set", m[1])
	}
	*value = secret.New(strings.TrimSpace(got))
	d.report.Origins[path] = Origin{Source: FromFile, Line: lineOf(d.lines, path), Detail: m[1]}
}

func (d *decoder) apiKeys() {
	s := &d.config.Server
	add := func(name, path string, key secret.Text) {
		// Header values lose surrounding white space on the wire, so a padded key could never match.
		clear := strings.TrimSpace(key.Reveal())
		if clear == "" {
			return
		}
		if len(clear) < WeakAPIKey {
			d.report.warn(d.file, lineOf(d.lines, path), path, "the key has fewer than %d characters and can be guessed; write a random one with: opensandbox-server init-config PATH --generate-key", WeakAPIKey)
		}
		s.keys = append(s.keys, NamedKey{Name: name, Key: secret.New(clear)})
	}
	if s.APIKeyFile != "" {
		if !s.APIKey.IsZero() {
			d.fail("server.api_key_file", "server.api_key and server.api_key_file must not both be set.")
			return
		}
		key, err := readKeyFile(s.APIKeyFile)
		if err != nil {
			d.fail("server.api_key_file", "%v", err)
			return
		}
		add("api_key_file", "server.api_key_file", key)
	}
	name := "api_key"
	if d.report.Origin("server.api_key").Source == FromEnvironment {
		name = "environment"
	}
	add(name, "server.api_key", s.APIKey)
	for i, key := range s.APIKeys {
		name := "api_keys[" + strconv.Itoa(i) + "]"
		add(name, "server."+name, key)
	}
}

func readKeyFile(path string) (secret.Text, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return secret.Text{}, fmt.Errorf("cannot be read: %w", cause(err))
	case !info.Mode().IsRegular():
		return secret.Text{}, errors.New("is not a regular file")
	case info.Size() > maxKeyFileBytes:
		return secret.Text{}, fmt.Errorf("is larger than %d bytes", maxKeyFileBytes)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return secret.Text{}, fmt.Errorf("cannot be read: %w", cause(err))
	}
	key := strings.TrimSpace(string(body))
	if key == "" || strings.ContainsAny(key, "\r\n\x00") {
		return secret.Text{}, errors.New("should hold one line with the key")
	}
	return secret.New(key), nil
}

// Bytes decodes the key.
func (k SigningKey) Bytes() ([]byte, error) {
	text := strings.TrimRight(k.Key.Reveal(), "=")
	if padded := k.Key.Reveal(); len(padded) != len(text) && len(padded)%4 != 0 {
		return nil, errors.New("key is not valid base64")
	}
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("key is not valid base64") // the cause would quote the key
	}
	return raw, nil
}

func (d *decoder) signingKey(path string, key secret.Text) {
	if d.failed(path) {
		return
	}
	raw, err := SigningKey{Key: key}.Bytes()
	switch {
	case err != nil:
		d.fail(path, "%v", err)
	case len(raw) == 0:
		d.fail(path, "key must decode to at least 1 byte")
	case len(raw) < WeakSigningKey && !d.config.Ingress.SecureAccess.AllowWeakKeys:
		d.fail(path, "key decodes to %d bytes; signing keys need at least %d, unless ingress.secure_access.allow_weak_keys = true", len(raw), WeakSigningKey)
	}
}

func (d *decoder) redisDSN() {
	const path = "renew_intent.redis.dsn"
	dsn := d.config.RenewIntent.Redis.DSN.Reveal()
	if dsn == "" || d.failed(path) {
		return
	}
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix" {
		d.fail(path, "Input should begin with redis://, rediss:// or unix://")
	}
}

// failed reports whether the key has a violation already; one message per key is enough.
func (d *decoder) failed(path string) bool {
	for _, v := range d.invalid {
		if v.Key == path {
			return true
		}
	}
	return false
}
