package ssh

import (
	"errors"
	"os"
	"strings"

	"github.com/nacre-ssh/nacre/internal/client"
	"github.com/nacre-ssh/nacre/internal/program/getopt"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// A flag is one letter of the command line. It sets a keyword of
// ssh_config(5), runs apply, or answers that its feature is missing.
type flag struct {
	letter  byte
	arg     string // name of its value in the usage line; "" for none
	keyword string // with arg: set to the value given; else to value
	value   string
	apply   func(r *run, value string) error
	missing string // what this version cannot do yet
	doc     string
}

// flags is the command line of ssh(1), in the order of its usage line.
var flags = [...]flag{
	{letter: '1', apply: (*run).protocol1, doc: "protocol 1, which is gone: an error"},
	{letter: '2', doc: "protocol 2: accepted, the only one there is"},
	{letter: '4', apply: func(r *run, _ string) error {
		return r.force("AddressFamily=inet", func(c *sshconfig.Client) { c.AddressFamily = sshconfig.FamilyInet })
	}, doc: "IPv4 only"},
	{letter: '6', apply: func(r *run, _ string) error {
		return r.force("AddressFamily=inet6", func(c *sshconfig.Client) { c.AddressFamily = sshconfig.FamilyInet6 })
	}, doc: "IPv6 only"},
	{letter: 'A', missing: "agent forwarding", apply: func(r *run, _ string) error {
		return r.force("ForwardAgent=yes", func(c *sshconfig.Client) { c.ForwardAgent = sshconfig.ForwardAgent{On: true} })
	}, doc: "forward the agent"},
	{letter: 'a', apply: func(r *run, _ string) error {
		return r.force("ForwardAgent=no", func(c *sshconfig.Client) { c.ForwardAgent = sshconfig.ForwardAgent{} })
	}, doc: "do not forward the agent"},
	{letter: 'C', apply: func(r *run, _ string) error {
		return r.force("Compression=yes", func(c *sshconfig.Client) { c.Compression = true })
	}, doc: "compress"},
	{letter: 'f', apply: func(r *run, _ string) error {
		return errors.Join(
			r.force("ForkAfterAuthentication=yes", func(c *sshconfig.Client) { c.ForkAfterAuthentication = true }),
			r.force("StdinNull=yes", func(c *sshconfig.Client) { c.StdinNull = true }))
	}, doc: "go to the background just before the command runs; implies -n"},
	{letter: 'G', apply: func(r *run, _ string) error { r.printConfig = true; return nil }, doc: "print the configuration and exit"},
	{letter: 'g', apply: func(r *run, _ string) error {
		return r.force("GatewayPorts=yes", func(c *sshconfig.Client) { c.GatewayPorts = true })
	}, doc: "others may use local forwards"},
	{letter: 'K', missing: "Kerberos authentication", doc: "authenticate with Kerberos and hand credentials over"},
	{letter: 'k', doc: "do not hand Kerberos credentials over: they never are"},
	{letter: 'M', apply: (*run).beMaster, doc: "be a master that other sessions share; twice asks for each"},
	{letter: 'N', apply: (*run).noCommand, doc: "run no command: forwards only"},
	{letter: 'n', apply: func(r *run, _ string) error {
		return r.force("StdinNull=yes", func(c *sshconfig.Client) { c.StdinNull = true })
	}, doc: "read nothing from standard input"},
	{letter: 'q', apply: func(r *run, _ string) error { r.level, r.levelSet = sshconfig.Quiet, true; return nil }, doc: "say nothing"},
	{letter: 's', apply: (*run).subsystem, doc: "the command is the name of a subsystem"},
	{letter: 'T', apply: func(r *run, _ string) error { return r.requestTTY(sshconfig.TTYNo) }, doc: "no terminal"},
	{letter: 't', apply: func(r *run, _ string) error {
		if r.conf.RequestTTY == sshconfig.TTYYes {
			return r.requestTTY(sshconfig.TTYForce)
		}
		return r.requestTTY(sshconfig.TTYYes)
	}, doc: "a terminal; twice also where there is none on this side"},
	{letter: 'V', apply: (*run).version, doc: "print the version and exit"},
	{letter: 'v', apply: func(r *run, _ string) error {
		switch {
		case !r.levelSet || r.level < sshconfig.Debug1:
			r.level, r.levelSet = sshconfig.Debug1, true
		case r.level < sshconfig.Debug3:
			r.level++
		}
		return nil
	}, doc: "say what goes on, more with each of up to three"},
	{letter: 'X', missing: "X11 forwarding", doc: "forward X11"},
	{letter: 'x', apply: func(r *run, _ string) error {
		return r.force("ForwardX11=no", func(c *sshconfig.Client) { c.ForwardX11 = false })
	}, doc: "do not forward X11"},
	{letter: 'Y', missing: "X11 forwarding", doc: "forward X11, trusted"},
	{letter: 'y', apply: func(r *run, _ string) error { r.syslog = true; return nil }, doc: "log to syslog"},
	{letter: 'Z', apply: func(r *run, _ string) error { r.listKeys = true; return nil }, doc: "list the keys that would be tried and exit"},
	{letter: 'B', arg: "bind_interface", keyword: "BindInterface", doc: "connect from this interface"},
	{letter: 'b', arg: "bind_address", keyword: "BindAddress", doc: "connect from this address"},
	{letter: 'c', arg: "cipher_spec", apply: (*run).ciphers, doc: "ciphers, best first; + and ^ change the default"},
	{letter: 'D', arg: "[bind_address:]port", apply: (*run).dynamicForward, doc: "SOCKS server on this side"},
	{letter: 'E', arg: "log_file", apply: func(r *run, v string) error { r.logFile = v; return nil }, doc: "append what the program says to a file"},
	{letter: 'e', arg: "escape_char", apply: (*run).escapeChar, doc: "escape character, ^ and a letter, or none"},
	{letter: 'F', arg: "configfile", apply: func(r *run, v string) error { r.configFile = v; return nil }, doc: "read this configuration only; none reads none"},
	{letter: 'I', arg: "pkcs11", missing: "PKCS#11 tokens", doc: "library of a token"},
	{letter: 'i', arg: "identity_file", apply: (*run).identity, doc: "private key file, or public for a key of the agent"},
	{letter: 'J', arg: "destination", apply: (*run).jump, doc: "jump hosts, in order"},
	{letter: 'L', arg: "address", apply: (*run).localForward, doc: "listen here, connect there"},
	{letter: 'l', arg: "login_name", apply: func(r *run, v string) error { r.setUser(v); return nil }, doc: "user name on the other side"},
	{letter: 'm', arg: "mac_spec", apply: (*run).macs, doc: "message authentication codes, best first"},
	{letter: 'O', arg: "ctl_cmd", apply: (*run).controlOrder, doc: "give an order to a master"},
	{letter: 'o', arg: "option", apply: (*run).option, doc: "any keyword of the configuration"},
	{letter: 'P', arg: "tag", keyword: "Tag", doc: "tag for Match tagged"},
	{letter: 'p', arg: "port", apply: (*run).port, doc: "port or service name"},
	{letter: 'Q', arg: "query_option", apply: (*run).query, doc: "list what is supported"},
	{letter: 'R', arg: "address", apply: (*run).remoteForward, doc: "listen there, connect here"},
	{letter: 'S', arg: "ctl_path", apply: (*run).controlPath, doc: "socket for connection sharing; none turns it off"},
	{letter: 'W', arg: "host:port", apply: (*run).stdioForward, doc: "standard input and output to a place on the other side"},
	{letter: 'w', arg: "local_tun[:remote_tun]", missing: "tunnel devices", doc: "forward a tunnel device"},
}

func flagByLetter(letter byte) *flag {
	for i := range flags {
		if flags[i].letter == letter {
			return &flags[i]
		}
	}
	return nil
}

// exit ends a run with a status; nothing more is said.
type exit int

func (e exit) Error() string { return "exit" }

// errUsage ends a run with the usage lines.
var errUsage = errors.New("usage")

// A fault is a message to be shown as it is before the run ends with 255.
type fault string

func (f fault) Error() string { return string(f) }

// parse reads the command line into r.
func (r *run) parse(args []string) error {
	opts := getopt.Reader{Args: args, Value: func(letter byte) (value, known bool) {
		f := flagByLetter(letter)
		return f != nil && f.arg != "", f != nil
	}}
	for {
		before := len(opts.Args)
		letter, value, err := opts.Next()
		if err != nil {
			r.log.Error("%s", err)
			return errUsage
		}
		if letter != 0 {
			if err := r.flag(letter, value); err != nil {
				return err
			}
			continue
		}
		ended := len(opts.Args) < before // by "--"
		if r.host != "" || r.named || len(opts.Args) == 0 {
			break
		}
		if err := r.destination(opts.Args[0]); err != nil {
			return err
		}
		opts.Args = opts.Args[1:]
		if ended {
			break
		}
	}
	r.words = opts.Args
	return nil
}

func (r *run) flag(letter byte, value string) error {
	f := flagByLetter(letter)
	switch {
	case f.missing != "":
		return fault("-" + string(letter) + ": " + f.missing + " is not there yet in this version")
	case f.apply != nil:
		return f.apply(r, value)
	case f.keyword != "":
		if f.arg == "" {
			value = f.value
		}
		return r.set(sshconfig.Option(f.keyword, value))
	}
	return nil
}

// set gives a keyword a value unless it has one.
func (r *run) set(option string) error {
	err := r.conf.Set(option)
	var bad *sshconfig.ConfigError
	if errors.As(err, &bad) {
		for _, line := range bad.Lines {
			r.log.Error("%s", line)
		}
		return exit(255)
	}
	return err
}

// force gives a keyword a value even if it has one: a flag counts before an
// earlier -o.
func (r *run) force(option string, assign func(*sshconfig.Client)) error {
	err := r.set(option)
	assign(r.conf)
	return err
}

func (r *run) option(value string) error { return r.set(value) }

func (r *run) protocol1(string) error { return fault("SSH protocol v.1 is no longer supported") }

func (r *run) requestTTY(v sshconfig.RequestTTY) error {
	return r.force("RequestTTY=no", func(c *sshconfig.Client) { c.RequestTTY = v })
}

func (r *run) noCommand(string) error {
	if r.conf.IsSet("SessionType") && r.conf.SessionType != sshconfig.SessionNone {
		return fault("Cannot specify -N with -s/SessionType")
	}
	r.force("SessionType=none", func(c *sshconfig.Client) { c.SessionType = sshconfig.SessionNone })
	return r.requestTTY(sshconfig.TTYNo)
}

func (r *run) subsystem(string) error {
	if r.conf.IsSet("SessionType") && r.conf.SessionType != sshconfig.SessionSubsystem {
		return fault("Cannot specify -s with -N/SessionType")
	}
	return r.force("SessionType=subsystem", func(c *sshconfig.Client) { c.SessionType = sshconfig.SessionSubsystem })
}

func (r *run) ciphers(v string) error {
	list := strings.TrimLeft(v, "+^")
	if len(v)-len(list) > 1 || !allKnown(list, r.cctx.Algorithms.Ciphers.Known) {
		return fault("Unknown cipher type '" + v + "'")
	}
	return r.set(sshconfig.Option("Ciphers", v))
}

func (r *run) macs(v string) error {
	if !allKnown(v, r.cctx.Algorithms.MACs.Known) {
		return fault("Unknown mac type '" + v + "'")
	}
	return r.set(sshconfig.Option("MACs", v))
}

func allKnown(list string, known []string) bool {
	for name := range strings.SplitSeq(list, ",") {
		found := false
		for _, k := range known {
			found = found || k == name
		}
		if !found {
			return false
		}
	}
	return true
}

func (r *run) escapeChar(v string) error {
	c, ok := sshconfig.ParseEscapeChar(v)
	if !ok {
		return fault("Bad escape character '" + v + "'.")
	}
	return r.force("EscapeChar=none", func(o *sshconfig.Client) { o.EscapeChar = c })
}

// jump is -J. What a shell could make of its parts is refused, as it is for a
// destination.
func (r *run) jump(v string) error {
	switch {
	case r.conf.ProxyJump != "":
		return fault("Only a single -J option is permitted (use commas to separate multiple jump hops)")
	case r.conf.ProxyCommand != "":
		return fault("Cannot specify -J with ProxyCommand")
	}
	if !strings.EqualFold(v, "none") {
		hops, err := sshconfig.ParseJump(v)
		if err != nil {
			return fault("Invalid -J argument")
		}
		for _, h := range hops {
			if !sshconfig.ValidHost(h.Host) || h.User != "" && !sshconfig.ValidUser(h.User) {
				return fault("Invalid -J argument")
			}
		}
	}
	return r.set(sshconfig.Option("ProxyJump", v))
}

func (r *run) port(v string) error {
	if _, ok := client.ParsePort(v); !ok {
		return fault("Bad port '" + v + "'")
	}
	return r.set(sshconfig.Option("Port", v))
}

// identity adds a private key file. One that is not there is only warned of.
func (r *run) identity(v string) error {
	path, err := expandTilde(v, r.cctx)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		r.warnings = append(r.warnings, "Warning: Identity file "+path+" not accessible: "+client.Strerror(err)+".")
		return nil
	}
	return r.set(sshconfig.Option("IdentityFile", v))
}

// setUser takes a user name as it is; the first one counts.
func (r *run) setUser(name string) {
	r.users = append(r.users, name)
	r.conf.SetUser(name)
}

// destination takes the first word that is no option.
func (r *run) destination(word string) error {
	d, err := sshconfig.ParseDestination(word)
	if err != nil {
		return errUsage
	}
	if d.User != "" {
		r.setUser(d.User)
	}
	if d.Port != 0 && !r.conf.IsSet("Port") {
		r.conf.Set("Port=" + itoa(d.Port))
	}
	r.host, r.named = d.Host, true
	return nil
}
