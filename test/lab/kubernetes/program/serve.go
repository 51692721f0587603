package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// answer says which program with which configuration served a request.
type answer struct {
	Version string `json:"version"`
	Pod     string `json:"pod"`
	// The variable CONFIG, and what the file that CONFIG_FILE names held when the server started.
	Config string `json:"config"`
	File   string `json:"file"`
}

// serve answers on PORT (8080): / with an answer as JSON, /readyz and /livez.
//
//	VERSION            what / and the header X-Version say
//	START_MS           nothing listens before
//	FAIL_ONCE          a file: where it is not there it is made, and the server ends with 1
//	READY_FAIL         /readyz answers 503 with this text
//	READY_AFTER_MS     /readyz answers 503 before
//	LIVE_FAIL          /livez answers 500 with this text, LIVE_FAIL_AFTER_MS (0) after the start
//	LATENCY_MS         / takes this long
//	DRAIN_MS           SIGTERM is answered by serving on this long, then a graceful end
//	GRACEFUL=0         SIGTERM ends at once, with whatever is under way
func serve([]string) {
	started := time.Now()
	failOnce(os.Getenv("FAIL_ONCE"))
	said := answer{Version: os.Getenv("VERSION"), Config: os.Getenv("CONFIG"), File: configuration(os.Getenv("CONFIG_FILE"))}
	said.Pod, _ = os.Hostname()
	time.Sleep(milliseconds("START_MS", 0))

	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		text := os.Getenv("READY_FAIL")
		if text == "" && time.Since(started) < milliseconds("READY_AFTER_MS", 0) {
			text = "warming up"
		}
		health(w, text, http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) {
		text := os.Getenv("LIVE_FAIL")
		if time.Since(started) < milliseconds("LIVE_FAIL_AFTER_MS", 0) {
			text = ""
		}
		health(w, text, http.StatusInternalServerError)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(milliseconds("LATENCY_MS", 0))
		w.Header().Set("X-Version", said.Version)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(said)
	})
	server := &http.Server{Addr: fmt.Sprintf(":%d", integer("PORT", 8080)), Handler: mux}
	drained := drainAtEnd(server)
	fmt.Printf("version %s listens on %s\n", said.Version, server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	<-drained
}

func failOnce(file string) {
	if file == "" {
		return
	}
	if _, err := os.Stat(file); err == nil {
		return
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "the peer is not there yet, giving up")
	os.Exit(1)
}

func configuration(file string) string {
	if file == "" {
		return ""
	}
	content, err := os.ReadFile(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return strings.TrimSpace(string(content))
}

func health(w http.ResponseWriter, fault string, status int) {
	if fault != "" {
		http.Error(w, fault, status)
		return
	}
	fmt.Fprintln(w, "ok")
}

func drainAtEnd(server *http.Server) <-chan struct{} {
	done := make(chan struct{})
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		defer close(done)
		<-ended
		if os.Getenv("GRACEFUL") == "0" {
			os.Exit(0)
		}
		time.Sleep(milliseconds("DRAIN_MS", 0))
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	}()
	return done
}
