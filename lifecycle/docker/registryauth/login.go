package registryauth

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/secret"
)

// login is what the engine wants in X-Registry-Auth.
type login struct {
	Username      string `json:"username,omitempty"`
	Password      string `json:"password,omitempty"`
	IdentityToken string `json:"identitytoken,omitempty"`
}

// header is URL-safe base64 of JSON; zero for an empty login. It is a credential.
func (l login) header() secret.Text {
	if l == (login{}) {
		return secret.Text{}
	}
	body, _ := json.Marshal(l) // strings always encode
	return secret.New(base64.URLEncoding.EncodeToString(body))
}

// FromRequest turns a request's credentials into the header; zero when there are none.
func FromRequest(auth *lifecycle.RegistryAuth) secret.Text {
	if auth == nil {
		return secret.Text{}
	}
	return login{Username: auth.Username, Password: auth.Password.Reveal()}.header()
}

const (
	hubKey         = "https://index.docker.io/v1/" // what logins for Docker Hub are kept under
	maxConfigBytes = 4 << 20
	maxHelperBytes = 1 << 20
	helperTimeout  = 20 * time.Second
)

// loginFile is the part of a Docker client configuration that holds logins.
type loginFile struct {
	Auths map[string]struct {
		Auth          string `json:"auth"`
		Username      string `json:"username"`
		Password      string `json:"password"`
		IdentityToken string `json:"identitytoken"`
	} `json:"auths"`
	CredsStore  string            `json:"credsStore"`
	CredHelpers map[string]string `json:"credHelpers"`
}

// FromServer looks a registry up in the server user's Docker configuration,
// $DOCKER_CONFIG/config.json or ~/.docker/config.json: a helper for this registry first,
// then the general store, then the file itself. No login is no error.
func FromServer(ctx context.Context, registry string) (secret.Text, error) {
	file, err := readLoginFile()
	if err != nil {
		return secret.Text{}, err
	}
	keys := []string{registry, "https://" + registry, "https://" + registry + "/v1/", "https://" + registry + "/v2/"}
	if registry == "docker.io" {
		keys = []string{hubKey, "index.docker.io", "docker.io"}
	}
	for _, key := range keys {
		if helper := file.CredHelpers[key]; helper != "" {
			l, err := askHelper(ctx, helper, key)
			return l.header(), err
		}
	}
	if file.CredsStore != "" {
		if l, err := askHelper(ctx, file.CredsStore, keys[0]); err != nil || l != (login{}) {
			return l.header(), err
		}
	}
	for _, key := range keys {
		entry, found := file.Auths[key]
		if !found {
			continue
		}
		l := login{Username: entry.Username, Password: entry.Password, IdentityToken: entry.IdentityToken}
		if entry.Auth != "" {
			decoded, err := base64.StdEncoding.DecodeString(entry.Auth)
			if err != nil {
				return secret.Text{}, fmt.Errorf("the login for %s is not base64", registry)
			}
			l.Username, l.Password, _ = strings.Cut(strings.TrimRight(string(decoded), "\x00"), ":")
		}
		if l.IdentityToken != "" {
			l = login{IdentityToken: l.IdentityToken}
		}
		return l.header(), nil
	}
	return secret.Text{}, nil
}

func readLoginFile() (loginFile, error) {
	dir := os.Getenv("DOCKER_CONFIG")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return loginFile{}, nil //nolint:nilerr // a user without a home has no logins
		}
		dir = filepath.Join(home, ".docker")
	}
	f, err := os.Open(filepath.Join(dir, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return loginFile{}, nil
	}
	if err != nil {
		return loginFile{}, err
	}
	defer f.Close()
	var out loginFile
	if err := json.NewDecoder(io.LimitReader(f, maxConfigBytes)).Decode(&out); err != nil {
		// The decoder's text may quote the file, which holds passwords.
		return loginFile{}, fmt.Errorf("%s is not a Docker client configuration", f.Name())
	}
	return out, nil
}

// helperGrammar keeps a name from the file from becoming a path.
var helperGrammar = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// askHelper runs docker-credential-<name> get. "Not found" is an empty login.
func askHelper(ctx context.Context, name, registry string) (login, error) {
	if !helperGrammar.MatchString(name) {
		return login{}, fmt.Errorf("the credential helper's name is not usable")
	}
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, "docker-credential-"+name, "get")
	cmd.Stdin = strings.NewReader(registry)
	cmd.Stdout, cmd.Stderr = &limitedBuffer{Buffer: &out}, &limitedBuffer{Buffer: &problems}
	cmd.WaitDelay = time.Second
	// Only what a helper needs: our own environment holds the API key.
	for _, key := range []string{"PATH", "HOME", "USER", "LANG", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "GNUPGHOME", "PASSWORD_STORE_DIR", "DOCKER_CONFIG"} {
		if value, set := os.LookupEnv(key); set {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
	}
	if err := cmd.Run(); err != nil {
		if strings.Contains(strings.ToLower(out.String()+problems.String()), "credentials not found") {
			return login{}, nil
		}
		return login{}, fmt.Errorf("credential helper %s: %w", name, err)
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		return login{}, fmt.Errorf("credential helper %s: its answer is not JSON", name)
	}
	if answer.Username == "<token>" {
		return login{IdentityToken: answer.Secret}, nil
	}
	return login{Username: answer.Username, Password: answer.Secret}, nil
}

// limitedBuffer keeps the first bytes and takes the rest without keeping it.
type limitedBuffer struct{ *bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if room := maxHelperBytes - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}
