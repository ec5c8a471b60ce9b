package config

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/secret"
)

// notSecret lists the fields whose names sound like credentials and why they are none.
var notSecret = map[string]string{
	"Server.APIKeyFile":      "a path",
	"Server.TLSKeyFile":      "a path",
	"SecureAccess.ActiveKey": "one character that names a key",
	"RenewRedis.QueueKey":    "the name of a list",
}

// A credential in a plain string would reach logs and errors sooner or later.
func TestCredentialsAreNeverPlainStrings(t *testing.T) {
	suspicious := regexp.MustCompile(`(?i)key|token|secret|password|dsn`)
	used := map[string]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[secret.Text]() {
			return
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			name := typ.Name() + "." + f.Name
			element := f.Type
			for element.Kind() == reflect.Slice || element.Kind() == reflect.Pointer || element.Kind() == reflect.Map {
				element = element.Elem()
			}
			if element.Kind() == reflect.String && suspicious.MatchString(f.Name) {
				used[name] = true
				require.Contains(t, notSecret, name, "%s must be a secret.Text", name)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[Config]())
	walk(reflect.TypeFor[Init]())
	require.Len(t, used, len(notSecret), "an exception that no field needs any more")
}

// The same by the key table: a key whose name sounds like a credential is of a secret kind.
func TestSecretKeysHaveASecretKind(t *testing.T) {
	plain := map[string]bool{
		"server.api_key_file": true, "server.tls_key_file": true, "server.execd_access_token": true, "ingress.secure_access.active_key": true,
		"ingress.secure_access.allow_weak_keys": true, "ingress.secure_access.keys.key_id": true, "renew_intent.redis.queue_key": true,
	}
	for _, s := range Sections() {
		for _, k := range s.Keys {
			name := s.Name + "." + k.Name
			if regexp.MustCompile(`key|token|secret|password|dsn`).MatchString(k.Name) && !plain[name] {
				require.Contains(t, []Kind{Secret, SecretList}, k.Kind, name)
			}
		}
	}
}

func TestNoOutputShowsASecret(t *testing.T) {
	const marker = "TopSecretMarker0"
	l, err := parse(signed("active_key = \"a\"\nkeys = [{ key_id = \"a\", key = \""+marker+"AAAAAAAA\" }]\n")+
		"[server]\napi_key = \"${K}\"\napi_keys = [\""+marker+"\"]\n[renew_intent]\nredis.enabled = true\nredis.dsn = \"redis://:"+marker+"@h/0\"\n", "K", marker+"env")
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, l.WriteEffective(&out))
	fmt.Fprintf(&out, "%v %+v %#v %s", l.Config, l.Config, *l.Config, l.Report.Warnings)
	require.Contains(t, out.String(), "***")
	require.NotContains(t, out.String(), marker)
}
