package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "storefront.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEnvironmentOverridesFileOverridesDefault(t *testing.T) {
	path := write(t, "http:\n  address: :9000\ncart:\n  ttl: 5m\n")
	got, err := Load(path, []string{"STOREFRONT_HTTP_ADDRESS=:9001", "UNRELATED=1"})
	if err != nil {
		t.Fatal(err)
	}
	if got.HTTP.Address != ":9001" || got.Cart.TTL != 5*time.Minute || got.Limits.Burst != Default().Limits.Burst {
		t.Errorf("got %+v", got)
	}
}

func TestEmptyFileMeansDefaults(t *testing.T) {
	got, err := Load(write(t, "# nothing set\n"), nil)
	if err != nil || got != Default() {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestShippedFileIsValid(t *testing.T) {
	if _, err := Load("../../configs/storefront.yaml", nil); err != nil {
		t.Error(err)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for name, one := range map[string]struct {
		file, variable, want string
	}{
		"unknown key":       {file: "htpp:\n  address: :1\n", want: "htpp"},
		"bad duration":      {file: "cart:\n  ttl: soon\n", want: "soon"},
		"bad level":         {variable: "STOREFRONT_LOG_LEVEL=loud", want: "Log.Level is loud"},
		"bad zone":          {variable: "STOREFRONT_CART_TIME_ZONE=Europe/Atlantis", want: "Cart.TimeZone"},
		"not a number":      {variable: "STOREFRONT_LIMITS_BURST=many", want: "many"},
		"missing catalogue": {variable: "STOREFRONT_CATALOG_FILE=/nowhere.yaml", want: "Catalog.File"},
	} {
		t.Run(name, func(t *testing.T) {
			path := ""
			if one.file != "" {
				path = write(t, one.file)
			}
			_, err := Load(path, []string{one.variable})
			if err == nil || !strings.Contains(err.Error(), one.want) {
				t.Errorf("got %v, want it to name %q", err, one.want)
			}
		})
	}
}
