package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"
)

// address is one of a message's people, as the API shows them.
type address struct{ Name, Address string }

// summary is a message in a list of the API.
type summary struct {
	ID, MessageID, Subject, Username, Snippet string
	Read                                      bool
	From                                      *address
	To, Cc, Bcc, ReplyTo                      []address
	Created                                   time.Time
	Tags                                      []string
	Size, Attachments                         int
}

// message is one message of the API.
type message struct {
	summary
	Text, HTML, ReturnPath string
	Date                   time.Time
}

func handler(box *box) http.Handler {
	paths := http.NewServeMux()
	ok := func(answer http.ResponseWriter, _ *http.Request) { io.WriteString(answer, "ok") }
	paths.HandleFunc("GET /readyz", ok)
	paths.HandleFunc("GET /livez", ok)
	paths.HandleFunc("GET /api/v1/info", func(answer http.ResponseWriter, _ *http.Request) {
		respond(answer, map[string]any{"Version": "kilter-test", "Messages": len(box.all())})
	})
	paths.HandleFunc("GET /api/v1/messages", func(answer http.ResponseWriter, request *http.Request) {
		respond(answer, list(box.all(), number(request, "start", 0), number(request, "limit", 50)))
	})
	paths.HandleFunc("DELETE /api/v1/messages", func(answer http.ResponseWriter, request *http.Request) {
		var wanted struct{ IDs []string }
		if err := json.NewDecoder(request.Body).Decode(&wanted); err != nil && err != io.EOF {
			http.Error(answer, err.Error(), http.StatusBadRequest)
		} else if err := box.remove(wanted.IDs); err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
		} else {
			ok(answer, request)
		}
	})
	paths.HandleFunc("GET /api/v1/message/{id}", one(box, func(answer http.ResponseWriter, found mail) {
		respond(answer, read(found))
	}))
	paths.HandleFunc("GET /api/v1/message/{id}/raw", one(box, func(answer http.ResponseWriter, found mail) {
		answer.Header().Set("Content-Type", "text/plain; charset=utf-8")
		answer.Write(found.Raw)
	}))
	paths.HandleFunc("GET /{$}", func(answer http.ResponseWriter, _ *http.Request) {
		messages := []message{}
		for _, found := range box.all() {
			messages = append(messages, read(found))
		}
		page.Execute(answer, messages)
	})
	return paths
}

var page = template.Must(template.New("").Parse(`<!doctype html><title>Mailpit</title>
<table>{{range .}}<tr><td>{{.Created.Format "2006-01-02 15:04:05"}}<td>{{with .From}}{{.Address}}{{end}}
<td>{{range .To}}{{.Address}} {{end}}<td><a href="/api/v1/message/{{.ID}}/raw">{{.Subject}}</a></tr>
{{else}}<tr><td>No mail yet</tr>{{end}}</table>
`))

// one looks the message of the path up; `latest` is the newest.
func one(box *box, show func(http.ResponseWriter, mail)) http.HandlerFunc {
	return func(answer http.ResponseWriter, request *http.Request) {
		id := request.PathValue("id")
		for _, found := range box.all() {
			if id == "latest" || found.ID == id {
				show(answer, found)
				return
			}
		}
		http.Error(answer, "message not found", http.StatusNotFound)
	}
}

// list is the answer about the messages from start on, at most limit of them.
func list(mails []mail, start, limit int) map[string]any {
	part := mails[min(start, len(mails)):min(start+limit, len(mails))]
	summaries := []summary{}
	for _, found := range part {
		summaries = append(summaries, read(found).summary)
	}
	return map[string]any{
		"total": len(mails), "unread": len(mails), "count": len(part), "messages_count": len(mails),
		"messages_unread": len(mails), "start": start, "tags": []string{}, "messages": summaries,
	}
}

func number(request *http.Request, name string, otherwise int) int {
	if value, err := strconv.Atoi(request.URL.Query().Get(name)); err == nil && value >= 0 {
		return value
	}
	return otherwise
}

func respond(answer http.ResponseWriter, value any) {
	answer.Header().Set("Content-Type", "application/json")
	json.NewEncoder(answer).Encode(value)
}

// read takes a message apart. What is no message by the rules has its sender and recipients alone.
func read(one mail) message {
	result := message{summary: summary{
		ID: one.ID, Created: one.Created, Username: one.Username, Size: len(one.Raw), Tags: []string{},
		Cc: []address{}, Bcc: []address{}, ReplyTo: []address{},
	}, ReturnPath: one.Sender, Date: one.Created}
	for _, recipient := range one.Recipients {
		result.To = append(result.To, address{Address: recipient})
	}
	parsed, err := netmail.ReadMessage(bytes.NewReader(one.Raw))
	if err != nil {
		result.From = &address{Address: one.Sender}
		return result
	}
	header := parsed.Header
	result.Subject = header.Get("Subject")
	if decoded, err := new(mime.WordDecoder).DecodeHeader(result.Subject); err == nil {
		result.Subject = decoded
	}
	result.MessageID = strings.Trim(header.Get("Message-ID"), "<> ")
	if date, err := header.Date(); err == nil {
		result.Date = date
	}
	if from := people(header, "From"); len(from) > 0 {
		result.From = &from[0]
	} else {
		result.From = &address{Address: one.Sender}
	}
	if to := people(header, "To"); len(to) > 0 {
		result.To = to
	}
	result.Cc, result.ReplyTo = people(header, "Cc"), people(header, "Reply-To")
	result.part(header.Get("Content-Type"), header.Get("Content-Transfer-Encoding"), "", parsed.Body)
	result.Snippet = strings.Join(strings.Fields(result.Text), " ")
	if runes := []rune(result.Snippet); len(runes) > 250 {
		result.Snippet = string(runes[:250])
	}
	return result
}

func people(header netmail.Header, name string) []address {
	found := []address{}
	parsed, _ := header.AddressList(name)
	for _, person := range parsed {
		found = append(found, address{Name: person.Name, Address: person.Address})
	}
	return found
}

// part adds one part of a message, and the parts in it.
func (m *message) part(kind, encoding, disposition string, body io.Reader) {
	media, parameters, err := mime.ParseMediaType(kind)
	if err != nil {
		media = "text/plain"
	}
	if strings.HasPrefix(media, "multipart/") {
		parts := multipart.NewReader(body, parameters["boundary"])
		for {
			next, err := parts.NextRawPart()
			if err != nil {
				return
			}
			m.part(next.Header.Get("Content-Type"), next.Header.Get("Content-Transfer-Encoding"),
				next.Header.Get("Content-Disposition"), next)
		}
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, _ := io.ReadAll(body)
	switch {
	case strings.HasPrefix(disposition, "attachment") || !strings.HasPrefix(media, "text/"):
		m.Attachments++
	case media == "text/html":
		m.HTML += string(text)
	default:
		m.Text += string(text)
	}
}
