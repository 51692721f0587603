// Package config reads the settings of the service from flags, with defaults from the environment.
package config

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"example.com/beacon/internal/model"
)

// Config is everything that can be set from outside.
type Config struct {
	Cluster    string
	Kubeconfig string
	Namespace  string
	Selector   string
	Identity   string
	Bucket     string
	Object     string
	Queue      string
	Region     string
	Endpoint   string
	Listen     string
	Collector  string
	Settle     time.Duration
	LogLevel   slog.Level
}

// Parse reads args into a new Config. The variable of a flag is its name in capitals after BEACON_, such as BEACON_BUCKET.
func Parse(flags *flag.FlagSet, args []string, getenv func(string) string) (Config, error) {
	var c Config
	text := func(into *string, name, fallback, usage string) {
		if value := getenv("BEACON_" + strings.ToUpper(name)); value != "" {
			fallback = value
		}
		flags.StringVar(into, name, fallback, usage)
	}
	text(&c.Cluster, "cluster", "default", "`name` of the cluster in all that is written")
	text(&c.Kubeconfig, "kubeconfig", "", "kubeconfig `file`; default: the pod's service account")
	text(&c.Namespace, "namespace", "", "`namespace` to watch; default: all")
	text(&c.Selector, "selector", "", "label `selector` of the services")
	text(&c.Identity, "identity", getenv("HOSTNAME"), "`name` of this replica for leader election; empty: no election")
	text(&c.Bucket, "bucket", "", "S3 `bucket` of the inventory")
	text(&c.Object, "object", "", "`key` of the inventory; default: schema/cluster.json.zst")
	text(&c.Queue, "queue", "", "`URL` of the SQS queue of the changes; empty: none are sent")
	text(&c.Region, "region", "", "AWS `region`; default: as the AWS SDK finds it")
	text(&c.Endpoint, "endpoint", "", "`URL` in place of AWS, for tests")
	text(&c.Listen, "listen", ":8080", "`address` of probes and metrics")
	text(&c.Collector, "collector", "", "`URL` of an OTLP collector for traces; empty: none are sent")
	flags.DurationVar(&c.Settle, "settle", 2*time.Second, "time that changes are collected for")
	flags.TextVar(&c.LogLevel, "log-level", slog.LevelInfo, "`level` of the log: debug, info, warn, error")
	if err := flags.Parse(args); err != nil {
		return Config{}, err
	}
	if c.Object == "" {
		c.Object = model.Schema + "/" + c.Cluster + ".json.zst"
	}
	return c, nil
}

// Check gives all that is wrong with the settings.
func (c Config) Check() error {
	var problems []error
	if c.Bucket == "" {
		problems = append(problems, errors.New("-bucket is missing"))
	}
	if wrong := validation.IsDNS1123Subdomain(c.Cluster); len(wrong) > 0 {
		problems = append(problems, fmt.Errorf("-cluster %q: %s", c.Cluster, strings.Join(wrong, "; ")))
	}
	if _, err := labels.Parse(c.Selector); err != nil {
		problems = append(problems, fmt.Errorf("-selector: %w", err))
	}
	if c.Settle <= 0 {
		problems = append(problems, fmt.Errorf("-settle is %s, which is no time", c.Settle))
	}
	return errors.Join(problems...)
}
