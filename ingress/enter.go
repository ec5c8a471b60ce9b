package ingress

import "github.com/opensandbox-edge/edge/ingress/access"

// enter leads the request to a sandbox that takes it. Nobody without access is waited
// for or wakes a sandbox (threat row A7).
func (x *exchange) enter() error {
	granted, err := x.admit()
	if err != nil && granted && !x.isStrangersPing() {
		return x.wait(err)
	}
	return err
}

// admit decides by what is known now, also of a sandbox that has moved meanwhile. granted
// without an error is a sandbox that takes the request, with one a sandbox that is not ready.
func (x *exchange) admit() (granted bool, err error) {
	if err := x.lookup(); err != nil {
		return false, err
	}
	x.grant, x.proven = access.CheckSignature, x.decision.Allowed
	refused, unready := x.checkAccess(), x.ready()
	switch {
	case x.HideExistence && (refused != nil || unready != nil && !x.proven):
		return false, x.notFound()
	case unready != nil && refused != nil:
		return false, unready // what is not ready says so first (contract 04 §6)
	case refused != nil:
		return false, refused
	}
	return true, unready
}
