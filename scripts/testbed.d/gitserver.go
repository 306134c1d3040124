package main

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What one push may hold: more than any test has.
const pushAtMost = 256 << 20

// login is who may read and write.
type login struct {
	user     string
	password string
}

func readLogin(folder string) (login, error) {
	user, err := os.ReadFile(filepath.Join(folder, "username"))
	if err != nil {
		return login{}, err
	}
	password, err := os.ReadFile(filepath.Join(folder, "password"))
	if err != nil {
		return login{}, err
	}
	if len(user) == 0 || len(password) == 0 {
		return login{}, errors.New("a file in " + folder + " is empty")
	}
	return login{strings.TrimSpace(string(user)), strings.TrimSpace(string(password))}, nil
}

func (l login) matches(request *http.Request) bool {
	user, password, given := request.BasicAuth()
	same := subtle.ConstantTimeCompare([]byte(user), []byte(l.user)) & subtle.ConstantTimeCompare([]byte(password), []byte(l.password))
	return given && same == 1
}

// repositories answers git's smart protocol for all repositories below root.
func repositories(root string, who login) (http.Handler, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, err
	}
	backend := &cgi.Handler{
		Path: git,
		Args: []string{"http-backend"},
		Env: []string{
			"GIT_PROJECT_ROOT=" + root,
			"GIT_HTTP_EXPORT_ALL=1",
			"REMOTE_USER=" + who.user,
			"HOME=" + root,
		},
		InheritEnv: []string{"PATH"},
	}
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if !who.matches(request) {
			answer.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(answer, "who are you?", http.StatusUnauthorized)
			return
		}
		// git sends a large push in chunks, and CGI has to know a length.
		if request.ContentLength < 0 {
			body, err := io.ReadAll(http.MaxBytesReader(answer, request.Body, pushAtMost))
			if err != nil {
				http.Error(answer, err.Error(), http.StatusRequestEntityTooLarge)
				return
			}
			request.Body = io.NopCloser(bytes.NewReader(body))
			request.ContentLength = int64(len(body))
			request.TransferEncoding = nil
			request.Header.Set("Content-Length", strconv.Itoa(len(body)))
		}
		backend.ServeHTTP(answer, request)
	}), nil
}

// serveGit runs until it is told to end.
func serveGit(arguments []string) error {
	flags := flag.NewFlagSet("git-server", flag.ContinueOnError)
	listen := flags.String("listen", "", "address and port")
	root := flags.String("root", "", "the folder that has the repositories")
	folder := flags.String("login", "", "the folder that has the files username and password")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	who, err := readLogin(*folder)
	if err != nil {
		return err
	}
	handler, err := repositories(*root, who)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: *listen, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		// What is being answered is of no use to anybody any more.
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
