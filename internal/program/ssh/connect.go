package ssh

import "context"

func (r *run) connect(ctx context.Context) int { return failure }
