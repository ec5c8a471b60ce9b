package command

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/execd/stream"
)

const (
	chunk = 32 << 10
	// maxDrain bounds what is read after the leader's exit, so that a descendant
	// that never stops writing cannot hold back the end of the command. It is the
	// largest pipe an unprivileged process can ask for.
	maxDrain = 1 << 20
)

// pump moves one pipe of a command to its output and, while the command is
// followed, to the line splitter. It outlives the command when a descendant keeps
// the pipe: its output is still kept, and it does not die of SIGPIPE.
type pump struct {
	pipe    *os.File
	keep    *output
	lines   *stream.Lines // nil when nobody follows
	drained chan struct{} // closed once all that was written before the leader's exit is delivered
}

// leaderExited asks the pump to deliver what the pipe holds now and to close drained.
func (p *pump) leaderExited() { _ = p.pipe.SetReadDeadline(time.Unix(1, 0)) }

func (p *pump) run() {
	defer p.pipe.Close()
	following := true
	buf := make([]byte, chunk)
	for {
		n, err := p.pipe.Read(buf)
		p.deliver(buf[:n], following)
		if err == nil {
			continue
		}
		expired := errors.Is(err, os.ErrDeadlineExceeded)
		if expired {
			p.drain(buf, following)
		}
		if following {
			if p.lines != nil {
				p.lines.Flush()
			}
			close(p.drained)
			following = false
		}
		if !expired {
			return
		}
	}
}

// drain reads without waiting until the pipe is empty or the bound is reached.
func (p *pump) drain(buf []byte, following bool) {
	_ = p.pipe.SetReadDeadline(time.Time{})
	raw, err := p.pipe.SyscallConn()
	if err != nil {
		return
	}
	for total := 0; total < maxDrain; {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			for {
				if n, err = unix.Read(int(fd), buf); !errors.Is(err, unix.EINTR) {
					return true // EAGAIN included: do not wait
				}
			}
		})
		if err != nil || n <= 0 {
			return
		}
		p.deliver(buf[:n], following)
		total += n
	}
}

func (p *pump) deliver(b []byte, following bool) {
	p.keep.Write(b)
	if following && p.lines != nil {
		p.lines.Write(b)
	}
}
