package wire

import "strconv"

// Message numbers (RFC 4250 §4.1.2, RFC 8308, and OpenSSH's PING and PONG).
const (
	MsgDisconnect     = 1
	MsgIgnore         = 2
	MsgUnimplemented  = 3
	MsgDebug          = 4
	MsgServiceRequest = 5
	MsgServiceAccept  = 6
	MsgExtInfo        = 7

	MsgKexInit = 20
	MsgNewKeys = 21

	// 30 to 49 belong to the key exchange method.
	MsgKexECDHInit     = 30 // also KEXDH_INIT
	MsgKexECDHReply    = 31 // also KEXDH_REPLY
	MsgKexGexGroup     = 31
	MsgKexGexInit      = 32
	MsgKexGexReply     = 33
	MsgKexGexRequest   = 34
	MsgKexMethodLowest = 30
	MsgKexMethodLast   = 49

	MsgUserauthRequest = 50
	MsgUserauthFailure = 51
	MsgUserauthSuccess = 52
	MsgUserauthBanner  = 53

	// 60 to 79 belong to the authentication method.
	MsgUserauthPKOK            = 60
	MsgUserauthPasswdChangereq = 60
	MsgUserauthInfoRequest     = 60
	MsgUserauthInfoResponse    = 61

	MsgGlobalRequest  = 80
	MsgRequestSuccess = 81
	MsgRequestFailure = 82

	MsgChannelOpen             = 90
	MsgChannelOpenConfirmation = 91
	MsgChannelOpenFailure      = 92
	MsgChannelWindowAdjust     = 93
	MsgChannelData             = 94
	MsgChannelExtendedData     = 95
	MsgChannelEOF              = 96
	MsgChannelClose            = 97
	MsgChannelRequest          = 98
	MsgChannelSuccess          = 99
	MsgChannelFailure          = 100

	MsgPing = 192
	MsgPong = 193
)

// names is the one table of message names, for traces and errors.
var names = [256]string{
	MsgDisconnect: "DISCONNECT", MsgIgnore: "IGNORE", MsgUnimplemented: "UNIMPLEMENTED",
	MsgDebug: "DEBUG", MsgServiceRequest: "SERVICE_REQUEST", MsgServiceAccept: "SERVICE_ACCEPT",
	MsgExtInfo: "EXT_INFO", MsgKexInit: "KEXINIT", MsgNewKeys: "NEWKEYS",
	30: "KEX_30", 31: "KEX_31", 32: "KEX_32", 33: "KEX_33", 34: "KEX_34",
	MsgUserauthRequest: "USERAUTH_REQUEST", MsgUserauthFailure: "USERAUTH_FAILURE",
	MsgUserauthSuccess: "USERAUTH_SUCCESS", MsgUserauthBanner: "USERAUTH_BANNER",
	60: "USERAUTH_60", 61: "USERAUTH_61",
	MsgGlobalRequest: "GLOBAL_REQUEST", MsgRequestSuccess: "REQUEST_SUCCESS", MsgRequestFailure: "REQUEST_FAILURE",
	MsgChannelOpen: "CHANNEL_OPEN", MsgChannelOpenConfirmation: "CHANNEL_OPEN_CONFIRMATION",
	MsgChannelOpenFailure: "CHANNEL_OPEN_FAILURE", MsgChannelWindowAdjust: "CHANNEL_WINDOW_ADJUST",
	MsgChannelData: "CHANNEL_DATA", MsgChannelExtendedData: "CHANNEL_EXTENDED_DATA",
	MsgChannelEOF: "CHANNEL_EOF", MsgChannelClose: "CHANNEL_CLOSE", MsgChannelRequest: "CHANNEL_REQUEST",
	MsgChannelSuccess: "CHANNEL_SUCCESS", MsgChannelFailure: "CHANNEL_FAILURE",
	MsgPing: "PING", MsgPong: "PONG",
}

// MessageName names message number n for traces and errors.
func MessageName(n byte) string {
	if s := names[n]; s != "" {
		return s
	}
	return "message " + strconv.Itoa(int(n))
}

// Reason is a disconnection reason code (RFC 4253 §11.1).
type Reason uint32

// Reason codes.
const (
	ReasonHostNotAllowed       Reason = 1
	ReasonProtocolError        Reason = 2
	ReasonKeyExchangeFailed    Reason = 3
	ReasonReserved             Reason = 4
	ReasonMACError             Reason = 5
	ReasonCompressionError     Reason = 6
	ReasonServiceNotAvailable  Reason = 7
	ReasonVersionNotSupported  Reason = 8
	ReasonHostKeyNotVerifiable Reason = 9
	ReasonConnectionLost       Reason = 10
	ReasonByApplication        Reason = 11
	ReasonTooManyConnections   Reason = 12
	ReasonAuthCancelledByUser  Reason = 13
	ReasonNoMoreAuthMethods    Reason = 14
	ReasonIllegalUserName      Reason = 15
)

// OpenReason is a channel open failure code (RFC 4254 §5.1).
type OpenReason uint32

// Channel open failure codes.
const (
	OpenAdministrativelyProhibited OpenReason = 1
	OpenConnectFailed              OpenReason = 2
	OpenUnknownChannelType         OpenReason = 3
	OpenResourceShortage           OpenReason = 4
)

// ExtendedDataStderr is the one data type code of RFC 4254 §5.2.
const ExtendedDataStderr = 1

// MaxPacket is the largest packet_length taken from a peer (PKT-1).
const MaxPacket = 256 << 10
