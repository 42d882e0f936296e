package ssh

import (
	"github.com/nacre-ssh/nacre/internal/client"
	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Plan is what a command line of ssh comes to, for programs that tell of it.
type Plan struct {
	Conf  *sshconfig.Client
	Home  string
	Words []string // behind the destination
	r     *run
}

// NewPlan reads a command line of ssh and the configuration as Main would; step
// is told of every line of it. When there is no plan what is wrong was said, and
// status is the exit status.
func NewPlan(std stdio.Stdio, args []string, step func(sshconfig.Step)) (p *Plan, status int) {
	r := &run{io: std, log: client.NewLogger(std.Err, client.LevelInfo, false), logTo: std.Err}
	r.cctx = r.context()
	r.cctx.Step = step
	r.conf = sshconfig.NewClient(r.cctx)
	err := r.parse(args)
	words := r.words
	r.words = nil // they are no command
	if err == nil {
		r.planning = true
		err = r.prepare()
	}
	if err != nil {
		return nil, r.status(err)
	}
	return &Plan{Conf: r.conf, Home: r.cctx.Home, Words: words, r: r}, 0
}

// Connector connects as the plan says, its log at debug1 in log.
func (p *Plan) Connector(log *client.Logger, ask *client.Prompter) *client.Connector {
	p.r.log, p.r.ask = log, ask
	return p.r.connector()
}
