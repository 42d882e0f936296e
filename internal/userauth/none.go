package userauth

import "context"

// none is the method of RFC 4252 §5.2. It succeeds only where a callback says
// so, and otherwise tells the client what it may try.
func (s *server) none(ctx context.Context, r *attempt, a *Attempt) {
	r.decided(s.cfg.None(ctx, a))
	r.info = a.Info
}

// None is the client's none method: it asks which methods there are.
type None struct{}

// Name is "none".
func (None) Name() string { return methodNone }
