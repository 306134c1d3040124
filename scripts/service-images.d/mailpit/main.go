// Command mailpit stands in for Mailpit: it takes every mail on port 1025, keeps it in a file, and shows it on port 8025 under
// the paths of Mailpit's API.
package main

import (
	"cmp"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	limit, err := strconv.Atoi(cmp.Or(os.Getenv("MP_MAX_MESSAGES"), "500"))
	if err != nil {
		log.Fatalf("MP_MAX_MESSAGES: %v", err)
	}
	box, err := openBox(os.Getenv("MP_DATABASE"), limit)
	if err != nil {
		log.Fatal(err)
	}
	// Mailpit offers a login over plain SMTP only where both are set.
	logins := os.Getenv("MP_SMTP_AUTH_ACCEPT_ANY") == "true" && os.Getenv("MP_SMTP_AUTH_ALLOW_INSECURE") == "true"
	failed := make(chan error, 2)
	mail := mailServer(box, cmp.Or(os.Getenv("MP_SMTP_BIND_ADDR"), ":1025"), logins)
	go func() { failed <- mail.ListenAndServe() }()
	pages := &http.Server{
		Addr:              cmp.Or(os.Getenv("MP_UI_BIND_ADDR"), ":8025"),
		Handler:           handler(box),
		ReadHeaderTimeout: time.Minute,
	}
	go func() { failed <- pages.ListenAndServe() }()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case err := <-failed:
		log.Fatal(err)
	case <-stop:
	}
}
