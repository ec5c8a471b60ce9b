package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"
)

// certificate writes a self-signed certificate for 127.0.0.1 and returns who trusts it.
func certificate(t *testing.T, dir string) (certFile, keyFile string, trust *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	raw, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	certFile, keyFile = filepath.Join(dir, "edge.pem"), filepath.Join(dir, "edge.key")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}), 0o600))
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	trust = x509.NewCertPool()
	trust.AddCert(parsed)
	return certFile, keyFile, trust
}

// A TLS site on our network serves h1, h2 and, on a UDP socket, h3.
func TestTLSSiteServesAllProtocols(t *testing.T) {
	r := newRig(t)
	path := r.toml(testKey)
	cert, key, trust := certificate(t, r.dir)
	require.NoError(t, r.caddyfile(`{
	admin off
	persist_config off
	auto_https disable_redirects
	storage_check off
	storage_clean_interval off
	log {
		output discard
		format opensandbox
	}
	servers {
		protocols h1 h2 h3
		0rtt off
	}
	opensandbox {
		config `+path+`
	}
}
https://localhost:`+itoa(portOf(t, r.addr))+` {
	bind opensandbox/127.0.0.1
	tls `+cert+` `+key+`
	opensandbox_auth
	opensandbox_lifecycle
	opensandbox_ingress
}`))
	r.ready()
	config := &tls.Config{RootCAs: trust, ServerName: "localhost"}
	for name, transport := range map[string]interface {
		http.RoundTripper
		CloseIdleConnections()
	}{
		"HTTP/1.1": &http.Transport{TLSClientConfig: config.Clone()},
		"HTTP/2.0": &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: true},
		"HTTP/3.0": &http3.Transport{TLSClientConfig: config.Clone()},
	} {
		t.Run(name, func(t *testing.T) {
			if closer, ok := transport.(interface{ Close() error }); ok {
				defer closer.Close()
			}
			defer transport.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+r.addr+"/v1/sandboxes", http.NoBody)
			require.NoError(t, err)
			req.Host = "localhost"
			resp, err := transport.RoundTrip(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			require.Equal(t, name, resp.Proto)
			require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
		})
	}
}

// The TOML file's certificate: TLS on the one port, and no UDP port beside it.
func TestTLSFromTheFile(t *testing.T) {
	r := newRig(t)
	cert, key, trust := certificate(t, r.dir)
	path := r.toml(testKey)
	text := replaceOnce(t, readFile(t, path), "[server]", "[server]\ntls_cert_file = \""+cert+"\"\ntls_key_file = \""+key+"\"")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	r.load(path)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust, ServerName: "localhost"}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("https://" + r.addr + "/health") //nolint:noctx // local
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	udp, err := net.ListenPacket("udp", r.addr)
	require.NoError(t, err, "nobody listens on the UDP port")
	require.NoError(t, udp.Close())
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", address)
	require.NoError(t, err)
	return addr.Port
}
