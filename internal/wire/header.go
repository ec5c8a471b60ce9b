package wire

// Headers with a meaning for us, in the spelling of net/http's header map.
const (
	HeaderAPIKey       = "Open-Sandbox-Api-Key"        // the API key (contract 01 §2)
	HeaderExecdToken   = "X-Execd-Access-Token"        // the token of a sandbox's execd (contract 06 §2)
	HeaderEgressToken  = "Opensandbox-Egress-Auth"     // the token of its egress sidecar
	HeaderSecureAccess = "Opensandbox-Secure-Access"   // the token of a secured sandbox
	HeaderChallenge    = "Opensandbox-Execd-Challenge" // asks an execd to prove whose it is (package identity)
	HeaderProof        = "Opensandbox-Execd-Proof"
	HeaderAccessRenew  = "Opensandbox-Access-Renew" // "skip": the request is no access

	HeaderIngressTo       = "Opensandbox-Ingress-To" // the route, on header routes
	HeaderIngressToLegacy = "Open-Sandbox-Ingress"

	// HeaderPoweredBy marks answers that came through a gateway as PoweredBy (contract 04 §1).
	HeaderPoweredBy = "Reverse-Proxy-Server-Powerby"
	PoweredBy       = "OpenSandbox-ingress"

	HeaderRequestID = "X-Request-Id" // names one request in answers and logs (contract 01 §3)
)

// The same names as answers and messages spell them.
const (
	DisplayAPIKey       = "OPEN-SANDBOX-API-KEY"
	DisplayExecdToken   = "X-EXECD-ACCESS-TOKEN"
	DisplaySecureAccess = "OpenSandbox-Secure-Access"
	DisplayIngressTo    = "OpenSandbox-Ingress-To"
)

// Credentials are the headers that carry a key or token of ours.
var Credentials = []string{HeaderAPIKey, HeaderExecdToken, HeaderEgressToken, HeaderSecureAccess}
