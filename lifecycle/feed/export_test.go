package feed

import "time"

// WithSilence sets how long a stream may say nothing.
func (o *ClientOptions) WithSilence(d time.Duration) { o.silence = d }

// WithStaleAfter sets how old the last word may be before an address is confirmed.
func (o *ClientOptions) WithStaleAfter(d time.Duration) { o.staleAfter = d }
