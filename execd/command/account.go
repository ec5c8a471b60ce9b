package command

import (
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/opensandbox-edge/edge/execd/environ"
)

// account is the identity a command runs under.
type account struct {
	uid, gid uint32
	groups   []uint32
	name     string // "" = the uid is in no database
	home     string
}

// resolve looks the uid up in the sandbox's own user database. An unknown uid
// without a gid gets the group of the same number: never, by default, root's.
func resolve(uid uint32, gid *uint32) *account {
	a := &account{uid: uid, gid: uid}
	if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
		a.name, a.home = u.Username, u.HomeDir
		if primary, err := strconv.ParseUint(u.Gid, 10, 32); err == nil {
			a.gid = uint32(primary)
		}
		if ids, err := u.GroupIds(); err == nil {
			for _, id := range ids {
				if n, err := strconv.ParseUint(id, 10, 32); err == nil {
					a.groups = append(a.groups, uint32(n))
				}
			}
		}
	}
	if gid != nil {
		a.gid = *gid
	}
	return a
}

// vars are the variables a login as this account would set. Without them a
// command would write into the daemon's HOME and be refused.
func (a *account) vars() environ.Vars {
	if a.name == "" {
		return environ.Vars{"HOME": "/"}
	}
	v := environ.Vars{"USER": a.name, "LOGNAME": a.name}
	if a.home != "" {
		v["HOME"] = a.home
	}
	return v
}

// credential is nil when the daemon already is this account and may not be
// anything else: an unprivileged process must not even ask for its own groups.
func (a *account) credential() *syscall.Credential {
	if os.Geteuid() != 0 && int(a.uid) == os.Geteuid() && int(a.gid) == os.Getegid() {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: a.groups}
}
