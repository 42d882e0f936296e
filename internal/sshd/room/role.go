package room

import "strings"

// Role is what a process of the server is for.
type Role int

// Roles. A process without a role word is the listener.
const (
	Listener Role = iota
	Monitor       // root: keys, accounts, terminals; one for each configuration
	Lobby         // strangers until their KEXINIT
	Network       // all the protocol, for one connection or for many
	Login         // the user
)

var words = [...]string{Monitor: "monitor", Lobby: "lobby", Network: "network", Login: "login"}

// prefix marks the first argument of a room.
const prefix = "--room="

func (r Role) String() string {
	if r > Listener && int(r) < len(words) {
		return words[r]
	}
	return "listener"
}

// Word is the first argument of a process with this role.
func (r Role) Word() string { return prefix + r.String() }

// FromArgs is the role that a command line asks for, and the arguments behind
// the word. Listener stands for a command line of a person.
func FromArgs(args []string) (Role, []string) {
	if len(args) > 0 {
		if word, ok := strings.CutPrefix(args[0], prefix); ok {
			for r := Monitor; int(r) < len(words); r++ {
				if words[r] == word {
					return r, args[1:]
				}
			}
		}
	}
	return Listener, args
}
