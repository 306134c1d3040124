package main

import (
	"io"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailServer returns a server that puts every mail into the box; with logins it takes any user and password, and none.
func mailServer(box *box, address string, logins bool) *smtp.Server {
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		plain := &session{box: box}
		if logins {
			return &loginSession{plain}, nil
		}
		return plain, nil
	}))
	server.Addr = address
	server.Domain = "mailpit"
	server.AllowInsecureAuth = logins
	server.MaxMessageBytes = 50 << 20
	server.ReadTimeout = 10 * time.Minute
	server.WriteTimeout = time.Minute
	return server
}

// session is one connection of a sender.
type session struct {
	box  *box
	user string
	from string
	to   []string
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(body io.Reader) error {
	raw, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return s.box.add(mail{Created: time.Now().UTC(), Username: s.user, Sender: s.from, Recipients: s.to, Raw: raw})
}

func (s *session) Reset() { s.from, s.to = "", nil }

func (s *session) Logout() error { return nil }

// loginSession is a session that offers a login.
type loginSession struct{ *session }

func (s *loginSession) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

func (s *loginSession) Auth(mechanism string) (sasl.Server, error) {
	if mechanism == sasl.Login {
		return &login{session: s.session}, nil
	}
	return sasl.NewPlainServer(func(_, user, _ string) error {
		s.user = user
		return nil
	}), nil
}

// login is the mechanism LOGIN: the server asks for the user, then for the password.
type login struct {
	session *session
	step    int
}

func (l *login) Next(response []byte) ([]byte, bool, error) {
	// A client may send the user along with the command.
	if l.step == 0 && response == nil {
		return []byte("Username:"), false, nil
	}
	l.step++
	if l.step == 1 {
		l.session.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, nil
}
