package wire

// Messages of the transport, userauth and connection protocols. Each has
// Append, which writes the whole payload beginning with its number, and a
// Decode that reads the fields behind the number and refuses what is left
// over. Byte slices that Decode sets alias the payload.

// KexInit is SSH_MSG_KEXINIT (RFC 4253 §7.1).
type KexInit struct {
	Cookie                         [16]byte
	Kex, HostKey                   []string
	CiphersC2S, CiphersS2C         []string
	MACsC2S, MACsS2C               []string
	CompressionC2S, CompressionS2C []string
	LanguagesC2S, LanguagesS2C     []string
	FirstKexPacketFollows          bool
	Reserved                       uint32
}

func (m *KexInit) lists() [10]*[]string {
	return [10]*[]string{&m.Kex, &m.HostKey, &m.CiphersC2S, &m.CiphersS2C, &m.MACsC2S, &m.MACsS2C,
		&m.CompressionC2S, &m.CompressionS2C, &m.LanguagesC2S, &m.LanguagesS2C}
}

// Append writes the payload.
func (m *KexInit) Append(b []byte) []byte {
	b = append(b, MsgKexInit)
	b = append(b, m.Cookie[:]...)
	for _, l := range m.lists() {
		b = AppendNameList(b, *l)
	}
	b = AppendBool(b, m.FirstKexPacketFollows)
	return AppendUint32(b, m.Reserved)
}

// Decode reads the payload p.
func (m *KexInit) Decode(p []byte) error {
	r := body(p, MsgKexInit)
	copy(m.Cookie[:], r.Fixed(16))
	for _, l := range m.lists() {
		*l = r.NameList()
	}
	m.FirstKexPacketFollows = r.Bool()
	m.Reserved = r.Uint32()
	return r.Done()
}

// body starts a reader behind the number of payload p, which must be n.
func body(p []byte, n byte) Reader {
	r := NewReader(p)
	if r.Byte() != n {
		r.fail(ErrNumber)
	}
	return r
}

// Disconnect is SSH_MSG_DISCONNECT (RFC 4253 §11.1).
type Disconnect struct {
	Reason      Reason
	Description string
	Language    string
}

// Append writes the payload.
func (m *Disconnect) Append(b []byte) []byte {
	b = append(b, MsgDisconnect)
	b = AppendUint32(b, uint32(m.Reason))
	b = AppendText(b, m.Description)
	return AppendText(b, m.Language)
}

// Decode reads the payload p. The language tag may be missing, as some peers
// leave it out.
func (m *Disconnect) Decode(p []byte) error {
	r := body(p, MsgDisconnect)
	m.Reason = Reason(r.Uint32())
	m.Description = r.Text()
	if r.Err() == nil && r.Len() > 0 {
		m.Language = r.Text()
	}
	return r.Done()
}

// Debug is SSH_MSG_DEBUG (RFC 4253 §11.3).
type Debug struct {
	AlwaysDisplay bool
	Message       string
	Language      string
}

// Append writes the payload.
func (m *Debug) Append(b []byte) []byte {
	b = AppendBool(append(b, MsgDebug), m.AlwaysDisplay)
	b = AppendText(b, m.Message)
	return AppendText(b, m.Language)
}

// Decode reads the payload p.
func (m *Debug) Decode(p []byte) error {
	r := body(p, MsgDebug)
	m.AlwaysDisplay, m.Message, m.Language = r.Bool(), r.Text(), r.Text()
	return r.Done()
}

// ExtInfo is SSH_MSG_EXT_INFO (RFC 8308 §2.3).
type ExtInfo struct{ Extensions []Extension }

// Extension is one entry of EXT_INFO; the value's form belongs to the name.
type Extension struct {
	Name  string
	Value []byte
}

// MaxExtensions is the number of entries taken from one EXT_INFO (NEG-15).
const MaxExtensions = 128

// Append writes the payload.
func (m *ExtInfo) Append(b []byte) []byte {
	b = AppendUint32(append(b, MsgExtInfo), uint32(len(m.Extensions)))
	for _, e := range m.Extensions {
		b = AppendString(AppendText(b, e.Name), e.Value)
	}
	return b
}

// Decode reads the payload p.
func (m *ExtInfo) Decode(p []byte) error {
	r := body(p, MsgExtInfo)
	n := r.Uint32()
	if n > MaxExtensions {
		return ErrTooMany
	}
	for i := uint32(0); i < n && r.Err() == nil; i++ {
		m.Extensions = append(m.Extensions, Extension{r.Text(), r.String()})
	}
	return r.Done()
}

// UserauthRequest is SSH_MSG_USERAUTH_REQUEST (RFC 4252 §5); Method's own
// fields are left in Rest.
type UserauthRequest struct {
	User, Service, Method string
	Rest                  []byte
}

// Append writes the payload.
func (m *UserauthRequest) Append(b []byte) []byte {
	b = AppendText(append(b, MsgUserauthRequest), m.User)
	b = AppendText(AppendText(b, m.Service), m.Method)
	return append(b, m.Rest...)
}

// Decode reads the payload p.
func (m *UserauthRequest) Decode(p []byte) error {
	r := body(p, MsgUserauthRequest)
	m.User, m.Service, m.Method = r.Text(), r.Text(), r.Text()
	if err := r.Err(); err != nil {
		return err
	}
	m.Rest = r.Rest()
	return nil
}

// UserauthFailure is SSH_MSG_USERAUTH_FAILURE (RFC 4252 §5.1).
type UserauthFailure struct {
	Methods        []string
	PartialSuccess bool
}

// Append writes the payload.
func (m *UserauthFailure) Append(b []byte) []byte {
	return AppendBool(AppendNameList(append(b, MsgUserauthFailure), m.Methods), m.PartialSuccess)
}

// Decode reads the payload p.
func (m *UserauthFailure) Decode(p []byte) error {
	r := body(p, MsgUserauthFailure)
	m.Methods, m.PartialSuccess = r.NameList(), r.Bool()
	return r.Done()
}

// UserauthBanner is SSH_MSG_USERAUTH_BANNER (RFC 4252 §5.4).
type UserauthBanner struct{ Message, Language string }

// Append writes the payload.
func (m *UserauthBanner) Append(b []byte) []byte {
	return AppendText(AppendText(append(b, MsgUserauthBanner), m.Message), m.Language)
}

// Decode reads the payload p.
func (m *UserauthBanner) Decode(p []byte) error {
	r := body(p, MsgUserauthBanner)
	m.Message, m.Language = r.Text(), r.Text()
	return r.Done()
}

// GlobalRequest is SSH_MSG_GLOBAL_REQUEST (RFC 4254 §4).
type GlobalRequest struct {
	Type      string
	WantReply bool
	Payload   []byte
}

// Append writes the payload.
func (m *GlobalRequest) Append(b []byte) []byte {
	b = AppendText(append(b, MsgGlobalRequest), m.Type)
	return append(AppendBool(b, m.WantReply), m.Payload...)
}

// Decode reads the payload p.
func (m *GlobalRequest) Decode(p []byte) error {
	r := body(p, MsgGlobalRequest)
	m.Type, m.WantReply = r.Text(), r.Bool()
	if err := r.Err(); err != nil {
		return err
	}
	m.Payload = r.Rest()
	return nil
}

// ChannelOpen is SSH_MSG_CHANNEL_OPEN (RFC 4254 §5.1).
type ChannelOpen struct {
	Type                      string
	Sender, Window, MaxPacket uint32
	Payload                   []byte
}

// Append writes the payload.
func (m *ChannelOpen) Append(b []byte) []byte {
	b = AppendText(append(b, MsgChannelOpen), m.Type)
	b = AppendUint32(AppendUint32(AppendUint32(b, m.Sender), m.Window), m.MaxPacket)
	return append(b, m.Payload...)
}

// Decode reads the payload p.
func (m *ChannelOpen) Decode(p []byte) error {
	r := body(p, MsgChannelOpen)
	m.Type = r.Text()
	m.Sender, m.Window, m.MaxPacket = r.Uint32(), r.Uint32(), r.Uint32()
	if err := r.Err(); err != nil {
		return err
	}
	m.Payload = r.Rest()
	return nil
}

// ChannelOpenConfirmation is SSH_MSG_CHANNEL_OPEN_CONFIRMATION (RFC 4254 §5.1).
type ChannelOpenConfirmation struct {
	Recipient, Sender, Window, MaxPacket uint32
	Payload                              []byte
}

// Append writes the payload.
func (m *ChannelOpenConfirmation) Append(b []byte) []byte {
	b = AppendUint32(append(b, MsgChannelOpenConfirmation), m.Recipient)
	b = AppendUint32(AppendUint32(AppendUint32(b, m.Sender), m.Window), m.MaxPacket)
	return append(b, m.Payload...)
}

// Decode reads the payload p.
func (m *ChannelOpenConfirmation) Decode(p []byte) error {
	r := body(p, MsgChannelOpenConfirmation)
	m.Recipient, m.Sender, m.Window, m.MaxPacket = r.Uint32(), r.Uint32(), r.Uint32(), r.Uint32()
	if err := r.Err(); err != nil {
		return err
	}
	m.Payload = r.Rest()
	return nil
}

// ChannelOpenFailure is SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254 §5.1).
type ChannelOpenFailure struct {
	Recipient   uint32
	Reason      OpenReason
	Description string
	Language    string
}

// Append writes the payload.
func (m *ChannelOpenFailure) Append(b []byte) []byte {
	b = AppendUint32(append(b, MsgChannelOpenFailure), m.Recipient)
	b = AppendUint32(b, uint32(m.Reason))
	return AppendText(AppendText(b, m.Description), m.Language)
}

// Decode reads the payload p; description and language may be missing, as some
// peers leave them out.
func (m *ChannelOpenFailure) Decode(p []byte) error {
	r := body(p, MsgChannelOpenFailure)
	m.Recipient, m.Reason = r.Uint32(), OpenReason(r.Uint32())
	if r.Err() == nil && r.Len() > 0 {
		m.Description, m.Language = r.Text(), r.Text()
	}
	return r.Done()
}

// ChannelRequest is SSH_MSG_CHANNEL_REQUEST (RFC 4254 §5.4).
type ChannelRequest struct {
	Recipient uint32
	Type      string
	WantReply bool
	Payload   []byte
}

// Append writes the payload.
func (m *ChannelRequest) Append(b []byte) []byte {
	b = AppendUint32(append(b, MsgChannelRequest), m.Recipient)
	b = AppendBool(AppendText(b, m.Type), m.WantReply)
	return append(b, m.Payload...)
}

// Decode reads the payload p.
func (m *ChannelRequest) Decode(p []byte) error {
	r := body(p, MsgChannelRequest)
	m.Recipient, m.Type, m.WantReply = r.Uint32(), r.Text(), r.Bool()
	if err := r.Err(); err != nil {
		return err
	}
	m.Payload = r.Rest()
	return nil
}
