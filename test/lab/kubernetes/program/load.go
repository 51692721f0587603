package main

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sort"
	"sync"
	"syscall"
	"time"
)

// result is what a load was answered with. Times are milliseconds since its start; durations are of the requests that succeeded.
type result struct {
	Sent   int            `json:"sent"`
	Failed int            `json:"failed"`
	Faults map[string]int `json:"faults"`
	// Requests that were due while all workers were waiting: the rate was not kept.
	Late      int              `json:"late"`
	ByVersion map[string]*span `json:"byVersion"`
	Failures  *span            `json:"failures,omitempty"`
	Median    float64          `json:"median"`
	P99       float64          `json:"p99"`
	Longest   float64          `json:"longest"`
	Elapsed   float64          `json:"elapsed"`
}

type span struct {
	Count int     `json:"count"`
	First float64 `json:"first"`
	Last  float64 `json:"last"`
}

// load sends requests at a steady rate until it gets SIGTERM or SIGINT, or until -requests are done, and prints one result as JSON.
// Half of the workers with -connections=both keep their connection, the others open one for each request.
func load(arguments []string) {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	rate := flags.Int("rate", 200, "requests a second")
	requests := flags.Int("requests", 0, "requests in all; 0: until a signal")
	workers := flags.Int("workers", 16, "requests under way at once")
	connections := flags.String("connections", "both", "keep, new or both")
	timeout := flags.Duration("timeout", 5*time.Second, "for one request")
	_ = flags.Parse(arguments)

	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	count := counter{started: time.Now(), result: result{Faults: map[string]int{}, ByVersion: map[string]*span{}}}
	due := make(chan struct{})
	var working sync.WaitGroup
	for worker := range *workers {
		kept := *connections == "keep" || (*connections == "both" && worker%2 == 0)
		working.Go(func() {
			client := newClient(kept, *timeout)
			for range due {
				count.request(client, flags.Arg(0))
			}
		})
	}
	count.Late = pace(due, *rate, *requests, ended)
	working.Wait()
	_ = json.NewEncoder(os.Stdout).Encode(count.finish())
}

// pace makes a request due at each step of the clock, and several at once after a moment in which this process was not run. One that
// no worker is free for is late, and is not made up for.
func pace(due chan<- struct{}, rate, requests int, ended <-chan os.Signal) (late int) {
	defer close(due)
	next := time.Now()
	for sent := 0; requests == 0 || sent < requests; {
		next = next.Add(time.Second / time.Duration(rate))
		select {
		case <-ended:
			return late
		case <-time.After(time.Until(next)):
		}
		select {
		case due <- struct{}{}:
			sent++
		default:
			late++
		}
	}
	return late
}

func newClient(kept bool, timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		DisableKeepAlives: !kept,
		DialContext:       (&net.Dialer{Timeout: timeout}).DialContext,
	}}
}

type counter struct {
	result
	started   time.Time
	lock      sync.Mutex
	durations []float64
}

func (c *counter) request(client *http.Client, url string) {
	begun := time.Now()
	version, fault := ask(client, url)
	c.lock.Lock()
	defer c.lock.Unlock()
	at := inMilliseconds(begun.Sub(c.started))
	c.Sent++
	if fault != "" {
		c.Failed++
		c.Faults[fault]++
		c.Failures = c.Failures.add(at)
		return
	}
	c.ByVersion[version] = c.ByVersion[version].add(at)
	c.durations = append(c.durations, inMilliseconds(time.Since(begun)))
}

// ask gives the version that answered, or what went wrong.
func ask(client *http.Client, url string) (version, fault string) {
	response, err := client.Get(url)
	if err != nil {
		return "", kind(err)
	}
	defer response.Body.Close()
	if _, err = io.Copy(io.Discard, response.Body); err != nil {
		return "", "in the body: " + kind(err)
	}
	if response.StatusCode != http.StatusOK {
		return "", response.Status
	}
	return response.Header.Get("X-Version"), ""
}

func (c *counter) finish() result {
	c.Elapsed = inMilliseconds(time.Since(c.started))
	sort.Float64s(c.durations)
	if last := len(c.durations) - 1; last >= 0 {
		c.Median, c.P99, c.Longest = c.durations[last/2], c.durations[last*99/100], c.durations[last]
	}
	return c.result
}

func (s *span) add(at float64) *span {
	if s == nil {
		return &span{Count: 1, First: at, Last: at}
	}
	return &span{Count: s.Count + 1, First: min(s.First, at), Last: max(s.Last, at)}
}

func inMilliseconds(duration time.Duration) float64 {
	return float64(duration.Microseconds()) / 1000
}

func kind(err error) string {
	var network net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	case errors.As(err, &network) && network.Timeout():
		return "timeout"
	}
	return err.Error()
}
