// Command storefront serves the catalogue and the carts of a small shop over HTTP.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	_ "time/tzdata" // The image is FROM scratch: there is no /usr/share/zoneinfo.

	_ "golang.org/x/crypto/x509roots/fallback" // Nor is there /etc/ssl/certs.

	"example.com/storefront/internal/cart"
	"example.com/storefront/internal/catalog"
	"example.com/storefront/internal/config"
	"example.com/storefront/internal/httpapi"
	"example.com/storefront/internal/lifecycle"
	"example.com/storefront/internal/observability"
)

// Stamped by the build with -ldflags "-X main.version=…".
var (
	version = "dev"
	commit  = "unknown"
	date    = "unknown"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "storefront:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("storefront", flag.ContinueOnError)
	path := flags.String("config", os.Getenv("STOREFRONT_CONFIG"), "YAML configuration `file`")
	showVersion := flags.Bool("version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	build := httpapi.Build{Version: version, Commit: commit, Date: date, Go: runtime.Version()}
	if *showVersion {
		fmt.Printf("storefront %s (commit %s, %s, %s)\n", build.Version, build.Commit, build.Date, build.Go)
		return nil
	}
	settings, err := config.Load(*path, os.Environ())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return serve(ctx, settings, build)
}

func serve(ctx context.Context, settings config.Config, build httpapi.Build) error {
	log := observability.NewLogger(os.Stdout, settings.Log)
	slog.SetDefault(log)

	products, err := catalog.Load(settings.Catalog.File, settings.Catalog.CacheSize)
	if err != nil {
		return err
	}
	tracing, err := observability.StartTracing(ctx, settings.Tracing, build.Version)
	if err != nil {
		return err
	}
	carts := cart.NewStore(products, settings.Cart)
	metrics := observability.NewMetrics(build.Version, build.Commit)
	metrics.Gauge("storefront_carts", "Open carts.", func() float64 { return float64(carts.Len()) })

	group := lifecycle.New(log, settings.Shutdown)
	api := httpapi.New(httpapi.Dependencies{
		Log: log, Build: build, Catalog: products, Carts: carts, Metrics: metrics,
		Ready: group.Ready, Limits: settings.Limits,
	})
	group.Serve("http", settings.HTTP, api)
	if settings.Debug.Address != "" {
		group.Serve("pprof", settings.Debug, observability.Profiling())
	}
	group.Go("cart expiry", carts.Expire)
	group.AtExit("tracing", tracing)

	log.Info("starting", "version", build.Version, "commit", build.Commit, "products", products.Len())
	return group.Run(ctx)
}
