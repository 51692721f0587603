// Package config reads the settings of the service: defaults, then a YAML file, then the environment.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/go-playground/validator/v10"
	"go.yaml.in/yaml/v3"
)

// Prefix starts the name of every environment variable that is read: STOREFRONT_HTTP_ADDRESS and so on.
const Prefix = "STOREFRONT_"

// Config is everything that can be set from outside.
type Config struct {
	HTTP     Server   `yaml:"http" envPrefix:"HTTP_"`
	Debug    Server   `yaml:"debug" envPrefix:"DEBUG_"`
	Log      Log      `yaml:"log" envPrefix:"LOG_"`
	Tracing  Tracing  `yaml:"tracing" envPrefix:"TRACING_"`
	Catalog  Catalog  `yaml:"catalog" envPrefix:"CATALOG_"`
	Cart     Cart     `yaml:"cart" envPrefix:"CART_"`
	Limits   Limits   `yaml:"limits" envPrefix:"LIMITS_"`
	Shutdown Shutdown `yaml:"shutdown" envPrefix:"SHUTDOWN_"`
}

// Server is one listening address. An empty address of the debug server turns it off.
type Server struct {
	Address     string        `yaml:"address" env:"ADDRESS" validate:"omitempty,hostname_port"`
	ReadTimeout time.Duration `yaml:"readTimeout" env:"READ_TIMEOUT" validate:"gt=0"`
	IdleTimeout time.Duration `yaml:"idleTimeout" env:"IDLE_TIMEOUT" validate:"gt=0"`
}

// Log sets the level and the form of the log lines.
type Log struct {
	Level  string `yaml:"level" env:"LEVEL" validate:"oneof=debug info warn error"`
	Format string `yaml:"format" env:"FORMAT" validate:"oneof=json text"`
}

// Tracing sends spans to an OTLP collector. Without an endpoint nothing is sent.
type Tracing struct {
	Endpoint string  `yaml:"endpoint" env:"ENDPOINT" validate:"omitempty,url"`
	Ratio    float64 `yaml:"ratio" env:"RATIO" validate:"gte=0,lte=1"`
}

// Catalog names the file that replaces the built-in products.
type Catalog struct {
	File      string `yaml:"file" env:"FILE" validate:"omitempty,file"`
	CacheSize int    `yaml:"cacheSize" env:"CACHE_SIZE" validate:"gt=0"`
}

// Cart says how long a cart lives, where the shop is, and what it charges.
type Cart struct {
	TTL      time.Duration `yaml:"ttl" env:"TTL" validate:"gt=0"`
	MaxLines int           `yaml:"maxLines" env:"MAX_LINES" validate:"gt=0,lte=1000"`
	TaxRate  string        `yaml:"taxRate" env:"TAX_RATE" validate:"numeric"`
	TimeZone string        `yaml:"timeZone" env:"TIME_ZONE" validate:"timezone"`
}

// Limits bounds what one client may ask for.
type Limits struct {
	RequestsPerSecond float64 `yaml:"requestsPerSecond" env:"REQUESTS_PER_SECOND" validate:"gt=0"`
	Burst             int     `yaml:"burst" env:"BURST" validate:"gt=0"`
	BodyBytes         int64   `yaml:"bodyBytes" env:"BODY_BYTES" validate:"gt=0"`
}

// Shutdown orders the end: not ready, wait for Delay while load balancers notice, then finish open requests within Timeout.
type Shutdown struct {
	Delay   time.Duration `yaml:"delay" env:"DELAY" validate:"gte=0"`
	Timeout time.Duration `yaml:"timeout" env:"TIMEOUT" validate:"gt=0"`
}

// Default is what a service without any configuration runs with.
func Default() Config {
	return Config{
		HTTP:     Server{Address: ":8080", ReadTimeout: 10 * time.Second, IdleTimeout: 60 * time.Second},
		Debug:    Server{Address: ":6060", ReadTimeout: 10 * time.Second, IdleTimeout: 60 * time.Second},
		Log:      Log{Level: "info", Format: "json"},
		Tracing:  Tracing{Ratio: 0.1},
		Catalog:  Catalog{CacheSize: 256},
		Cart:     Cart{TTL: 2 * time.Hour, MaxLines: 50, TaxRate: "0.19", TimeZone: "Europe/Berlin"},
		Limits:   Limits{RequestsPerSecond: 50, Burst: 100, BodyBytes: 64 << 10},
		Shutdown: Shutdown{Delay: 3 * time.Second, Timeout: 20 * time.Second},
	}
}

// Load reads the file at path, when there is one, and then the variables of environ, given as KEY=VALUE.
func Load(path string, environ []string) (Config, error) {
	settings := Default()
	if path != "" {
		if err := readFile(path, &settings); err != nil {
			return Config{}, err
		}
	}
	options := env.Options{Prefix: Prefix, Environment: env.ToMap(environ)}
	if err := env.ParseWithOptions(&settings, options); err != nil {
		return Config{}, fmt.Errorf("environment: %w", err)
	}
	if err := check(settings); err != nil {
		return Config{}, err
	}
	return settings, nil
}

func readFile(path string, into *Config) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func check(settings Config) error {
	err := validator.New(validator.WithRequiredStructEnabled()).Struct(settings)
	var wrong validator.ValidationErrors
	if !errors.As(err, &wrong) {
		return err
	}
	problems := make([]string, len(wrong))
	for i, field := range wrong {
		rule := strings.TrimSpace(field.Tag() + " " + field.Param())
		problems[i] = fmt.Sprintf("%s is %v, which breaks %q", strings.TrimPrefix(field.Namespace(), "Config."), field.Value(), rule)
	}
	return fmt.Errorf("configuration: %s", strings.Join(problems, "; "))
}
