package redislist

import (
	"errors"
	"net/url"

	"github.com/redis/go-redis/v9"

	"github.com/opensandbox-edge/edge/secret"
)

// DSN is a checked address of a Redis server.
type DSN struct{ options *redis.Options }

// ParseDSN reads redis://[user:password@]host[:port][/db], rediss:// for TLS, or
// unix://[user:password@]/path[?db=n]. Its errors repeat nothing of the text, which may
// hold a password.
func ParseDSN(text secret.Text) (DSN, error) {
	u, err := url.Parse(text.Reveal())
	if err != nil {
		return DSN{}, errors.New("it is no URL; characters such as @ / ? # in a password have to be percent-encoded")
	}
	switch u.Scheme {
	case "redis", "rediss", "unix":
	default:
		return DSN{}, errors.New("it must begin with redis://, rediss:// or unix://")
	}
	if u.Scheme != "unix" && u.Hostname() == "" {
		return DSN{}, errors.New("it names no host; use for example redis://127.0.0.1:6379/0")
	}
	options, err := redis.ParseURL(text.Reveal())
	if err != nil {
		return DSN{}, errors.New("it has a path or an option that is not understood; use redis://host:port/db or unix:///path?db=n")
	}
	return DSN{options}, nil
}
