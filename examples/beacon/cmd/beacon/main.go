// Command beacon keeps an inventory of a cluster's Services outside of the cluster: the whole of it as an object in S3, and each
// change as a message in SQS.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"example.com/beacon/internal/config"
	"example.com/beacon/internal/health"
	"example.com/beacon/internal/inventory"
	"example.com/beacon/internal/publish"
	"example.com/beacon/internal/tracing"
	"example.com/beacon/internal/watch"
)

// Stamped by the build with -ldflags "-X main.version=…".
var version = "dev"

func main() {
	if err := run(os.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "beacon:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("beacon", flag.ContinueOnError)
	showVersion := flags.Bool("version", false, "print the version and exit")
	settings, err := config.Parse(flags, args, os.Getenv)
	if err != nil {
		return err
	}
	if *showVersion {
		fmt.Println("beacon", version)
		return nil
	}
	if err := settings.Check(); err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: settings.LogLevel}))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log.Info("starting", "version", version, "cluster", settings.Cluster)
	return serve(ctx, settings, log)
}

func serve(ctx context.Context, settings config.Config, log *slog.Logger) error {
	stop, err := tracing.Start(ctx, settings, version)
	if err != nil {
		return err
	}
	defer stop()
	client, err := watch.Connect(settings.Kubeconfig)
	if err != nil {
		return err
	}
	cloud, err := publish.Connect(ctx, settings)
	if err != nil {
		return err
	}
	known := inventory.New(settings.Cluster)
	probes := health.New(settings.Listen, known)
	watcher := watch.New(client, settings, known, log)
	publisher := publish.New(cloud, settings, known, log)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return probes.Serve(ctx) })
	group.Go(func() error {
		// One writer in the cluster: replicas wait until they lead.
		return watch.Lead(ctx, client, settings, log, func(ctx context.Context) error {
			inner, ctx := errgroup.WithContext(ctx)
			inner.Go(func() error { return watcher.Run(ctx) })
			inner.Go(func() error { return publisher.Run(ctx) })
			return inner.Wait()
		})
	})
	return group.Wait()
}
