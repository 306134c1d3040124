package main

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"
)

// mail is one message as it came.
type mail struct {
	ID         string
	Created    time.Time
	Username   string
	Sender     string
	Recipients []string
	Raw        []byte
}

// box keeps the messages, oldest first: in memory, and one JSON object a line in a file where there is one.
type box struct {
	mutex sync.Mutex
	mails []mail
	path  string
	limit int
}

// openBox reads what the file holds. Without a path nothing is kept; a limit of 0 is none.
func openBox(path string, limit int) (*box, error) {
	box := &box{path: path, limit: limit}
	if path == "" {
		return box, nil
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return box, box.write()
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := json.NewDecoder(bufio.NewReader(file))
	for {
		var one mail
		if err := lines.Decode(&one); errors.Is(err, io.EOF) {
			return box, nil
		} else if err != nil {
			return nil, err
		}
		box.mails = append(box.mails, one)
	}
}

func (b *box) add(one mail) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	one.ID = rand.Text()[:22]
	b.mails = append(b.mails, one)
	if b.limit > 0 && len(b.mails) > b.limit {
		b.mails = slices.Clone(b.mails[len(b.mails)-b.limit:])
	}
	return b.write()
}

// remove deletes the messages of these numbers; all of them when there is no number.
func (b *box) remove(ids []string) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.mails = slices.DeleteFunc(slices.Clone(b.mails), func(one mail) bool {
		return len(ids) == 0 || slices.Contains(ids, one.ID)
	})
	return b.write()
}

// all returns the messages, newest first.
func (b *box) all() []mail {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	mails := slices.Clone(b.mails)
	slices.Reverse(mails)
	return mails
}

// write replaces the file; the caller holds the mutex, or is the only one.
func (b *box) write() error {
	if b.path == "" {
		return nil
	}
	file, err := os.Create(b.path + ".new")
	if err != nil {
		return err
	}
	lines := json.NewEncoder(file)
	for _, one := range b.mails {
		if err := lines.Encode(one); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(b.path+".new", b.path)
}
