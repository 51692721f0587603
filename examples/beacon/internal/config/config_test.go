package config

import (
	"flag"
	"strings"
	"testing"
)

func parse(t *testing.T, env map[string]string, args ...string) Config {
	t.Helper()
	settings, err := Parse(flag.NewFlagSet("beacon", flag.ContinueOnError), args, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

func TestFlagsComeBeforeTheEnvironment(t *testing.T) {
	env := map[string]string{"BEACON_BUCKET": "from-environment", "BEACON_CLUSTER": "blue"}
	settings := parse(t, env, "-bucket", "from-flag")
	if settings.Bucket != "from-flag" || settings.Object != "beacon/v1/blue.json.zst" {
		t.Errorf("bucket %q, object %q", settings.Bucket, settings.Object)
	}
}

func TestCheckTellsAllProblems(t *testing.T) {
	err := parse(t, nil, "-cluster", "Not A Name", "-selector", "a in b", "-settle", "0s").Check()
	for _, want := range []string{"-bucket", "-cluster", "-selector", "-settle"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
