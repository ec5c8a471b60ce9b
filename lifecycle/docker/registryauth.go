package docker

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/secret"
)

// loginHeader is the content of X-Registry-Auth; the engine wants URL-safe base64 of JSON.
// The result is a credential.
func loginHeader(fields map[string]string) secret.Text {
	body, _ := json.Marshal(fields) // a map of strings always encodes
	return secret.New(base64.URLEncoding.EncodeToString(body))
}

// requestLogin turns a request's credentials into the header; zero when there are none.
func requestLogin(auth *lifecycle.RegistryAuth) secret.Text {
	if auth == nil || (auth.Username == "" && auth.Password.IsZero()) {
		return secret.Text{}
	}
	return loginHeader(map[string]string{"username": auth.Username, "password": auth.Password.Reveal()})
}

// serverLogin looks the registry up in the server user's Docker configuration: auths,
// credsStore and credHelpers. No login is not an error.
func serverLogin(ctx context.Context, registry string) (secret.Text, error) {
	if registry == "docker.io" {
		registry = name.DefaultRegistry // the key logins for Docker Hub are kept under
	}
	target, err := name.NewRegistry(registry)
	if err != nil {
		return secret.Text{}, err
	}
	login, err := authn.Resolve(ctx, authn.DefaultKeychain, target)
	if err != nil {
		return secret.Text{}, err
	}
	if login == authn.Anonymous {
		return secret.Text{}, nil
	}
	config, err := authn.Authorization(ctx, login)
	if err != nil {
		return secret.Text{}, err
	}
	switch {
	case config.IdentityToken != "":
		return loginHeader(map[string]string{"identitytoken": config.IdentityToken}), nil
	case config.RegistryToken != "":
		return loginHeader(map[string]string{"registrytoken": config.RegistryToken}), nil
	case config.Username != "":
		return loginHeader(map[string]string{"username": config.Username, "password": config.Password}), nil
	}
	return secret.Text{}, nil
}
