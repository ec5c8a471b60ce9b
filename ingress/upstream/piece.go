package upstream

import "sync"

// Piece is room for a piece of a body on its way; 32 KiB is what fits a socket's appetite.
type Piece [32 << 10]byte

var pieces = sync.Pool{New: func() any { return new(Piece) }}

// NewPiece returns room whose content is arbitrary.
func NewPiece() *Piece { return pieces.Get().(*Piece) }

// Free gives the room back. It must not be used any more.
func (p *Piece) Free() { pieces.Put(p) }
