package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/opensandbox-edge/edge/internal/identity"
	"github.com/opensandbox-edge/edge/internal/quote"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// pinger asks GET /ping. It trusts nothing about the other side: no proxies, no
// redirects, a bounded answer, and no connection is kept.
type pinger struct{ client *http.Client }

// maxPong bounds what is read of an answer, head and body each.
const maxPong = 64 << 10

// errForeign is the answer of a daemon that is not the sandbox's.
var errForeign = errors.New("what answers there did not prove to be this sandbox's execd: another program has the port, or the image in runtime.execd_image is too old for host mode")

// NewProber is the Prober that asks over the network.
func NewProber() Prober {
	return pinger{&http.Client{
		Transport: &http.Transport{
			Proxy: nil, // the environment's proxies are not for sandboxes
			// A transport's dial goes on after the request that it was for has ended.
			DialContext:            (&net.Dialer{Timeout: maxProbe}).DialContext,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxPong,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (p pinger) Ping(ctx context.Context, d Daemon) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.Address.String()+"/ping", nil)
	if err != nil {
		return err
	}
	challenge := ""
	if d.MustProve {
		challenge = identity.Challenge()
		req.Header.Set(wire.HeaderChallenge, challenge)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return quote.Error(err) // it may hold the answer
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxPong))
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("execd answered %d", res.StatusCode)
	}
	if d.MustProve && !identity.Proven(d.key(), d.SandboxID, challenge, res.Header.Get(wire.HeaderProof)) {
		return errForeign
	}
	return nil
}

func (d Daemon) key() []byte {
	if d.TokenSum == nil {
		return nil
	}
	return d.TokenSum[:]
}
