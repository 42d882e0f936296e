package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/cipher"
	"github.com/nacre-ssh/nacre/internal/client"
	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/internal/version"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// failure is the exit status of every failure of ssh's own.
const failure = 255

// run is one run of the program.
type run struct {
	io   stdio.Stdio
	log  *client.Logger
	conf *sshconfig.Client
	cctx *sshconfig.ClientContext
	ask  *client.Prompter

	// From the command line.
	host        string   // as typed, without user and port
	named       bool     // a destination was given
	words       []string // of the command
	users       []string // user names given, to be checked
	configFile  string
	logFile     string
	level       sshconfig.LogLevel // of -v and -q
	levelSet    bool
	printConfig bool
	listKeys    bool
	syslog      bool     // -y
	warnings    []string // to be shown once the log is open
	planning    bool     // nothing will be run: see NewPlan
	login       string   // shell of the account
	noAccount   bool     // the account of this process is in no database

	command string
	tty     bool            // a terminal is asked for
	stdio   *forward.Listen // -W: where standard input and output lead
	order   string          // -O: what a master is to do
	// attached says that the connection is our own child's, which has done the
	// forwards.
	attached bool

	parent *os.File  // not nil: we go to the background after login and tell it so
	logTo  io.Writer // where the log goes
}

// Main runs ssh with the words behind its name and returns its exit status:
// that of the remote program, or 255.
func Main(ctx context.Context, std stdio.Stdio, args []string) int {
	r := &run{io: std, log: client.NewLogger(std.Err, client.LevelInfo, false), logTo: std.Err}
	r.beBackground()
	return r.main(ctx, args)
}

func (r *run) main(ctx context.Context, args []string) int {
	r.cctx = r.context()
	r.conf = sshconfig.NewClient(r.cctx)
	err := r.parse(args)
	if err == nil {
		err = r.prepare()
	}
	if err == nil {
		return r.connect(ctx)
	}
	return r.status(err)
}

// status says what an error has to say and is the exit status for it.
func (r *run) status(err error) int {
	var code exit
	var bad *sshconfig.ConfigError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case err == errUsage:
		r.io.Err.WriteString(usage())
	case errors.As(err, &bad):
		for _, line := range bad.Lines {
			r.log.Fatal("%s", line)
		}
	default:
		r.log.Fatal("%s", err)
	}
	return failure
}

// prepare opens the log, reads the configuration and checks what was asked
// for.
func (r *run) prepare() error {
	if !r.named {
		return errUsage
	}
	if r.noAccount {
		return fault("No user exists for uid " + r.cctx.UID)
	}
	if err := r.openLog(); err != nil {
		return err
	}
	if r.log.Enabled(client.LevelDebug1) {
		r.log.Debug1("%s", version.Line(cipher.Vector()))
	}
	if !sshconfig.ValidHost(r.host) {
		return sshconfig.ErrHostName
	}
	for _, u := range r.users {
		if !sshconfig.ValidUser(u) {
			return sshconfig.ErrUserName
		}
	}
	if err := r.takeCommand(); err != nil {
		return err
	}
	r.cctx.Host = r.host
	if err := r.conf.Load(sshconfig.DefaultSources(r.cctx.Home, r.configFile)...); err != nil {
		return err
	}
	r.log.SetLevel(r.conf.LogLevel)
	r.log.SetVerbose(r.conf.LogVerbose)
	if r.syslog && r.logFile == "" {
		r.log.UseSyslog(r.io.Name, r.conf.SyslogFacility)
	}
	if r.conf.GSSAPIAuthentication {
		r.log.Debug1("GSSAPIAuthentication: this program is built without Kerberos; going on without it")
	}
	r.stdioDefaults()
	if r.planning {
		return nil
	}
	if err := r.check(); err != nil {
		return err
	}
	switch {
	case r.printConfig:
		var b bytes.Buffer
		r.conf.Print(&b)
		r.io.Out.Write(b.Bytes())
		return exit(0)
	case r.listKeys:
		return r.printKeys()
	}
	return nil
}

// openLog sends the log where -E says, at the level of -v and -q.
func (r *run) openLog() error {
	level := client.LevelInfo
	if r.levelSet {
		r.force("LogLevel=INFO", func(c *sshconfig.Client) { c.LogLevel = r.level })
	}
	if r.conf.IsSet("LogLevel") {
		level = r.conf.LogLevel
	}
	if r.syslog && r.logFile == "" {
		r.log.UseSyslog(r.io.Name, sshconfig.FacilityUser)
	}
	if r.logFile != "" {
		f, err := os.OpenFile(r.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			r.io.Errorf("Couldn't open logfile %s: %s", r.logFile, client.Strerror(err))
			return exit(1)
		}
		r.log, r.logTo = client.NewLogger(f, level, true), f
		if r.parent != nil {
			r.log.Redirect(nil)
		}
	} else {
		r.log.SetLevel(level)
	}
	for _, w := range r.warnings {
		if r.parent != nil {
			break // the parent has said it
		}
		if r.logFile != "" {
			r.log.Info("%s", w)
		} else {
			r.io.Errorf("%s", w)
		}
	}
	return nil
}

// takeCommand joins the words of the command.
func (r *run) takeCommand() error {
	r.command = strings.Join(r.words, " ")
	r.cctx.Command = r.command
	if r.conf.IsSet("SessionType") && r.conf.SessionType == sshconfig.SessionSubsystem && r.command == "" {
		r.io.Err.WriteString("You must specify a subsystem to invoke.\n")
		return errUsage
	}
	return nil
}

// check refuses what cannot go together and settles whether a terminal is
// asked for.
func (r *run) check() error {
	c := r.conf
	if c.ConnectionAttempts <= 0 {
		return fault("Invalid number of ConnectionAttempts")
	}
	if r.command != "" && c.RemoteCommand != "" {
		return fault("Cannot execute command-line and remote command.")
	}
	if c.RemoteCommand != "" {
		r.command = c.RemoteCommand
	}
	if host, loop := c.JumpsToItself(); loop {
		return fault("jumphost loop via " + host)
	}
	if p := client.AgentPath(c.ForwardAgent.Path, r.io.Getenv); c.ForwardAgent.On && c.ForwardAgent.Path != "" {
		if _, err := os.Stat(p); err != nil {
			r.log.Error("Cannot forward agent socket path \"%s\": %s", p, client.Strerror(err))
			if c.ExitOnForwardFailure {
				return exit(failure)
			}
		}
	}
	if c.ForkAfterAuthentication && r.command == "" && c.SessionType != sshconfig.SessionNone {
		return fault("Cannot fork into background without a command to execute.")
	}
	r.tty = c.RequestTTY == sshconfig.TTYYes || c.RequestTTY == sshconfig.TTYForce
	if r.command == "" {
		r.tty = c.RequestTTY != sshconfig.TTYNo
	}
	if c.SessionType == sshconfig.SessionNone || r.order != "" && r.order != "proxy" {
		r.tty = false
	}
	if (c.StdinNull || !isTerminal(r.io.In)) && c.RequestTTY != sshconfig.TTYForce {
		if r.tty {
			r.log.Info("Pseudo-terminal will not be allocated because stdin is not a terminal.")
		}
		r.tty = false
	}
	return nil
}

// printKeys is -Z: the keys in the order in which they would be tried.
func (r *run) printKeys() error {
	ids := &client.Identities{Conf: r.conf, Log: r.log}
	if err := ids.LoadPublic(); err != nil {
		return err
	}
	a := client.OpenAgent(client.AgentPath(r.conf.IdentityAgent, r.io.Getenv), r.log)
	defer a.Close()
	for _, id := range ids.Arrange(a.Keys()) {
		fmt.Fprintln(r.io.Out, client.Visible(id.String()))
	}
	return exit(0)
}
