package lifecycle

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"

	"github.com/opensandbox-edge/edge/internal/quote"
)

// pinger asks GET /ping. It trusts nothing about the other side: no proxies, no
// redirects, a bounded answer, and no connection is kept.
type pinger struct{ client *http.Client }

// maxPong bounds what is read of an answer, head and body each.
const maxPong = 64 << 10

func newPinger() Prober {
	return pinger{&http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // the environment's proxies are not for sandboxes
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxPong,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (p pinger) Ping(ctx context.Context, execd netip.AddrPort) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+execd.String()+"/ping", nil)
	if err != nil {
		return err
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
	return nil
}
