package ingress

// grant is what opened a sandbox to a request.
type grant uint8

// The grants. The zero value is "not yet".
const (
	grantNone       grant = iota
	grantOpen             // the sandbox demands nothing on this port
	grantCredential       // a token of the sandbox, or the API key where it opens sandboxes
)

// enter leads the request to a sandbox that takes it. Nobody without access is waited
// for or wakes a sandbox (threat row A7).
func (x *exchange) enter() error {
	granted, err := x.admit()
	if err != nil && granted {
		return x.wait(err)
	}
	return err
}

// admit decides by what is known now; granted without an error is a sandbox that takes
// the request, with one it is a sandbox that is not ready.
func (x *exchange) admit() (granted bool, err error) {
	if err := x.lookup(); err != nil {
		return false, err
	}
	x.grant = grantNone
	refused, unready := x.checkAccess(), x.ready()
	switch {
	case x.HideExistence && (refused != nil || unready != nil && x.grant != grantCredential):
		return false, x.notFound()
	case unready != nil && refused != nil:
		return false, unready // what is not ready says so first (contract 04 §6)
	case refused != nil:
		return false, refused
	}
	return true, unready
}
