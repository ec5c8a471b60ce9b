package command

import (
	"io"
	"os"
	"sync"
)

const (
	inMemory    = 32 << 10  // output up to here costs neither file nor descriptor
	memoryLimit = 256 << 10 // what is kept when no file can be written
)

// output keeps the newest bytes a command wrote, addressed by their offset in all
// it ever wrote. Small output stays in memory; more goes to a ring in a file that
// has no name, so that neither a crash nor a full list of commands leaves one behind.
type output struct {
	dir   string
	limit int64

	mu     sync.Mutex
	mem    []byte // a plain buffer until it spills, a ring of memoryLimit afterwards when there is no file
	file   *os.File
	ring   int64 // size of the ring; 0 = mem is still a plain buffer
	base   int64 // no byte before this offset is held, whatever the ring's size
	total  int64
	closed bool
}

func newOutput(dir string, limit int64) *output { return &output{dir: dir, limit: limit} }

// Write takes the next bytes; it cannot fail. After Close it drops them.
func (o *output) Write(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(p) == 0 {
		return
	}
	if o.ring == 0 {
		if len(o.mem)+len(p) <= inMemory {
			o.mem = append(o.mem, p...)
			o.total += int64(len(p))
			return
		}
		o.spill()
	}
	o.put(p)
}

// spill turns the plain buffer into a ring, in a file if there can be one.
func (o *output) spill() {
	old := o.mem
	o.mem, o.total = nil, 0
	if f, err := os.CreateTemp(o.dir, ".execd-output-*"); err == nil {
		_ = os.Remove(f.Name())
		o.file, o.ring = f, max(o.limit, inMemory)
	} else {
		o.mem, o.ring = make([]byte, memoryLimit), memoryLimit
	}
	o.put(old)
}

func (o *output) put(p []byte) {
	if skip := int64(len(p)) - o.ring; skip > 0 {
		p, o.total = p[skip:], o.total+skip
	}
	for len(p) > 0 {
		at := o.total % o.ring
		n := min(int64(len(p)), o.ring-at)
		if o.file == nil {
			copy(o.mem[at:], p[:n])
		} else if _, err := o.file.WriteAt(p[:n], at); err != nil {
			// A full disk: what came before is kept nowhere, what comes goes to memory.
			_ = o.file.Close()
			o.file, o.mem, o.ring, o.base = nil, make([]byte, memoryLimit), memoryLimit, o.total
			o.put(p)
			return
		}
		p, o.total = p[n:], o.total+n
	}
}

// ReadAt copies held bytes from offset on. start is the offset of the first byte
// copied: later than offset where older bytes are gone, offset itself at or
// beyond the end.
func (o *output) ReadAt(p []byte, offset int64) (n int, start int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if start = max(offset, o.base, o.oldest()); o.closed || start >= o.total {
		return 0, offset
	}
	p = p[:min(int64(len(p)), o.total-start)]
	if o.ring == 0 {
		return copy(p, o.mem[start:]), start
	}
	for n < len(p) {
		at := (start + int64(n)) % o.ring
		part := p[n:min(int64(len(p)), int64(n)+o.ring-at)]
		if o.file == nil {
			n += copy(part, o.mem[at:])
			continue
		}
		m, err := o.file.ReadAt(part, at)
		n += m
		if err != nil && (err != io.EOF || m == 0) {
			break
		}
	}
	return n, start
}

func (o *output) oldest() int64 {
	if o.ring == 0 {
		return 0
	}
	return o.total - o.ring
}

// Total is the offset after the last byte ever written.
func (o *output) Total() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.total
}

// Held is the number of bytes kept.
func (o *output) Held() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return 0
	}
	return o.total - max(o.base, o.oldest())
}

// Close frees the storage. Later writes are dropped, reads find nothing.
func (o *output) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil {
		_ = o.file.Close()
	}
	o.closed, o.file, o.mem = true, nil, nil
}
