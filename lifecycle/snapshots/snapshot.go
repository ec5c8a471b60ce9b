package snapshots

import "time"

// State is how far a snapshot is.
type State string

// The states of contract 01 §12.1.
const (
	Creating State = "Creating"
	Ready    State = "Ready"
	Failed   State = "Failed"
	Deleting State = "Deleting"
)

// The reasons of contract 01 §12.2 that this package gives.
const (
	ReasonAccepted         = "snapshot_accepted"
	ReasonReady            = "snapshot_runtime_ready"
	ReasonFailed           = "snapshot_runtime_failed"
	ReasonTimeout          = "snapshot_runtime_timeout"
	ReasonMissingImage     = "snapshot_runtime_missing_image"
	ReasonDelete           = "snapshot_delete_requested"
	ReasonRecovered        = "snapshot_recovery_ready"
	ReasonRecoveryMissing  = "snapshot_recovery_missing_image"
	ReasonRecoveryUnlooked = "snapshot_recovery_inspect_failed"
)

// Status is a state and how it came about. Message is for clients: it quotes no backend.
type Status struct {
	State   State
	Reason  string
	Message string
	Since   time.Time // UTC
}

// Snapshot is one row of the catalogue.
type Snapshot struct {
	ID        string // a UUID with hyphens
	SandboxID string // which may be gone
	Name      string // "" = none
	Image     string // what a restore begins with; "" = there is none. Clients never see it.
	Status    Status
	CreatedAt time.Time // UTC, microseconds
}

// shown is what clients see of a row. What no restore can begin with is Failed, however it
// came about; the row itself stays as it is until it is deleted.
func (s Snapshot) shown() Snapshot {
	switch s.Status.State {
	case Creating, Failed, Deleting:
		return s
	case Ready:
		if s.Image != "" {
			return s
		}
	}
	s.Status.State, s.Status.Reason = Failed, ReasonMissingImage
	s.Status.Message = "The server's record of the snapshot is damaged. Delete it and take another one."
	return s
}

// Filter selects snapshots; zero values select all.
type Filter struct {
	SandboxID string
	Name      string   // exact
	States    []string // any of them, in their exact spelling
}
