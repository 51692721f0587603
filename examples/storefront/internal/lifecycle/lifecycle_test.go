package lifecycle

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"example.com/storefront/internal/config"
)

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func settings(address string) config.Server {
	return config.Server{Address: address, ReadTimeout: time.Second, IdleTimeout: time.Second}
}

func TestOpenRequestsAreFinished(t *testing.T) {
	group := New(quiet(), config.Shutdown{Delay: 20 * time.Millisecond, Timeout: 5 * time.Second})
	arrived, release := make(chan struct{}), make(chan struct{})
	address := freeAddress(t)
	group.Serve("http", settings(address), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "done")
	}))
	var exited bool
	group.AtExit("flush", func(context.Context) error { exited = true; return nil })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- group.Run(ctx) }()

	answer := make(chan string, 1)
	go func() {
		for {
			response, err := http.Get("http://" + address)
			if err != nil {
				time.Sleep(5 * time.Millisecond)
				continue
			}
			body, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			answer <- string(body)
			return
		}
	}()
	<-arrived
	if !group.Ready() {
		t.Error("not ready while serving")
	}
	stop()
	for group.Ready() {
		time.Sleep(time.Millisecond)
	}
	close(release)
	if got := <-answer; got != "done" {
		t.Errorf("the open request got %q", got)
	}
	if err := <-ended; err != nil || !exited {
		t.Errorf("ended with %v, flushed: %v", err, exited)
	}
}

func TestAddressInUseFailsBeforeAnythingIsServed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	group := New(quiet(), config.Shutdown{Timeout: time.Second})
	group.Serve("first", settings(freeAddress(t)), http.NotFoundHandler())
	group.Serve("second", settings(taken.Addr().String()), http.NotFoundHandler())
	if err := group.Run(t.Context()); err == nil || group.Ready() {
		t.Errorf("got %v, ready: %v", err, group.Ready())
	}
}
