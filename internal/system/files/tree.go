package files

import (
	"strconv"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/sftp"
)

// maxNames is how many names of ids a Tree remembers, of users and of groups.
const maxNames = 4096

// Tree is an sftp.FS over the process's files. It serves one session.
type Tree struct {
	// Account is whose session it is: what home-directory tells of "".
	Account *account.Account
	// Database knows names of users and groups. It is asked when there is need,
	// so within a ChrootDirectory it knows what is there.
	Database *account.Database

	users, groups map[uint32]string
}

var (
	_ sftp.FS            = (*Tree)(nil)
	_ sftp.PosixRenamer  = (*Tree)(nil)
	_ sftp.StatVFSer     = (*Tree)(nil)
	_ sftp.Linker        = (*Tree)(nil)
	_ sftp.Syncer        = (*Tree)(nil)
	_ sftp.LinkSetstater = (*Tree)(nil)
	_ sftp.Expander      = (*Tree)(nil)
	_ sftp.Homer         = (*Tree)(nil)
	_ sftp.IDNamer       = (*Tree)(nil)
	_ sftp.Copier        = (*Tree)(nil)
)

// UserName is the name of user uid, "" when it has none.
func (t *Tree) UserName(uid uint32) string {
	return remember(&t.users, uid, func() string {
		if a, err := t.Database.LookupID(uid); err == nil {
			return a.Name
		}
		return ""
	})
}

// GroupName is the name of group gid, "" when it has none.
func (t *Tree) GroupName(gid uint32) string {
	return remember(&t.groups, gid, func() string {
		if g, err := t.Database.LookupGroupID(gid); err == nil {
			return g.Name
		}
		return ""
	})
}

func remember(names *map[uint32]string, id uint32, find func() string) string {
	if s, ok := (*names)[id]; ok {
		return s
	}
	if *names == nil || len(*names) >= maxNames {
		*names = make(map[uint32]string)
	}
	s := find()
	(*names)[id] = s
	return s
}

// longname is the line of `ls -l`.
func (t *Tree) longname(name string, a *sftp.Attr, links uint64) string {
	user, group := t.UserName(a.UID), t.GroupName(a.GID)
	if user == "" {
		user = strconv.FormatUint(uint64(a.UID), 10)
	}
	if group == "" {
		group = strconv.FormatUint(uint64(a.GID), 10)
	}
	return string(sftp.AppendLongname(nil, name, a, strconv.FormatUint(links, 10), user, group, time.Now()))
}

// HomeDirectory is the home of user; "" means whose session it is.
func (t *Tree) HomeDirectory(user string) (string, error) {
	a := t.Account
	if user != "" {
		var err error
		if a, err = t.Database.Lookup(user); err != nil {
			return "", &sftp.StatusError{Code: sftp.StatusFailure, Err: err}
		}
	}
	if a == nil {
		return "", &sftp.StatusError{Code: sftp.StatusFailure, Err: account.ErrUnknown}
	}
	return a.Home, nil
}

// Expand makes name absolute. It may begin with ~, the directory the session
// is in, or with ~user, the home of another.
func (t *Tree) Expand(name string) (string, error) {
	dir, err := workingDir()
	if err != nil {
		return "", err
	}
	switch {
	case name == "":
		return ".", nil
	case name == "~":
		return dir, nil
	case strings.HasPrefix(name, "~/"):
		return dir + "/" + name[2:], nil
	case name[0] == '~':
		user, rest, _ := strings.Cut(name[1:], "/")
		a, err := t.Database.Lookup(user)
		if err != nil {
			return "", &sftp.StatusError{Code: sftp.StatusNoSuchFile, Message: "no such user", Err: err}
		}
		return a.Home + "/" + rest, nil
	case name[0] != '/':
		return dir + "/" + name, nil
	}
	return name, nil
}

// maxLinks is how many links RealPath follows.
const maxLinks = 32

// RealPath is the absolute name of name without links, "." and "..". Its last
// part need not exist.
func (t *Tree) RealPath(name string) (string, error) {
	resolved := ""
	if !strings.HasPrefix(name, "/") {
		dir, err := workingDir()
		if err != nil {
			return "", err
		}
		resolved = strings.TrimSuffix(dir, "/")
	}
	left, links := name, 0
	for left != "" {
		var part string
		var more bool // a slash follows: it has to exist
		part, left, more = strings.Cut(left, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			resolved = resolved[:max(strings.LastIndexByte(resolved, '/'), 0)]
			continue
		}
		next := resolved + "/" + part
		if len(next) > sftp.MaxPath {
			return "", tooLong()
		}
		link, isLink, err := linkAt(next)
		if err != nil {
			if !more && notThere(err) {
				return next, nil
			}
			return "", err
		}
		if !isLink {
			resolved = next
			continue
		}
		if links++; links > maxLinks {
			return "", tooManyLinks()
		}
		if strings.HasPrefix(link, "/") {
			resolved = ""
		}
		if more {
			link += "/" + left
		}
		if left = link; len(left) > sftp.MaxPath {
			return "", tooLong()
		}
	}
	if resolved == "" {
		resolved = "/"
	}
	return resolved, nil
}
