package feed

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"
	"unique"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// entry is a lifecycle.Entry on the wire. Generations are each process's own.
type entry struct {
	ID      string `json:"id"`
	Backend string `json:"backend,omitempty"`
	State   string `json:"state"`
	// Address is an IP address; Published maps ports of the sandbox to "address:port".
	Address   string            `json:"address,omitempty"`
	Published map[uint16]string `json:"published,omitempty"`
	// SharesHost: what is published is on a network that other sandboxes share.
	SharesHost bool `json:"shares_host,omitempty"`
	// ExecdSum and SecureSum are SHA-256 of tokens, in hexadecimal.
	ExecdSum  string `json:"execd_token_sha256,omitempty"`
	SecureSum string `json:"secure_access_sha256,omitempty"`

	RenewExtend int64 `json:"renew_extend_seconds,omitempty"`
	IdleTimeout int64 `json:"idle_timeout_seconds,omitempty"`
}

// encode is what a gateway needs to know of e.
func encode(e *lifecycle.Entry) *entry {
	out := &entry{
		ID: e.ID, Backend: e.BackendID, State: string(e.State), SharesHost: e.SharesHost,
		ExecdSum: encodeSum(e.ExecdTokenSum), SecureSum: encodeSum(e.SecureSum),
		RenewExtend: seconds(e.RenewExtend), IdleTimeout: seconds(e.IdleTimeout),
	}
	if e.Address.IsValid() {
		out.Address = e.Address.String()
	}
	for port, to := range e.Published {
		if len(out.Published) == maxPublished {
			break
		}
		if out.Published == nil {
			out.Published = make(map[uint16]string, len(e.Published))
		}
		out.Published[port] = to.String()
	}
	return out
}

// seconds rounds up: what is on must not become off on the way.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func encodeSum(sum *[32]byte) string {
	if sum == nil {
		return ""
	}
	return hex.EncodeToString(sum[:])
}

const (
	maxBackend = 512
	maxState   = 32
	maxSpan    = 100 * 365 * 24 * 3600 // seconds
)

// decode reads an entry of a peer that may be broken or worse. The id is checked by
// lifecycle.Directory.Publish, and so is what the addresses may be.
func (e *entry) decode() (lifecycle.Entry, error) {
	// There are few states and many sandboxes: they share the memory of the name.
	state := lifecycle.State(unique.Make(e.State).Value())
	names := e.ID + e.Backend // one object for the collector to visit, not two
	out := lifecycle.Entry{ID: names[:len(e.ID)], BackendID: names[len(e.ID):], State: state, SharesHost: e.SharesHost}
	if len(e.Backend) > maxBackend {
		return out, errors.New("backend is too long")
	}
	if !isName(e.State, maxState) {
		return out, errors.New("state is no name")
	}
	if len(e.Published) > maxPublished {
		return out, errors.New("too many published ports")
	}
	for _, span := range []int64{e.RenewExtend, e.IdleTimeout} {
		if span < 0 || span > maxSpan {
			return out, errors.New("a span of time is out of bounds")
		}
	}
	out.RenewExtend = time.Duration(e.RenewExtend) * time.Second
	out.IdleTimeout = time.Duration(e.IdleTimeout) * time.Second
	var err error
	if e.Address != "" {
		if out.Address, err = netip.ParseAddr(e.Address); err != nil {
			return out, errors.New("address is no IP address")
		}
	}
	for port, to := range e.Published {
		target, err := netip.ParseAddrPort(to)
		if err != nil {
			return out, errors.New("published[" + strconv.Itoa(int(port)) + "] is no address with a port")
		}
		if out.Published == nil {
			out.Published = make(map[uint16]netip.AddrPort, len(e.Published))
		}
		out.Published[port] = target
	}
	if out.ExecdTokenSum, err = decodeSum(e.ExecdSum); err != nil {
		return out, fmt.Errorf("execd_token_sha256: %w", err)
	}
	if out.SecureSum, err = decodeSum(e.SecureSum); err != nil {
		return out, fmt.Errorf("secure_access_sha256: %w", err)
	}
	return out, nil
}

func decodeSum(text string) (*[32]byte, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no token is demanded
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 32 {
		return nil, errors.New("not 64 hexadecimal digits")
	}
	return (*[32]byte)(raw), nil
}

// isName keeps what ends up in logs and answers to letters.
func isName(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}
