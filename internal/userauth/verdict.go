package userauth

import "github.com/nacre-ssh/nacre/internal/wire"

// A verdict is what becomes of a message by its number alone.
type verdict uint8

const (
	refuse  verdict = iota // code 2 and close
	unknown                // UNIMPLEMENTED, the dialogue goes on
	process
)

// A state says which messages are awaited.
type state uint8

const (
	serverService  state = iota // server: SERVICE_REQUEST must come first
	serverRequest               // server: USERAUTH_REQUEST
	serverAnswer                // server: INFO_RESPONSE to our INFO_REQUEST, or a new USERAUTH_REQUEST
	clientService               // client: SERVICE_ACCEPT must come first
	clientReply                 // client: SUCCESS, FAILURE, BANNER
	clientQuestion              // client: the same, or 60 of the method that was asked for
)

// judge gives the verdict on message number n in state s. The server's rows
// hold no message that only servers send, and the other way round (AUT-2).
// What is 80 and above before success is always refused (AUT-1).
func judge(s state, n byte) verdict {
	switch s {
	case serverService:
		if n == wire.MsgServiceRequest {
			return process
		}
	case serverRequest, serverAnswer:
		switch n {
		case wire.MsgUserauthRequest:
			return process
		case wire.MsgServiceRequest:
			if s == serverRequest {
				return process
			}
			return refuse
		case wire.MsgUserauthInfoResponse:
			if s == serverAnswer {
				return process
			}
			return refuse
		}
	case clientService:
		if n == wire.MsgServiceAccept {
			return process
		}
	case clientReply, clientQuestion:
		switch n {
		case wire.MsgUserauthFailure, wire.MsgUserauthSuccess, wire.MsgUserauthBanner:
			return process
		case wire.MsgUserauthInfoRequest: // also PK_OK and PASSWD_CHANGEREQ
			if s == clientQuestion {
				return process
			}
			return refuse
		}
	}
	// Numbers that nobody has given a meaning are answered as RFC 4253 §11.4
	// says. Those with one are out of place here.
	switch {
	case n > wire.MsgExtInfo && n < wire.MsgKexInit,
		n > wire.MsgUserauthBanner && n < wire.MsgUserauthInfoRequest,
		n > wire.MsgUserauthInfoResponse && n < wire.MsgGlobalRequest:
		if s == serverService || s == clientService {
			return refuse
		}
		return unknown
	}
	return refuse
}
