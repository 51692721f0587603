// Package lifecycle starts the parts of the service together and ends them in order.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/storefront/internal/config"
)

// Group is the set of servers and background jobs that make up the service.
type Group struct {
	log      *slog.Logger
	settings config.Shutdown
	servers  []server
	jobs     []job
	exits    []job
	ready    atomic.Bool
}

type server struct {
	name     string
	settings config.Server
	http     *http.Server
}

type job struct {
	name string
	run  func(context.Context) error
}

// New makes an empty group.
func New(log *slog.Logger, settings config.Shutdown) *Group {
	return &Group{log: log, settings: settings}
}

// Ready reports whether every server listens and the end has not begun.
func (g *Group) Ready() bool { return g.ready.Load() }

// Serve adds an HTTP server.
func (g *Group) Serve(name string, settings config.Server, handler http.Handler) {
	g.servers = append(g.servers, server{name, settings, &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: settings.ReadTimeout,
		IdleTimeout:       settings.IdleTimeout,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}})
}

// Go adds a job that runs until its context ends.
func (g *Group) Go(name string, run func(context.Context) error) {
	g.jobs = append(g.jobs, job{name, run})
}

// AtExit adds something to do after the last request.
func (g *Group) AtExit(name string, run func(context.Context) error) {
	g.exits = append(g.exits, job{name, run})
}

// Run listens on all addresses before it serves any, runs until ctx ends or a part fails, and then drains: first not
// ready, then the delay in which load balancers notice, then the open requests.
func (g *Group) Run(ctx context.Context) error {
	listeners, err := g.listen(ctx)
	if err != nil {
		return err
	}
	group, running := errgroup.WithContext(ctx)
	for i, server := range g.servers {
		group.Go(func() error { return served(server.name, server.http.Serve(listeners[i])) })
	}
	for _, job := range g.jobs {
		group.Go(func() error { return job.run(running) })
	}
	g.ready.Store(true)
	group.Go(func() error {
		<-running.Done()
		return g.drain(ctx.Err() != nil)
	})
	return group.Wait()
}

func (g *Group) listen(ctx context.Context) ([]net.Listener, error) {
	var all []net.Listener
	for _, server := range g.servers {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", server.settings.Address)
		if err != nil {
			for _, open := range all {
				_ = open.Close()
			}
			return nil, fmt.Errorf("%s: %w", server.name, err)
		}
		g.log.Info("listening", "server", server.name, "address", listener.Addr().String())
		all = append(all, listener)
	}
	return all, nil
}

func served(name string, err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

func (g *Group) drain(asked bool) error {
	g.ready.Store(false)
	if asked {
		g.log.Info("draining", "delay", g.settings.Delay.String())
		time.Sleep(g.settings.Delay)
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.settings.Timeout)
	defer cancel()
	var failed []error
	for _, server := range g.servers {
		if err := server.http.Shutdown(ctx); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", server.name, err))
		}
	}
	for _, exit := range g.exits {
		if err := exit.run(ctx); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", exit.name, err))
		}
	}
	g.log.Info("stopped")
	return errors.Join(failed...)
}
